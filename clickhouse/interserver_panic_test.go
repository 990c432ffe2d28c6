package clickhouse_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/blocks"
	"porterhouse/clickhouse"
)

// panicking is data whose source is broken.
type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("the source of the data is broken") }

// A panic in one statement takes no place from the others: there is one place here.
func TestInterserverGivesBackAfterAPanic(t *testing.T) {
	h := openCluster(t, func(c *clickhouse.Config) { c.MaxConnections = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	goesOn := func(after string) {
		t.Helper()
		if r, err := read(ctx, h.Client, account(t, "bob"), question("SELECT 1")); err != nil || r.Text != "1\n" {
			t.Fatalf("%s: %q, %v", after, r.Text, err)
		}
		if n := h.Stats().Running; n != 0 {
			t.Fatalf("%s: %d statements are counted as running", after, n)
		}
	}

	t.Run("while the answer is read", func(t *testing.T) {
		q := passing("SELECT sum(sleepEachRow(0.02)) FROM numbers(50) SETTINGS max_block_size = 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Progress = func(string) { panic("whoever is told of the progress is broken") }
		})
		_, err := pass(ctx, h.Client, account(t, "alice"), q)
		if kind, public := porterhouse.Explain(err); kind != porterhouse.Internal || !strings.Contains(public, "report this") || strings.Contains(public, "broken") {
			t.Errorf("%v, %q", err, public)
		}
		goesOn("a panic while the answer is read")
	})
	t.Run("before it is sent", func(t *testing.T) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("there was no panic")
				}
			}()
			q := writing("INSERT INTO app.t FORMAT CSV", io.MultiReader(strings.NewReader("1,a\n"), panicking{}), -1)
			q.Class.Verb, q.Class.Data = "INSERT", true
			_, _ = pass(ctx, h.Client, account(t, "alice"), q)
		}()
		goesOn("a panic before the statement is sent")
	})
	t.Run("a value that has no place", func(t *testing.T) {
		const sql = "SELECT CAST([NULL, toFixedString('a', 1100000), toFixedString('b', 1100000)], 'Dynamic(max_types=0)')"
		r, err := read(ctx, h.Client, account(t, "alice"), question(sql))
		if err != nil || !strings.HasPrefix(r.Text, "[NULL,'a") || len(r.Text) < 2*1100000 {
			t.Errorf("%d bytes, %v", len(r.Text), err)
		}
		goesOn("a value that needed more memory than its NULL had")
	})
}

// What an answer takes of our memory is bounded, and who asks hears what can be done.
func TestInterserverBoundsMemory(t *testing.T) {
	h := openCluster(t)
	for _, sql := range []string{
		"SELECT arrayStringConcat(arrayMap(x -> repeat('x', 1000000), range(240)))",
		"SELECT repeat('x', 1000000) FROM numbers(240)",
		"SELECT repeat('x', 1000000) FROM numbers(80)", // see below
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := read(t.Context(), h.Client, account(t, "alice"), question(sql))
		runtime.ReadMemStats(&after)
		if kind, public := porterhouse.Explain(err); kind != porterhouse.Limited || !strings.Contains(public, "max_block_size") {
			t.Errorf("%s: %v", sql, err)
		}
		if taken := (after.TotalAlloc - before.TotalAlloc) >> 20; taken > 400 { // most of it was let go of while the block grew
			t.Errorf("%s: %d MiB of memory were taken", sql, taken)
		}
	}
	for range 8 { // which is more than the room, together
		if r, err := read(t.Context(), h.Client, account(t, "alice"), question("SELECT repeat(repeat('x', 300000), 100)")); err != nil || len(r.Text) != 30_000_001 {
			t.Fatalf("one after the other: %d bytes, %v", len(r.Text), err)
		}
	}
	if r, err := read(t.Context(), h.Client, account(t, "alice"), question("SELECT repeat('x', 1000000) FROM numbers(80) SETTINGS max_block_size = 10")); err != nil || len(r.Text) != 80*1000001 {
		t.Errorf("in small blocks: %d bytes, %v", len(r.Text), err)
	}
}

// Many large answers at once are told to wait, before they take all memory there is: those
// of another cluster as well.
func TestInterserverSharesItsRoom(t *testing.T) {
	room := blocks.NewRoom(40 << 20)
	h := openCluster(t, func(c *clickhouse.Config) { c.Room = room })
	other := openCluster(t, func(c *clickhouse.Config) { c.Room = room })
	large := question("SELECT repeat(repeat('x', 100000), 100)")
	if r, err := read(t.Context(), other.Client, account(t, "bob"), large); err != nil || len(r.Text) != 10_000_001 {
		t.Errorf("alone: %d bytes, %v", len(r.Text), err)
	}
	large.ID += "-1"
	open, err := h.Query(t.Context(), account(t, "alice"), large)
	if err != nil {
		t.Fatal(err)
	}
	large.ID += "-2"
	for name, client := range map[string]*clickhouse.Client{"the same cluster": h.Client, "another one": other.Client} {
		_, err = read(t.Context(), client, account(t, "bob"), large)
		refused, ok := errors.AsType[*porterhouse.Error](err)
		if !ok || refused.Kind != porterhouse.Limited || refused.RetryAfter == 0 {
			t.Errorf("beside another answer, at %s: %v", name, err)
		}
		if r, err := read(t.Context(), client, account(t, "bob"), question("SELECT 1")); err != nil || r.Text != "1\n" {
			t.Errorf("a small one, at %s: %q, %v", name, r.Text, err)
		}
	}
	if err := open.Body.Close(); err != nil {
		t.Error(err)
	}
	if r, err := read(t.Context(), other.Client, account(t, "bob"), large); err != nil || len(r.Text) != 10_000_001 {
		t.Errorf("afterwards: %d bytes, %v", len(r.Text), err)
	}
}
