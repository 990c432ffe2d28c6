package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

// rig is a server, in front of no ClickHouse, whose configuration is in files.
type rig struct {
	*testing.T
	dir    string
	server *server
	hangup chan os.Signal
	log    *lockedLog
}

const rigConfig = `
listen: 127.0.0.1:0
clusters: {main: {url: 'http://127.0.0.1:1', user: gw, password: 'file:gateway.password'}}
users: {name: '{localpart}', domains: [example.com], local_users: {allow: [alice, bob]}}
tokens: {file: tokens.json}
audit: {file: audit.jsonl, key: 'file:audit.key'}
kv: {memory: true}
clickhouse_http: {listen: '127.0.0.1:0'}
token_processors:
  corp: {type: jwt_static_key, algo: HS256, static_key: 'file:corp.key', allow_any_audience: true, username_claim: sub, expected_issuer: corp}
`

// lockedLog is a log that is read while somebody writes.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startRig serves rigConfig.
func startRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, dir: t.TempDir(), hangup: make(chan os.Signal, 1), log: &lockedLog{}}
	r.write("gateway.password", "hunter2")
	r.write("audit.key", auditKey)
	r.write("corp.key", auditKey)
	r.write("porterhouse.yaml", rigConfig)
	c, files, err := readConfig(r.path("porterhouse.yaml"), environment)
	r.must(err)
	p, err := openProcess(c, slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), time.Now)
	r.must(err)
	r.server, err = listen(c, p)
	r.must(err)
	r.server.reloader = newReloader(r.server, c, r.path("porterhouse.yaml"), files, environment, r.hangup)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.server.run(ctx) }()
	t.Cleanup(func() {
		stop()
		r.must(<-ended)
	})
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// write replaces a file as a whole, as an operator should.
func (r *rig) write(name, text string) {
	r.Helper()
	r.must(os.WriteFile(r.path(name+".new"), []byte(text), 0o600))
	r.must(os.Rename(r.path(name+".new"), r.path(name)))
}

// until waits for something that happens soon.
func (r *rig) until(what string, is func() bool) {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("not within 20s: %s\n%s", what, r.log)
		}
	}
}

// reload asks for a reload, and returns what the log says of it.
func (r *rig) reload() string {
	r.Helper()
	from := len(r.log.String())
	r.hangup <- syscall.SIGHUP
	said := func() string { return r.log.String()[from:] }
	r.until("the reload", func() bool { return strings.Contains(said(), "reason=SIGHUP") })
	for line := range strings.Lines(said()) {
		if strings.Contains(line, "reason=SIGHUP") {
			return line
		}
	}
	return ""
}

// edit is rigConfig with some of it replaced.
func edit(change ...string) string { return strings.NewReplacer(change...).Replace(rigConfig) }

func (r *rig) generation() *generation { return r.server.process.generation.Load() }

// status asks the MCP door with a token: 401, or in (which without a message is 415).
func (r *rig) status(token string) int {
	r.Helper()
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+r.server.address()+mcpPath, nil)
	r.must(err)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	r.must(err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	r.must(err)
	return response.StatusCode
}

