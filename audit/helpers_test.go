package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
)

var (
	testKey  = porterhouse.NewSecret("0123456789abcdef0123456789abcdef")
	otherKey = porterhouse.NewSecret("fedcba9876543210fedcba9876543210")
)

// config is that of a record in a directory of the test's own.
func config(t testing.TB) Config {
	t.Helper()
	return Config{Path: filepath.Join(t.TempDir(), "audit.jsonl"), Key: testKey, Replica: "gw-1", Version: "1.2.3"}
}

func mustOpen(t testing.TB, c Config) *Log {
	t.Helper()
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

var alice = porterhouse.Principal{
	Issuer: "https://idp.example.com", Subject: "00u1", User: "alice@example.com", Client: "claude-code", TokenID: "tok_7",
	Token: porterhouse.NewSecret("the-raw-token"),
}

func question(id, sql string) Question {
	return Question{
		ID: id, Who: alice, SQL: sql, Account: "alice",
		Via: porterhouse.Via{Entry: porterhouse.Entry{Cluster: "main", Door: "mcp"}, Tool: "query", Call: "call-1", Request: "req-1"},
	}
}

// ask records a whole question.
func ask(t testing.TB, l *Log, id string) {
	t.Helper()
	e, err := l.Begin(question(id, "SELECT 1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.End(Outcome{Rows: 1, Bytes: 2, Duration: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
}

// entry is a line as a reader of the record sees it.
type entry map[string]any

// entries reads the lines of files. Every one must be JSON.
func entries(t testing.TB, paths ...string) (list []entry) {
	t.Helper()
	for _, path := range paths {
		for line := range bytes.Lines(read(t, path)) {
			var e entry
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatalf("%s: %v: %s", path, err, line)
			}
			list = append(list, e)
		}
	}
	return list
}

func ofKind(list []entry, kind string) (found []entry) {
	for _, e := range list {
		if e["kind"] == kind {
			found = append(found, e)
		}
	}
	return found
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// intact verifies the whole record and fails unless nothing is wrong with it.
func intact(t testing.TB, path string) Report {
	t.Helper()
	r, err := Verify(Check{Files: []string{path}, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() {
		t.Fatalf("not intact:\n%s", r)
	}
	return r
}

// logged collects what is logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// isUnavailable fails unless err tells the caller that nothing was asked, and
// nothing else.
func isUnavailable(t testing.TB, err error) {
	t.Helper()
	var e *porterhouse.Error
	if !errors.As(err, &e) || e.Kind != porterhouse.Unavailable || !strings.Contains(e.Public, "nothing was asked") || e.Err == nil {
		t.Fatalf("want an Unavailable error that says that nothing was asked, have %v", err)
	}
}

func numbered(n int) string { return fmt.Sprintf("q-%06d", n) }
