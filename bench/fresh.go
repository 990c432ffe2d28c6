package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// fresh makes servers that have answered nobody yet, for the figures that a
// server under load cannot give.
type fresh struct {
	program  string
	dir      string // of its configuration and files
	database *database
	token    string
	log      io.Writer
}

const (
	freshUser  = "porterhouse_bench" // the gateway's account, made for this
	freshAsker = "alice@example.com" // who asks
	freshAlive = 30 * time.Second    // until a server must have answered
	freshPoll  = time.Millisecond    // between two looks at whether it does
	freshRest  = 5 * time.Second     // before memory at rest is read: the collector has to have been round
	freshTries = 5                   // starts; the median counts
	readyPath  = "/readyz"
	freshFiles = os.FileMode(0o600)
)

// freshConfig is all that a server needs. It may give a million rows: how many
// bytes of them it gives is then its own limit.
const freshConfig = `listen: %s
clusters: {bench: {url: "%s", user: ` + freshUser + `, password: "file:password"}}
users: {name: "{localpart}", domains: [example.com], local_users: {allow: [alice, bob, carol]}}
tokens: {file: tokens.json}
audit: {file: audit.jsonl, key: "file:audit.key"}
limits: {rows: 1000000}
log: {level: warn}
`

// newFresh makes the gateway's account, its files and the asker's token.
func newFresh(ctx context.Context, program, dir, account string, db *database, log io.Writer) (*fresh, error) {
	f := &fresh{program: program, dir: dir, database: db, log: log}
	password := rand.Text()
	for name, text := range map[string]string{"password": password, "audit.key": rand.Text() + rand.Text()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), freshFiles); err != nil {
			return nil, err
		}
	}
	for _, sql := range []string{
		"CREATE USER OR REPLACE " + freshUser + " IDENTIFIED WITH sha256_password BY '" + password + "'",
		"GRANT IMPERSONATE ON `" + account + "` TO " + freshUser,
		"GRANT SELECT(query, query_id, user) ON system.processes TO " + freshUser,
	} {
		if _, err := db.text(ctx, sql); err != nil {
			return nil, err
		}
	}
	var err error
	f.token, err = f.output(ctx, "token", "create", "--file", filepath.Join(dir, "tokens.json"), "--user", freshAsker, "--expires", "1d")
	return f, err
}

// close takes the gateway's account away again.
func (f *fresh) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	_, err := f.database.text(ctx, "DROP USER IF EXISTS "+freshUser)
	return err
}

// output runs a command of the program and returns the line that it prints.
func (f *fresh) output(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, f.program, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", f.program, args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// instance is a fresh server.
type instance struct {
	*child
	endpoint *url.URL
	ready    time.Duration // from its start to its first sign of being ready
}

// start starts a server and waits until it is ready.
func (f *fresh) start(ctx context.Context) (*instance, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(f.dir, "porterhouse.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, freshConfig, address, f.database.url.Scheme+"://"+f.database.url.Host), freshFiles); err != nil {
		return nil, err
	}
	began := time.Now()
	child, _, err := startChild(ctx, f.log, f.program, "serve", "--config", config)
	if err != nil {
		return nil, err
	}
	s := &instance{child: child, endpoint: &url.URL{Scheme: "http", Host: address, Path: "/mcp"}}
	if err := waitReady(ctx, "http://"+address+readyPath); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", child.name, err), child.stop())
	}
	s.ready = time.Since(began)
	return s, nil
}

// freeAddress is a port of loopback that nobody uses at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// waitReady looks at page until it answers 200.
func waitReady(ctx context.Context, page string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, freshAlive, fmt.Errorf("not ready within %v", freshAlive))
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
		if err != nil {
			return err
		}
		// An error means that it does not listen yet: that is what we wait for.
		if response, err := client.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(freshPoll):
		}
	}
}
