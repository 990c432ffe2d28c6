package mcpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
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
)

// engine is the ClickHouse that the tests of this package share. It starts with
// the first test that needs it.
var engine struct {
	once    sync.Once
	server  *sandbox.Server
	gateway sandbox.Gateway
	main    sandbox.WholeRun
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := engine.main.End(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// shop is the data of the tests. Alice reads shop, Bob one column of it and the
// rows of the table teams that are his.
var shop = []string{
	"CREATE DATABASE shop COMMENT 'What the shop sells, and to whom'",
	`CREATE TABLE shop.orders (
		id UInt64 COMMENT 'order number', customerName String COMMENT 'who bought', price Decimal(18, 2),
		state Enum8('new' = 1, 'paid' = 2), created_at DateTime('UTC') COMMENT 'when the order came'
	) ENGINE = MergeTree PARTITION BY toYYYYMM(created_at) PRIMARY KEY id ORDER BY (id, created_at) COMMENT 'One row per order'`,
	"INSERT INTO shop.orders SELECT number, concat('customer ', number % 7), number / 3, 1 + number % 2, toDateTime('2026-01-01 00:00:00', 'UTC') + number FROM numbers(1000)",
	"CREATE TABLE shop.payroll (name String, salary UInt32) ENGINE = MergeTree ORDER BY name COMMENT 'Nobody but the owner reads this'",
	"INSERT INTO shop.payroll VALUES ('eve', 1)",
	"CREATE TABLE shop.teams (team String, tokens UInt64) ENGINE = MergeTree ORDER BY team COMMENT 'Daily token usage by team'",
	"INSERT INTO shop.teams VALUES ('alice', 10), ('bob', 20)",
	"CREATE ROW POLICY own ON shop.teams USING team = currentUser() TO bob",
	"CREATE ROW POLICY every ON shop.teams USING 1 TO alice",
	"CREATE DATABASE vault COMMENT 'for the owner'",
	"CREATE TABLE vault.orderss (id UInt64) ENGINE = MergeTree ORDER BY id",
	"CREATE VIEW shop.slow AS SELECT number FROM numbers(1200) WHERE NOT ignore(sleepEachRow(0.05)) SETTINGS max_block_size = 1",
	"CREATE VIEW shop.slow_start AS SELECT count() AS n FROM numbers(1200) WHERE NOT ignore(sleepEachRow(0.05)) SETTINGS max_block_size = 1",
	"GRANT SELECT ON shop.slow_start TO alice",
	"CREATE VIEW shop.fuse AS SELECT repeat('x', 10000) AS text, throwIf(number = 400, 'the fuse blew') FROM numbers(1000) SETTINGS max_block_size = 50",
	"GRANT SELECT ON shop.fuse TO alice",
	"GRANT SELECT ON shop.orders TO alice", "GRANT SELECT ON shop.slow TO alice, bob", "GRANT SELECT ON shop.teams TO alice, bob", "GRANT SELECT(id) ON shop.orders TO bob",
}

// startEngine starts the shared ClickHouse once.
func startEngine() (*sandbox.Server, sandbox.Gateway) {
	engine.once.Do(func() {
		tb := &engine.main
		engine.server = sandbox.ForTest(tb, sandbox.Options{})
		gateway, err := engine.server.AddPeople(tb.Context())
		if err != nil {
			tb.Fatalf("%v", err)
		}
		for _, sql := range shop {
			if err := engine.server.Exec(tb.Context(), sql); err != nil {
				tb.Fatalf("%s: %v", sql, err)
			}
		}
		engine.gateway = gateway
	})
	return engine.server, engine.gateway
}

// house is our door before the real gate, audit log and ClickHouse.
type house struct {
	*Server
	url     string
	sandbox *sandbox.Server
	audit   string // the file of record
	record  *audit.Log
	logged  *lockedBuffer
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

// houseLimits are the gate's limits in these tests.
var houseLimits = porterhouse.Limits{Rows: 5_000, Bytes: 8 << 20, Time: 60 * time.Second, Memory: 1 << 30}

// newGate makes the gate of a house: to the cluster main, and to what clusters makes of it.
func (h *house) newGate(t testing.TB, clusters func(main gate.Cluster) map[string]gate.Cluster) *gate.Gate {
	t.Helper()
	server, gateway := startEngine()
	client, err := clickhouse.New(clickhouse.Config{URL: server.HTTP, User: gateway.User, Password: porterhouse.NewSecret(gateway.Password)})
	check(t, err)
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	check(t, err)
	people, err := directory.New(directory.Config{
		Directories: []directory.Rules{{UserName: "{localpart}", Domains: []string{"example.com"}, LocalUsers: []string{"*"}}},
		Store:       store,
	})
	check(t, err)
	inside := gate.Door{Limits: houseLimits, Queue: gate.Queue{Running: 64, Waiting: 64, Wait: 30 * time.Second}}
	g, err := gate.New(gate.Config{
		Clusters: clusters(gate.Cluster{Client: clickhouse.Alone(client), Directory: people, Doors: map[string]gate.Door{Door: inside, StdioDoor: inside}}),
		Audit:    h.record, People: &gate.People{},
	})
	check(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		check(t, client.Close(ctx))
	})
	return g
}

// newHouse puts a house together; change may alter the door's Config.
func newHouse(t testing.TB, change ...func(*Config)) *house {
	t.Helper()
	return newHouseOf(t, func(main gate.Cluster) map[string]gate.Cluster { return map[string]gate.Cluster{"main": main} }, change...)
}

// newHouseOf puts a house of several clusters together.
func newHouseOf(t testing.TB, clusters func(main gate.Cluster) map[string]gate.Cluster, change ...func(*Config)) *house {
	t.Helper()
	server, _ := startEngine()
	h := &house{sandbox: server, logged: &lockedBuffer{}, audit: filepath.Join(t.TempDir(), "audit.jsonl")}
	var err error
	h.record, err = audit.Open(audit.Config{Path: h.audit, Key: porterhouse.NewSecret(strings.Repeat("k", 32))})
	check(t, err)
	t.Cleanup(func() { check(t, h.record.Close()) })
	c := Config{
		Gate: h.newGate(t, clusters), Verify: verify, Clusters: []string{"main"},
		Scopes: []string{"clickhouse:read"}, LacksScope: func(err error) bool { return errors.Is(err, errScope) },
		ResourceMetadata: "https://porterhouse.example.com/.well-known/oauth-protected-resource/mcp",
		HintTime:         time.Minute, // on a busy machine
		LookupTime:       time.Minute,
		SampleTime:       time.Minute,
		Log:              slog.New(slog.NewTextHandler(h.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&c)
	}
	if c.State == nil {
		c.State = NewState(StateConfig{Version: "test", Log: c.Log})
	}
	h.Server, err = New(c)
	check(t, err)
	web := httptest.NewServer(h.Server)
	h.url = web.URL + "/mcp"
	t.Cleanup(func() {
		h.state.Close()
		web.Close()
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

// slowSQL runs for a minute; name is where it can be found again.
func slowSQL(name string) string {
	return "SELECT '" + name + "', count() FROM shop.slow"
}

// waitFor waits until a statement with this name runs in ClickHouse, or none does.
func (h *house) waitFor(t testing.TB, name string, runs bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("statement %s runs: %t", name, runs), func() bool {
		got, err := h.sandbox.Text(t.Context(), "SELECT count() FROM system.processes WHERE position(query, '"+name+"') > 0 AND position(query, 'system.processes') = 0")
		check(t, err)
		return (strings.TrimSpace(got) != "0") == runs
	})
}

// eventually waits for a condition that must come true; how long it may take is
// no part of the test.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// exec runs statements as the admin.
func (h *house) exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if err := h.sandbox.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}
