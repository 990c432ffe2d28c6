package gate

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/statement"
)

// newBenchGate is a gate with all but a ClickHouse: what it adds to a question of its own.
func newBenchGate(b *testing.B, rules ...Rule) func() *asking {
	b.Helper()
	record, err := audit.Open(audit.Config{Path: filepath.Join(b.TempDir(), "audit.jsonl"), Key: porterhouse.NewSecret(strings.Repeat("k", 32))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = record.Close() })
	ready, err := newDoor(Door{
		Limits: porterhouse.Limits{Time: time.Minute}, Queue: Queue{10, 10, time.Second}, Rules: rules,
		Pass: Pass{Writes: true, Format: true, Settings: statement.Ordinary},
	})
	if err != nil {
		b.Fatal(err)
	}
	at := porterhouse.Entry{Cluster: "main", Door: "http"}
	g := &Gate{
		audit: record, people: &People{}, windows: NewWindows(WindowsConfig{}), doors: map[porterhouse.Entry]*door{at: &ready},
		clusters: map[string]*Cluster{"main": {Passwords: true, Deny: []string{"porterhouse"}}},
	}
	who := byPassword("alice")
	who.Groups = []string{"a", "b", "g"}
	return func() *asking {
		return &asking{gate: g, id: "01a1ffd9-66a9-77d1-800d-47ec3d98bf15", who: who, q: porterhouse.Query{
			SQL: "SELECT 1", Format: "TabSeparated", Via: porterhouse.Via{Entry: at}, Passage: &porterhouse.Passage{},
		}}
	}
}

// The gate's own share of a question: everything but the account and ClickHouse, with
// both lines of the record.
func BenchmarkQuestion(b *testing.B) {
	five := make([]Rule, 5)
	for i := range five {
		five[i] = Rule{Name: fmt.Sprint(i), Queries: 1 << 40, Bytes: 1 << 60, Window: time.Hour, Queue: Queue{10, 10, time.Second}, Per: sharers[i%4].per, Groups: []string{"g"}}
	}
	for name, rules := range map[string][]Rule{"plain": nil, "5 rules": five} {
		b.Run(name, func(b *testing.B) {
			begin := newBenchGate(b, rules...)
			b.ReportAllocs()
			for b.Loop() {
				a := begin()
				if err := a.admit(b.Context()); err != nil {
					b.Fatal(err)
				}
				leave, err := a.gate.people.enter(b.Context(), a.bounds.places...)
				if err != nil {
					b.Fatal(err)
				}
				if err := a.bounds.tab.begin(0); err != nil {
					b.Fatal(err)
				}
				entry, err := a.gate.audit.Begin(a.question())
				if err != nil {
					b.Fatal(err)
				}
				if err := entry.End(audit.Outcome{Bytes: 2, Duration: time.Millisecond}); err != nil {
					b.Fatal(err)
				}
				leave()
			}
		})
	}
}

// What the gate costs a stream that passes it.
func BenchmarkUpload(b *testing.B) {
	begin := newBenchGate(b, Rule{Name: "r", Bytes: 1 << 60, Window: time.Hour})
	chunk := strings.Repeat("1,2,3\n", 1<<14)
	buffer := make([]byte, 32<<10)
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		a := begin()
		a.q.SQL, a.q.Passage = "INSERT INTO t FORMAT CSV", &porterhouse.Passage{Data: strings.NewReader(chunk), Size: int64(len(chunk))}
		if err := a.admit(b.Context()); err != nil {
			b.Fatal(err)
		}
		if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, a.q.Passage.Data, buffer); n != int64(len(chunk)) || err != nil {
			b.Fatal(n, err)
		}
	}
}
