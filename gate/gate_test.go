package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/kv"
	"porterhouse/sandbox"
)

// alice is somebody whom an identity room proved.
var alice = porterhouse.Principal{Issuer: "test", Subject: "alice", User: "alice@example.com", Client: "a test"}

// house is a gate with a real ClickHouse behind it and a real record.
type house struct {
	*Gate
	db     *sandbox.Server
	record *audit.Log
	file   string
	people People

	gateway sandbox.Gateway
}

func newHouse(t *testing.T, change func(*Config)) *house {
	t.Helper()
	h := &house{db: sandbox.ForTest(t, sandbox.Options{}), file: filepath.Join(t.TempDir(), "audit.jsonl")}
	gateway, err := h.db.AddPeople(t.Context())
	check(t, err)
	h.gateway = gateway
	client, err := clickhouse.New(clickhouse.Config{URL: h.db.HTTP, User: gateway.User, Password: porterhouse.NewSecret(gateway.Password)})
	check(t, err)
	t.Cleanup(func() { check(t, client.Close(context.Background())) })
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	check(t, err)
	people, err := directory.New(directory.Config{
		Directories: []directory.Rules{{UserName: "{localpart}", Domains: []string{"example.com"}, LocalUsers: []string{"*"}}},
		Gateway:     gateway.User, Store: store,
	})
	check(t, err)
	h.record, err = audit.Open(audit.Config{Path: h.file, Key: porterhouse.NewSecret(strings.Repeat("k", 32))})
	check(t, err)
	t.Cleanup(func() { check(t, h.record.Close()) })
	c := Config{
		Clusters: map[string]Cluster{"main": {Client: clickhouse.Alone(client), Directory: people, Doors: map[string]Door{"test": {
			Limits: porterhouse.Limits{Rows: 100, Bytes: 1 << 20, Time: 10 * time.Second, Memory: 1 << 30},
			Queue:  Queue{Running: 2, Waiting: 1, Wait: time.Minute},
		}}}},
		Audit:  h.record,
		People: &h.people,
	}
	if change != nil {
		change(&c)
	}
	h.Gate, err = New(c)
	check(t, err)
	return h
}

// inside changes the door of the house.
func inside(change func(d *Door)) func(*Config) {
	return func(c *Config) {
		d := c.Clusters["main"].Doors["test"]
		change(&d)
		c.Clusters["main"].Doors["test"] = d
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask runs sql as who and returns the whole answer.
func (h *house) ask(who porterhouse.Principal, sql string) (string, error) {
	answer, err := h.Query(context.Background(), who, question(sql))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(answer.Body)
	return string(text), errors.Join(err, answer.Body.Close())
}

func question(sql string) porterhouse.Query {
	return porterhouse.Query{SQL: sql, Format: porterhouse.TSVRows, Via: porterhouse.Via{Entry: porterhouse.Entry{Cluster: "main", Door: "test"}, Tool: "query"}}
}

// logged is what a question about a log says, once it says something: the last line of a
// statement is written after its answer.
func (h *house) logged(t *testing.T, sql string) string {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		check(t, h.db.Exec(t.Context(), "SYSTEM FLUSH LOGS"))
		said, err := h.db.Text(t.Context(), sql)
		check(t, err)
		if said != "" || time.Now().After(end) {
			return said
		}
	}
}

// asked reports whether ClickHouse was asked anything that holds the mark.
func (h *house) asked(t *testing.T, mark string) bool {
	t.Helper()
	check(t, h.db.Exec(t.Context(), "SYSTEM FLUSH LOGS"))
	n, err := h.db.Text(t.Context(), "SELECT count() FROM system.query_log WHERE query LIKE '%"+mark+"%' AND user != 'default'")
	check(t, err)
	return n != "0"
}

// The steps of a question: what fails one of them never reaches ClickHouse.
func TestWhatNeverReachesClickHouse(t *testing.T) {
	h := newHouse(t, inside(func(d *Door) { d.Allow = Allow{Settings: []string{"MAX_threads"}} }))
	nobody := alice
	nobody.User = "eve@evil.com"
	elsewhere := question("SELECT 'mark_cluster'")
	elsewhere.Via.Cluster = "other"
	parameter := question("SELECT 'mark_parameter'")
	parameter.Params = map[string]string{"a&user=default": "1"}
	database := question("SELECT 'mark_database'")
	database.Database = strings.Repeat("d", maxDatabase+1)
	for name, c := range map[string]struct {
		who  porterhouse.Principal
		q    porterhouse.Query
		kind porterhouse.Kind
		at   int
	}{
		"a write":           {alice, question("CREATE TABLE scratch.mark_write (a Int8) ENGINE = Memory"), porterhouse.Refused, 1},
		"nothing":           {alice, question("/* mark_nothing */"), porterhouse.Invalid, 1},
		"a format":          {alice, question("SELECT 'mark_format' FORMAT JSON"), porterhouse.Invalid, 22},
		"a guarded setting": {alice, question("SELECT 'mark_setting' SETTINGS readonly = 0"), porterhouse.Refused, 32},
		"a function":        {alice, question("SELECT file('mark_function')"), porterhouse.Refused, 8},
		"too long":          {alice, question("SELECT 'mark_long" + strings.Repeat("x", maxSQL) + "'"), porterhouse.Invalid, 0},
		"no account":        {nobody, question("SELECT 'mark_account'"), porterhouse.Refused, 0},
		"nobody at all":     {porterhouse.Principal{}, question("SELECT 'mark_nobody'"), porterhouse.Unauthenticated, 0},
		"another cluster":   {alice, elsewhere, porterhouse.Denied, 0},
		"an odd parameter":  {alice, parameter, porterhouse.Invalid, 0},
		"a long database":   {alice, database, porterhouse.Invalid, 0},
	} {
		_, err := h.Query(t.Context(), c.who, c.q)
		var e *porterhouse.Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.At != c.at {
			t.Errorf("%s: %v; want kind %s at %d", name, err, c.kind, c.at)
		}
	}
	if h.asked(t, "mark_") {
		t.Error("ClickHouse was asked what had been refused")
	}
	if s := h.record.Stats(); s.Refusals != 11 || s.Questions != 0 {
		t.Errorf("the record has %d refusals and %d questions, want 11 and none", s.Refusals, s.Questions)
	}
	// The setting that the operator allows passes, in any case.
	if text, err := h.ask(alice, "SELECT currentUser() SETTINGS max_threads = 1"); err != nil || text != "alice\n" {
		t.Errorf("an allowed setting: %q, %v", text, err)
	}
}

// No record, no query.
func TestNoRecordNoQuery(t *testing.T) {
	h := newHouse(t, nil)
	check(t, h.record.Close())
	if _, err := h.ask(alice, "SELECT 'mark_unrecorded'"); err == nil || !strings.Contains(err.Error(), "nothing was asked") {
		t.Errorf("without a record: %v", err)
	}
	if h.asked(t, "mark_unrecorded") {
		t.Error("ClickHouse was asked without a record")
	}
	if s := h.people.Stats(); s != (PeopleStats{}) {
		t.Errorf("a place is still taken: %+v", s)
	}
}

// A limit that is asked for never widens the gate's own.
func TestLimitsAreTightened(t *testing.T) {
	h := newHouse(t, nil)
	for asked, want := range map[int64]int{0: 100, 7: 7, 1000: 100, -5: 100} {
		q := question("SELECT number FROM numbers(100000)")
		q.Limits.Rows = asked
		answer, err := h.Query(t.Context(), alice, q)
		check(t, err)
		text, err := io.ReadAll(answer.Body)
		check(t, err)
		check(t, answer.Body.Close())
		if rows := strings.Count(string(text), "\n"); rows != want || answer.Summary().Cut != porterhouse.CutRows {
			t.Errorf("asked for %d rows, got %d, cut %q; want %d", asked, rows, answer.Summary().Cut, want)
		}
	}
}

// A person's place is taken until the statement is dead, not only until its caller
// has gone: whoever abandons statements may not pile them up.
func TestPlaceIsTakenUntilTheStatementIsDead(t *testing.T) {
	h := newHouse(t, inside(func(d *Door) { d.Queue = Queue{Running: 1, Waiting: 0, Wait: time.Minute} }))
	answer, err := h.Query(t.Context(), alice, question("SELECT number FROM numbers(10000000000)"))
	check(t, err)
	check(t, h.db.Pause()) // so that nothing can be killed
	check(t, answer.Body.Close())
	if _, err := h.ask(alice, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "most one person may have") {
		t.Errorf("with a statement that is not dead yet: %v", err)
	}
	check(t, h.db.Resume())
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := h.ask(alice, "SELECT 1")
		if err == nil && text == "1\n" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the place does not come back: %v", err)
		}
	}
}

