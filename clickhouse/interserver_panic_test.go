package clickhouse_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"porterhouse"
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