// What cannot be put in force is told, with what is wrong and where, and what was in force
// stays, to the last pointer; what puts it right is noticed.
func TestReloadKeepsWhatWasInForce(t *testing.T) {
	r := startRig(t)
	for _, test := range []struct {
		name  string
		spoil func()
		want  string
	}{
		{"broken", func() { r.write("porterhouse.yaml", rigConfig+"limits: {rows: [\n") }, "not YAML"},
		{"half written", func() { r.write("porterhouse.yaml", rigConfig[:strings.Index(rigConfig, "audit:")]) }, "audit"},
		{"cut off within a line", func() { r.write("porterhouse.yaml", strings.TrimSuffix(rigConfig, "\n")) }, "does not end with a line break"},
		{"keys of a provider that others can write", func() {
			r.write("jwks.json", `{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "alg": "EdDSA", "use": "sig", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
			r.must(os.Chmod(r.path("jwks.json"), 0o666))
			r.write("porterhouse.yaml", rigConfig+"  other: {type: jwt_static_jwks, static_jwks_file: jwks.json, username_claim: sub, expected_audience: a}\n")
		}, "token_processors.other.static_jwks_file: "},
		{"empty", func() { r.write("porterhouse.yaml", "") }, "the file is empty"},
		{"gone", func() { r.must(os.Remove(r.path("porterhouse.yaml"))) }, "no such file"},
		{"no file", func() {
			r.must(os.Remove(r.path("porterhouse.yaml")))
			r.must(os.Mkdir(r.path("porterhouse.yaml"), 0o700))
		}, "not a regular file"},
		{"writable by a group", func() {
			r.write("porterhouse.yaml", edit("[alice, bob]", "[alice, bob, mallory]"))
			r.must(os.Chmod(r.path("porterhouse.yaml"), 0o620))
		}, "chmod go-w"},
		{"writable by all", func() { r.must(os.Chmod(r.path("porterhouse.yaml"), 0o602)) }, "chmod go-w"},
		{"a secret that is gone", func() { r.must(os.Remove(r.path("corp.key"))) }, "token_processors.corp.static_key"},
		{"a secret that all can read", func() { r.must(os.Chmod(r.path("corp.key"), 0o644)) }, "chmod 600"},
		{"an empty secret", func() { r.write("gateway.password", "\n") }, "gateway.password is empty"},
		{"an unknown key", func() { r.write("porterhouse.yaml", rigConfig+"limit: {rows: 1}\n") }, "did you mean limits?"},
		{"another address", func() { r.write("porterhouse.yaml", edit("listen: 127.0.0.1:0", "listen: 127.0.0.1:1")) }, "need a restart, until which nothing of the new configuration holds: listen"},
		{"another key of the record", func() { r.write("audit.key", auditKey+auditKey) }, "holds: audit.key"},
		{"what a room refuses", func() { r.write("porterhouse.yaml", rigConfig+"limits: {concurrent_per_person: 0}\n") }, "limits"},
	} {
		before, failures := r.generation(), r.server.process.reloads.failed.Load()
		test.spoil()
		if said := r.reload(); !strings.Contains(said, "level=ERROR") || !strings.Contains(said, test.want) || strings.Contains(said, auditKey) {
			t.Errorf("%s: no %q in %s", test.name, test.want, said)
		}
		if r.generation() != before || !r.server.process.reloads.failing.Load() || r.server.process.reloads.failed.Load() == failures {
			t.Errorf("%s: something was put in force, or nothing was counted", test.name)
		}
		_ = os.Remove(r.path("porterhouse.yaml")) // which may be a directory
		r.write("porterhouse.yaml", rigConfig)
		r.write("gateway.password", "hunter2")
		r.write("audit.key", auditKey)
		r.write("corp.key", auditKey)
		if said := r.reload(); !strings.Contains(said, "the configuration is as it was") || r.generation() != before || r.server.process.reloads.failing.Load() {
			t.Errorf("%s: put right: %s", test.name, said)
		}
	}
}

// A token processor that is taken out proves nobody from then on, nor does one whose key is
// another; what is remembered of its people is no way in. A processor that comes back is new.
func TestReloadEndsATokenProcessor(t *testing.T) {
	r := startRig(t)
	claims := idp.Claims{"sub": "alice@example.com", "iss": "corp", "exp": time.Now().Add(time.Hour).Unix()}
	key := &idp.Key{ID: "k", Algorithm: "HS256", Secret: []byte(auditKey)}
	token := key.Sign(claims)
	const in = http.StatusUnsupportedMediaType // there is no message
	expect := func(when string, want int) {
		t.Helper()
		if got := r.status(token); got != want {
			t.Errorf("%s: %d, want %d\n%s", when, got, want, r.log)
		}
	}
	expect("at first", in)
	r.write("corp.key", strings.ToUpper(auditKey))
	if said := r.reload(); !strings.Contains(said, `changed=token_processors.corp.static_key`) || strings.Contains(said, strings.ToUpper(auditKey)) {
		t.Errorf("another key: %s", said)
	}
	expect("another key", http.StatusUnauthorized)
	r.write("corp.key", auditKey)
	r.reload()
	expect("the key again", in)
	// Our own tokens of people whom it has proved go on being good tokens, of nobody.
	who := porterhouse.Principal{Issuer: "corp", Subject: "1", User: "alice@example.com", Proof: "corp"}
	account := func() error {
		_, err := r.generation().people["main"].Account(t.Context(), who, porterhouse.Entry{Cluster: "main", Door: "mcp"})
		return err
	}
	r.must(account())
	r.write("porterhouse.yaml", rigConfig[:strings.Index(rigConfig, "token_processors:")])
	if said := r.reload(); !strings.Contains(said, "token_processors.corp.type") {
		t.Errorf("no processor: %s", said)
	}
	expect("no processor", http.StatusUnauthorized)
	if kind, _ := porterhouse.Explain(account()); kind != porterhouse.Refused {
		t.Errorf("its people have an account: %v", kind)
	}
}

// Files are noticed without a signal, when nobody is at work on them; a reload that
// changes nothing does nothing.
func TestReloadNoticesFiles(t *testing.T) {
	r := startRig(t)
	before := r.generation()
	r.write("porterhouse.yaml", edit("[alice, bob]", "[alice]"))
	r.until("the change", func() bool {
		return r.generation() != before && strings.Contains(r.log.String(), `reason="its files have changed" changed=users.local_users.allow`)
	})
	before = r.generation()
	r.write("porterhouse.yaml", edit("[alice, bob]", "[alice]")+"# a remark\n")
	r.until("the remark", func() bool { return strings.Contains(r.log.String(), "the configuration is as it was") })
	if r.generation() != before {
		t.Error("a remark has made a generation")
	}
}

// Somebody who is writing is not interrupted: a file is read when two looks saw the same.
func TestSettled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	look := func(text string) stamps {
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return stampsOf([]string{path})
	}
	r := &reloader{read: look("one")}
	for i, step := range []struct {
		write string
		want  bool
	}{{"", false}, {"three", false}, {"three and", false}, {"three and four", false}, {"", true}, {"", true}} {
		if got := r.settled(look(step.write)); got != step.want {
			t.Errorf("look %d: settled %t", i, got)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if r.settled(look("")) || !r.settled(look("")) {
		t.Error("another mode is no change")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if r.settled(look("")) || !r.settled(look("")) {
		t.Error("that a file is gone is no change")
	}
}

// Orchestrators lead a link elsewhere and leave the files as they are: that is a change.
func TestLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "now", "porterhouse.yaml")
	for _, version := range []string{"one", "two"} {
		must(os.Mkdir(filepath.Join(dir, version), 0o700))
		must(os.WriteFile(filepath.Join(dir, version, "porterhouse.yaml"), []byte("{}"), 0o600))
	}
	must(os.Symlink("one", filepath.Join(dir, "now")))
	r := &reloader{read: stampsOf([]string{file})}
	if r.settled(stampsOf([]string{file})) {
		t.Error("nothing has changed")
	}
	must(os.Symlink("two", filepath.Join(dir, "next")))
	must(os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "now")))
	if r.settled(stampsOf([]string{file})) || !r.settled(stampsOf([]string{file})) {
		t.Error("the link leads elsewhere, and nobody notices")
	}
}

// Whoever has guessed too often has done so after a reload as well, at each door.
func TestReloadForgivesNoGuesses(t *testing.T) {
	r := startRig(t)
	guess := func() int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.server.config.ClickHouseHTTP.Listen+"/?query=SELECT+1", nil)
		r.must(err)
		request.Header.Set("Authorization", "Bearer ph_wrong")
		response, err := http.DefaultClient.Do(request)
		r.must(err)
		r.must(response.Body.Close())
		return response.StatusCode
	}
	r.until("there were too many guesses", func() bool { return guess() == http.StatusTooManyRequests })
	r.write("porterhouse.yaml", rigConfig+"limits: {rows: 5}\n")
	r.reload()
	few := 0
	for few < 30 && guess() != http.StatusTooManyRequests { // as some are forgiven in time
		few++
	}
	if few == 30 {
		t.Error("after a reload, guesses begin anew")
	}

	_, s := serveSignIn(t, nil)
	before := s.process.generation.Load()
	_, err := s.turn(before.config, func() error { return nil })
	r.must(err)
	if now := s.process.generation.Load(); now == before || now.signIn.Limits != before.signIn.Limits || now.tokens.Limits != before.tokens.Limits {
		t.Error("the limits of signing in are new")
	}
}