// The closing line of the record says how it ended.
func TestRecordSaysHowItEnded(t *testing.T) {
	h := newHouse(t, nil)
	_, err := h.ask(alice, "SELECT number FROM numbers(3)")
	check(t, err)
	_, err = h.ask(alice, "SELECT throwIf(number = 100000, 'late') FROM numbers(1000000) LIMIT 100000, 1")
	if err == nil {
		t.Fatal("no error from the middle of an answer")
	}
	text, err := os.ReadFile(h.file)
	check(t, err)
	var closed []string
	for line := range strings.Lines(string(text)) {
		var l struct {
			Kind, Outcome, Error string
			Rows                 int
			Name                 string `json:"code_name"`
		}
		check(t, json.Unmarshal([]byte(line), &l))
		if l.Kind == "close" {
			closed = append(closed, fmt.Sprint(l.Outcome, " ", l.Rows, " ", l.Error, " ", l.Name))
		}
	}
	if len(closed) != 2 || closed[0] != "answered 3  " || !strings.HasPrefix(closed[1], "error ") || !strings.Contains(closed[1], "failed FUNCTION_THROW_IF_VALUE_IS_NON_ZERO") {
		t.Errorf("the record says %q", closed)
	}
}

// A check of the clusters is recorded like a question, and knows which servers
// the statement check was made for.
func TestCheck(t *testing.T) {
	h := newHouse(t, nil)
	found, err := h.Check(t.Context())
	if err != nil || found["main"].Version != h.db.Version || h.record.Stats().Questions != 1 {
		t.Errorf("found %v, %v, %d questions recorded", found, err, h.record.Stats().Questions)
	}
	check(t, h.db.Kill())
	if _, err := h.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "cluster main: unavailable") {
		t.Errorf("ClickHouse is dead: %v", err)
	}
	for version, want := range map[string]bool{
		"25.11.2.1": true, "26.7.2.1": true, "26.8.1.1": false, "27.1.1.1": false, "26.7.12.10030.altinitystable": true, "": false, "latest": false,
	} {
		if got := Reviewed(version); got != want {
			t.Errorf("Reviewed(%q) = %v", version, got)
		}
	}
}
