package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/gate"
	"porterhouse/kv"
	"porterhouse/sandbox"
	"porterhouse/statement"
)

// engine is the ClickHouse that the tests of this package share. It starts with the
// first test that needs it.
var engine struct {
	once   sync.Once
	server *sandbox.Server
	main   sandbox.WholeRun
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := engine.main.End(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// everybody is the account that everybody is in these tests, and its password.
const everybody, everybodysPassword = "everybody", "a password of ClickHouse"

// shop is the data of the tests.
var shop = []string{
	"CREATE DATABASE shop",
	"CREATE TABLE shop.orders (id UInt64, name String) ENGINE = MergeTree ORDER BY id",
	"INSERT INTO shop.orders SELECT number, concat('customer ', toString(number % 7)) FROM numbers(1000)",
	"CREATE TABLE shop.inbox (n UInt32, text String) ENGINE = MergeTree ORDER BY n",
	"CREATE VIEW shop.slow AS SELECT number FROM numbers(1200) WHERE NOT ignore(sleepEachRow(0.05)) SETTINGS max_block_size = 1",
	"CREATE VIEW shop.fuse AS SELECT repeat('x', 100000) AS text, throwIf(number = 400, 'the fuse blew') FROM numbers(1000) SETTINGS max_block_size = 10",
	"CREATE USER " + everybody + " IDENTIFIED WITH plaintext_password BY '" + everybodysPassword + "'",
	"CREATE USER paul IDENTIFIED WITH plaintext_password BY 'pw of paul'",
	"GRANT SELECT, INSERT ON shop.* TO " + everybody, "GRANT CREATE TEMPORARY TABLE ON *.* TO " + everybody,
	"GRANT SELECT(query_id, query, user) ON system.processes TO " + everybody,
	"GRANT KILL QUERY ON *.* TO " + everybody,
}

// startEngine starts the shared ClickHouse once.
func startEngine() *sandbox.Server {
	engine.once.Do(func() {
		tb := &engine.main
		engine.server = sandbox.ForTest(tb, sandbox.Options{})
		for _, sql := range shop {
			if err := engine.server.Exec(tb.Context(), sql); err != nil {
				tb.Fatalf("%s: %v", sql, err)
			}
		}
	})
	return engine.server
}

// house is our door before the real gate, audit log and ClickHouse, in the access mode
// static: what ClickHouse answers is what it answers everybody.
type house struct {
	*Server
	url    string
	db     *sandbox.Server
	audit  string // the file of record
	logged *lockedBuffer
}

// lockedBuffer is where the log of a house goes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// verify knows the tokens of these tests: token-alice is Alice's, and so on.
func verify(_ context.Context, token string) (porterhouse.Principal, error) {
	name, ok := strings.CutPrefix(token, "token-")
	if !ok || name == "" {
		return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "the token is not known")
	}
	return porterhouse.Principal{Issuer: "test", Subject: name, User: name + "@example.com", Client: "a test", Proof: "test"}, nil
}

// newGate puts everything behind the door together, before the ClickHouse at url.
func newGate(t testing.TB, url string, file string) *gate.Gate {
	t.Helper()
	record, err := audit.Open(audit.Config{Path: file, Key: porterhouse.NewSecret(strings.Repeat("k", 32))})
	check(t, err)
	client, err := clickhouse.New(clickhouse.Config{
		URL: url, User: everybody, Password: porterhouse.NewSecret(everybodysPassword), Access: clickhouse.Access{Mode: clickhouse.Static},
	})
	check(t, err)
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	check(t, err)
	people, err := directory.New(directory.Config{
		Directories: []directory.Rules{{UserName: "{localpart}", Domains: []string{"example.com"}, LocalUsers: []string{"*"}}}, Store: store,
	})
	check(t, err)
	everybodys := gate.Cluster{Client: clickhouse.Alone(client), Directory: people, Passwords: true, Deny: []string{"nobody"}, Doors: map[string]gate.Door{Door: {
		Limits: porterhouse.Limits{Time: time.Minute, Bytes: 1 << 30},
		Queue:  gate.Queue{Running: 64, Waiting: 64, Wait: 30 * time.Second},
		Pass:   gate.Pass{Writes: true, Sources: true, Format: true, Settings: statement.Unknown},
	}}}
	archive := everybodys
	archive.For = gate.For{Users: []string{"alice@example.com"}}
	g, err := gate.New(gate.Config{
		Clusters: map[string]gate.Cluster{"main": everybodys, "archive": archive},
		Audit:    record, People: &gate.People{},
	})
	check(t, err)
	t.Cleanup(func() {
		patience := 20 * time.Second
		if engine.server == nil || url != engine.server.HTTP {
			patience = 0 // nobody is there to kill anything
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := client.Close(ctx); patience > 0 {
			check(t, err)
		}
		check(t, record.Close())
	})
	return g
}

// newHouse puts a house together; change may alter the door's Config.
func newHouse(t testing.TB, change ...func(*Config)) *house {
	t.Helper()
	h := newBareHouse(t, change...)
	web := httptest.NewUnstartedServer(h.Server)
	web.Config.ErrorLog = log.New(h.logged, "", 0)
	web.Start()
	h.url = web.URL
	t.Cleanup(func() {
		web.Close()
		if strings.Contains(h.logged.String(), "panic serving") {
			t.Error("net/http tripped")
		}
	})
	return h
}

// newBareHouse is newHouse without a listener.
func newBareHouse(t testing.TB, change ...func(*Config)) *house {
	t.Helper()
	h := &house{db: startEngine(), logged: &lockedBuffer{}, audit: filepath.Join(t.TempDir(), "audit.jsonl")}
	c := Config{
		Gate: newGate(t, h.db.HTTP, h.audit), Cluster: "main", Verify: verify,
		ResourceMetadata: "https://porterhouse.example.com/.well-known/oauth-protected-resource",
		Log:              slog.New(slog.NewTextHandler(h.logged, nil)),
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	h.Server, err = New(c)
	check(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", h.logged)
		}
	})
	return h
}

// check fails the test on an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// send sends one request; head are names and values.
func (h *house) send(t testing.TB, method, target string, body io.Reader, head ...string) answer {
	t.Helper()
	return send(t, http.DefaultClient, method, h.url+target, body, head...)
}

func send(t testing.TB, client *http.Client, method, url string, body io.Reader, head ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	check(t, err)
	r.Header.Set("Accept-Encoding", "identity") // Go would unpack by itself
	for two := range slices.Chunk(head, 2) {
		r.Header.Add(two[0], two[1])
	}
	response, err := client.Do(r)
	check(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text), err}
}

