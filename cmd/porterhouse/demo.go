package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/identity"
	"porterhouse/sandbox"
)

const demoUsage = "[--json] [--port N] [--dir DIR] [--access execute_as|verify] [--clusters 1|2]"

// demoCommand starts a real ClickHouse with sample data and serves it to Alice,
// Bob and Carol until ctx ends.
func demoCommand(ctx context.Context, t terminal, args []string) error {
	f := t.flags("demo", demoUsage)
	asJSON := f.Bool("json", false, "print one line of JSON when ready, for scripts")
	port := f.Uint("port", 0, "the port to listen on, on loopback; 0: 8080, or a free one when that is taken or with --json")
	dir := f.String("dir", "", "keep data, tokens and audit record in this `directory`; \"\": a temporary one")
	access := f.String("access", string(clickhouse.ExecuteAs), "the access `mode`: execute_as, which takes us less time, or verify, in which everything passes that ClickHouse's HTTP interface knows")
	clusters := f.Uint("clusters", 1, "how many `clusters`: 1, or 2, of which only Alice reaches the second")
	if _, err := parse(f, args, 0, 0); err != nil {
		return err
	}
	if *clusters < 1 || *clusters > 2 {
		return fmt.Errorf("--clusters %d: want 1 or 2", *clusters)
	}
	if *port > 65535 {
		return fmt.Errorf("--port %d is no port", *port)
	}
	mode := clickhouse.Mode(*access)
	if mode != clickhouse.ExecuteAs && mode != clickhouse.Verify {
		return fmt.Errorf("--access %q: want %s or %s", *access, clickhouse.ExecuteAs, clickhouse.Verify)
	}
	say := func(format string, args ...any) {
		if !*asJSON {
			fmt.Fprintf(t.stdout, format+"\n", args...)
		}
	}
	d, err := startDemo(ctx, mode, *dir, say)
	if err != nil {
		return err
	}
	if *clusters == 2 {
		if d.archive, err = startDemoArchive(ctx, mode, *dir, d.addresses); err != nil {
			return errors.Join(err, d.addresses.close(), d.provider.Close(), d.sandbox.Close())
		}
	}
	s, err := d.listen(*port, *asJSON, t.stderr)
	if err != nil {
		return errors.Join(err, d.addresses.close(), d.provider.Close(), d.archive.close(), d.sandbox.Close())
	}
	if *asJSON {
		err = d.printJSON(t.stdout, s)
	} else {
		d.print(t.stdout, s)
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		<-d.sandbox.Done()
		stop(errors.New("the sandbox's ClickHouse has ended"))
	}()
	err = errors.Join(err, s.run(running))
	return errors.Join(err, d.archive.close(), d.sandbox.Close())
}

// demo is a sandbox with its people, and the files of the server in front of it.
type demo struct {
	demoCluster              // the first one, or the only one
	archive     *demoArchive // nil: there is one cluster
	provider    *demoProvider
	addresses   addresses         // that are ours before anybody serves there
	files       string            // directory of the token file, the keys, the certificate and the audit record
	tokens      map[string]string // by account

	temporary bool // everything goes when it ends
}

// startDemo starts ClickHouse, loads what is not loaded yet, and makes the tokens.
func startDemo(ctx context.Context, mode clickhouse.Mode, dir string, say func(string, ...any)) (d *demo, err error) {
	since := time.Now()
	say("Starting ClickHouse on this machine …")
	taken := addresses{}
	d = &demo{tokens: map[string]string{}, temporary: dir == "", addresses: taken}
	defer func() {
		if err != nil { // d is nil then
			err = errors.Join(err, taken.close())
		}
	}()
	if d.demoCluster, err = startDemoCluster(ctx, mode, dir, taken); err != nil {
		return nil, err
	}
	server := d.sandbox
	defer func() {
		if err != nil {
			err = errors.Join(err, server.Close())
		}
	}()
	d.files = filepath.Join(server.Dir, "porterhouse")
	say("ClickHouse %s answers after %d ms. Loading the sample data …", server.Version, time.Since(since).Milliseconds())
	if err := server.LoadSamples(ctx, ""); err != nil {
		return nil, err
	}
	if err := d.addPeople(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.files, 0o700); err != nil {
		return nil, err
	}
	if err := d.makeTokens(); err != nil {
		return nil, err
	}
	if d.provider, err = openDemoProvider(); err != nil {
		return nil, err
	}
	say("Ready after %.1f s.\n", time.Since(since).Seconds())
	return d, nil
}

// makeTokens gives everybody a new token, good for a week.
func (d *demo) makeTokens() error {
	tokens, err := identity.NewTokens(identity.TokensConfig{Path: d.tokenFile()})
	if err != nil {
		return err
	}
	for _, person := range sandbox.People() {
		token, _, err := tokens.Create(identity.Grant{User: person.Email, Client: "demo", Expires: time.Now().Add(7 * 24 * time.Hour)})
		if err != nil {
			return err
		}
		d.tokens[person.Account] = token.Reveal()
	}
	return nil
}

func (d *demo) tokenFile() string { return filepath.Join(d.files, "tokens.json") }
func (d *demo) auditFile() string { return filepath.Join(d.files, "audit.jsonl") }

