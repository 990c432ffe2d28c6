package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// doorSite is what is measured of the HTTP door: one process of ours for each access
// mode, the ClickHouse behind them, and one that takes no time.
type doorSite struct {
	options
	database *database
	people   []person // of the mode verify: of the server that was there already
	verify   *url.URL // its door; nil: it has none
	native   string   // where ClickHouse speaks its native protocol; "": not known

	gateways *gateways
	stub     *url.URL
	children []*child
	log      io.Writer
}

// person is somebody with a ClickHouse account.
type person struct{ account, token string }

// The objects that are made in ClickHouse, and taken away again.
const (
	doorDatabase = "porterhouse_bench"
	doorTable    = doorDatabase + ".numbers"
	doorSink     = doorDatabase + ".sink" // takes any number of numbers and keeps none
)

// openDoors makes the accounts, the table, and the stub.
func (s *site) openDoors(ctx context.Context, o options, log io.Writer) (d *doorSite, err error) {
	d = &doorSite{options: o, database: s.database, people: s.people, verify: s.door, native: s.native, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	dir, err := os.MkdirTemp("", "porterhouse-bench-door-")
	if err != nil {
		return nil, err
	}
	if d.gateways, err = newGateways(ctx, o, dir, s.database, log); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for _, sql := range []string{
		"CREATE DATABASE IF NOT EXISTS " + doorDatabase,
		"CREATE TABLE IF NOT EXISTS " + doorTable + " (number UInt64) ENGINE = MergeTree ORDER BY ()",
		"CREATE TABLE IF NOT EXISTS " + doorSink + " (number UInt64) ENGINE = Null",
		"GRANT INSERT ON " + doorDatabase + ".* TO " + freshUser + ", `" + o.account + "`",
	} {
		if _, err := s.database.text(ctx, sql); err != nil {
			return nil, err
		}
	}
	stub, at, err := startHelper(ctx, log, stubWord)
	if err != nil {
		return nil, err
	}
	d.stub, d.children = at, append(d.children, stub)
	return d, nil
}

// close stops what was started and takes away what was made.
func (d *doorSite) close() error {
	var errs []error
	for _, c := range d.children {
		errs = append(errs, c.stop())
	}
	if d.gateways == nil {
		return errors.Join(errs...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	_, err := d.database.text(ctx, "DROP DATABASE IF EXISTS "+doorDatabase)
	return errors.Join(append(errs, err, d.gateways.close(), os.RemoveAll(d.gateways.dir))...)
}

// gateway starts one process of ours, which ends with the site.
func (d *doorSite) gateway(ctx context.Context, mode accessMode, backend *url.URL) (*gateway, error) {
	g, err := d.gateways.start(ctx, mode, backend, d.native)
	if err != nil {
		return nil, err
	}
	d.children = append(d.children, g.child)
	return g, nil
}

// once runs work with a process of its own.
func (d *doorSite) once(ctx context.Context, mode accessMode, work func(*gateway) error) error {
	g, err := d.gateways.start(ctx, mode, d.database.url, d.native)
	if err != nil {
		return err
	}
	return errors.Join(work(g), g.stop())
}

// accessMode is how the gateway gets into accounts: clusters.NAME.access.mode.
type accessMode string

// The access modes that are measured.
const (
	static    accessMode = "static"
	executeAs accessMode = "execute_as"
	verify    accessMode = "verify"
)

// gateways makes processes of ours that open the HTTP door. Whoever asks has an API token
// and a JWT of a provider.
type gateways struct {
	*fresh
	jwt      string
	password string // of the gateway's own account
	pem      string // path of the certificate, without its ending
}

func newGateways(ctx context.Context, o options, dir string, db *database, log io.Writer) (*gateways, error) {
	f, err := newFresh(ctx, o.program, dir, o.account, db, log)
	if err != nil {
		return nil, err
	}
	g := &gateways{fresh: f, pem: filepath.Join(dir, "door")}
	password, err := os.ReadFile(filepath.Join(dir, "password"))
	if err == nil {
		g.password = string(password)
		g.jwt, err = makeJWT(filepath.Join(dir, "keys.json"), time.Now())
	}
	if err == nil {
		err = makeCertificate(g.pem, time.Now())
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return g, nil
}

// gateway is one process of ours.
type gateway struct {
	*child
	mode  accessMode
	mcp   *url.URL
	plain *url.URL
	tls   string // host:port
}

// doorConfig is all that the door needs. What a person may have at once is set high,
// because here one person is many callers; whom the API token and the JWT name are two
// people with one account.
const doorConfig = `listen: %[1]s
clickhouse_http: {listen: "%[2]s", audiences: [bench], tls: {listen: "%[3]s", cert: door.crt, key: door.key}}
clusters:
  bench: {url: "%[4]s", user: ` + freshUser + `, password: "file:password", access: {mode: %[5]s%[6]s}}
users: {name: "{localpart}", domains: [example.com], allow_shared: true, local_users: {allow: [alice, bob, carol]}}
tokens: {file: tokens.json}
token_processors: {bench: {type: jwt_static_jwks, static_jwks_file: keys.json, username_claim: email, expected_audience: bench}}
audit: {file: audit-%[7]s.jsonl, key: "file:audit.key"}
kv: {file: porterhouse-%[7]s.kv}
limits: {concurrent_per_person: 1000}
log: {level: error}
`

// start starts one in front of a ClickHouse, and waits until it is ready.
func (g *gateways) start(ctx context.Context, mode accessMode, backend *url.URL, native string) (*gateway, error) {
	var at [3]string
	for i := range at {
		var err error
		if at[i], err = freeAddress(); err != nil {
			return nil, err
		}
	}
	access := ""
	if mode == executeAs && native != "" {
		access = fmt.Sprintf(", native: %q", native)
	}
	_, name, err := net.SplitHostPort(at[0]) // of its files: no two have one port
	if err != nil {
		return nil, err
	}
	file := filepath.Join(g.dir, "door-"+name+".yaml")
	text := fmt.Appendf(nil, doorConfig, at[0], at[1], at[2], backend.Scheme+"://"+backend.Host, mode, access, name)
	if err := os.WriteFile(file, text, freshFiles); err != nil {
		return nil, err
	}
	child, _, err := startChild(ctx, g.log, g.program, "serve", "--config", file)
	if err != nil {
		return nil, err
	}
	if err := waitReady(ctx, "http://"+at[0]+readyPath); err != nil {
		return nil, errors.Join(fmt.Errorf("%s, %s: %w", child.name, mode, err), child.stop())
	}
	return &gateway{
		child: child, mode: mode, tls: at[2],
		mcp:   &url.URL{Scheme: "http", Host: at[0], Path: "/mcp"},
		plain: &url.URL{Scheme: "http", Host: at[1], Path: "/"},
	}, nil
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