// ask asks one question as Alice.
func (h *house) ask(t testing.TB, sql string) answer {
	t.Helper()
	return h.send(t, "POST", "/", strings.NewReader(sql), "Authorization", "Bearer token-alice")
}

// raw sends bytes and returns what comes back until the connection is closed, or has
// been silent for a while.
func raw(t testing.TB, url, request string) string {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	check(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, request)
	check(t, err)
	var all bytes.Buffer
	for in := bufio.NewReader(connection); ; {
		check(t, connection.SetReadDeadline(time.Now().Add(2*time.Second)))
		line, err := in.ReadString('\n')
		all.WriteString(line)
		if err != nil || line == "0\r\n" {
			return all.String()
		}
	}
}

// exec runs a statement as the admin.
func (h *house) exec(t testing.TB, sql string) {
	t.Helper()
	check(t, h.db.Exec(t.Context(), sql))
}

// text is the answer to the admin.
func (h *house) text(t testing.TB, sql string) string {
	t.Helper()
	got, err := h.db.Text(t.Context(), sql)
	check(t, err)
	return got
}

// eventually waits for a condition that must come true; how long it may take is no
// part of the test.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// running waits until a statement with this name runs in ClickHouse, or none does.
func (h *house) running(t testing.TB, name string, runs bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("statement %s runs: %t", name, runs), func() bool {
		return (h.text(t, "SELECT count() FROM system.processes WHERE position(query, '"+name+"') > 0 AND position(query, 'system.processes') = 0") != "0") == runs
	})
}