// secret is one of the keys of the demo, made when it is first needed. That they lie
// beside what they protect is good enough for a demo, and for nothing else.
func (d *demo) secret(name string) (porterhouse.Secret, error) {
	file := filepath.Join(d.files, name)
	key, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		key = []byte(rand.Text() + rand.Text())
		err = os.WriteFile(file, key, 0o600)
	}
	return porterhouse.NewSecret(string(key)), err
}

// config is what porterhouse.yaml would say, but for the port.
func (d *demo) config() (c Config, err error) {
	c = defaultConfig()
	c.demo = true
	c.Clusters = map[string]ClusterConfig{demoOnly: d.demoCluster.config()}
	d.archive.join(&c)
	// Alice is herself, however she comes: by the provider, or with her token.
	c.Users = UsersConfig{Name: "{localpart}", Domains: []string{"example.com"}, AllowShared: true}
	for _, person := range sandbox.People() {
		c.Users.LocalUsers.Allow = append(c.Users.LocalUsers.Allow, person.Account)
	}
	c.Tokens.File = d.tokenFile()
	d.provider.configure(&c)
	if c.SignIn.MasterKey, err = d.secret("master.key"); err != nil {
		return c, err
	}
	c.Audit.File = d.auditFile()
	c.Audit.Key, err = d.secret("audit.key")
	return c, err
}

// The ports that the demo takes when they are free and nobody says others, so that a
// client that was configured yesterday still fits.
const (
	demoPort      = 8080
	demoHTTPPort  = 8123
	demoHTTPSPort = 8443
)

// listen opens the server of the demo, and the provider that sends people back to it.
func (d *demo) listen(port uint, quiet bool, stderr io.Writer) (*server, error) {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c, err := d.config()
	if err != nil {
		return nil, err
	}
	if err := d.takeAddresses(&c, port, quiet); err != nil {
		return nil, err
	}
	p, err := openProcess(c, log, time.Now)
	if err != nil {
		return nil, err
	}
	s, err := listenAt(c, p, d.addresses)
	if err != nil {
		return nil, errors.Join(err, p.close(context.Background()))
	}
	if err := d.provider.join(s); err != nil {
		return nil, errors.Join(err, s.stop(), p.close(context.Background()))
	}
	return s, nil
}

// takeAddresses finds one for each door: the one that is wished for, or the usual one,
// or a free one when that is taken, and for scripts.
func (d *demo) takeAddresses(c *Config, port uint, quiet bool) (err error) {
	usual := func(port uint) uint {
		if quiet {
			return 0
		}
		return port
	}
	if port != 0 {
		c.Listen, err = d.addresses.take(port)
	} else {
		c.Listen, err = d.addresses.takeOrFree(usual(demoPort))
	}
	if err != nil {
		return err
	}
	if c.ClickHouseHTTP.Listen, err = d.addresses.takeOrFree(usual(demoHTTPPort)); err != nil {
		return err
	}
	pair, err := demoCertificate(d.files).make()
	if err != nil {
		return err
	}
	c.ClickHouseHTTP.TLS = &TLSListenerConfig{Cert: pair.Cert, Key: pair.Key}
	c.ClickHouseHTTP.TLS.Listen, err = d.addresses.takeOrFree(usual(demoHTTPSPort))
	return err
}

// printJSON prints the line that scripts read.
func (d *demo) printJSON(w io.Writer, s *server) error {
	return json.NewEncoder(w).Encode(map[string]any{
		"mcp":      s.config.publicURL() + mcpPath,
		"http":     "http://" + s.config.ClickHouseHTTP.Listen,
		"https":    "https://" + s.config.ClickHouseHTTP.TLS.Listen,
		"ca":       demoCertificate(d.files).ca(),
		"provider": d.provider.issuer(),
		"people":   d.tokens,
		"clusters": s.config.clusterNames(),
		"clickhouse": map[string]string{
			"http": d.sandbox.HTTP, "native": d.sandbox.Native,
			"user": d.sandbox.User, "password": d.sandbox.Password,
		},
		"audit": d.auditFile(),
		"pid":   os.Getpid(),
	})
}

// print says what a person needs to begin.
func (d *demo) print(w io.Writer, s *server) {
	url := s.config.publicURL() + mcpPath
	fmt.Fprintf(w, "MCP server   %s\n\nPaste this URL into your MCP client. A browser opens: choose Alice, and agree.\n\n", url)
	printClients(w, url)
	fmt.Fprintf(w, "\nThen ask: “Make me a report of daily token usage.” Ask again as Bob: he sees only his own team.\n"+
		"An agent only reads, Carol's too.\n")
	d.printHTTPDoor(w, s)
	d.archive.print(w, s)
	for _, person := range sandbox.People() {
		fmt.Fprintf(w, "\n%s: %s\n  token  %s\n", person.Name, person.About, d.tokens[person.Account])
	}
	fmt.Fprintf(w, "\nThe tokens are for scripts, and for clients without a browser (Authorization: Bearer …), and good for a week.\n")
	fmt.Fprintf(w, "Who signed in, and asked what: %s\nCtrl-C stops everything%s.\n", d.auditFile(), d.leftovers())
}

func (d *demo) leftovers() string {
	if d.temporary {
		return " and leaves nothing behind (--dir keeps it)"
	}
	return "; it is all kept in " + d.sandbox.Dir
}
