package clickhouse_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// deaf says nothing until its end, and does not look whether its client is there:
// only a KILL stops it.
const deaf = "SELECT count() FROM numbers(300000) AS a, numbers(300000) AS b WHERE a.number * b.number % 7 = 99"

// Whoever goes away, or is out of time, leaves nothing running, in whatever way he came.
func TestModesStop(t *testing.T) {
	w := newTown(t)
	w.each(t, func(t *testing.T, way string) {
		for _, sql := range []string{silent, deaf, "INSERT INTO app.t SELECT number, '' FROM system.numbers LIMIT 1000000000"} {
			q := passing(sql, func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.Read = strings.HasPrefix(sql, "SELECT") })
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				eventually(t, "it runs", func() bool { return w.running(t, q.ID) == "1" })
				cancel()
			}()
			_, err := pass(ctx, w.ways[way], w.as(t, way, "alice"), q)
			wantError(t, err, porterhouse.Canceled, "")
			eventually(t, "gone: "+sql, func() bool { return w.running(t, q.ID) == "0" })
			<-w.ways[way].Gone(q.ID)
		}
		q := passing(deaf, func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Limits.Time = soonest })
		hurried := dial(t, w.url(way), impatient, func(c *clickhouse.Config) { c.Access = w.access(way) })
		_, err := pass(t.Context(), hurried, w.as(t, way, "alice"), q)
		wantError(t, err, porterhouse.Timeout, "within the 700ms")
		eventually(t, "out of time", func() bool { return w.running(t, q.ID) == "0" })
		for _, c := range []*clickhouse.Client{hurried, w.ways[way]} {
			if s := c.Stats(); s.KillFailures != 0 || s.Running != 0 {
				t.Errorf("the statistics are %+v", s)
			}
		}
	})
}

// access is how a way is configured, and url where.
func (w *town) access(way string) clickhouse.Access {
	switch way {
	case "static":
		return clickhouse.Access{Mode: clickhouse.Static}
	case "forward":
		return clickhouse.Access{Mode: clickhouse.Forward}
	}
	return clickhouse.Access{Mode: clickhouse.Verify, Mint: w.mint}
}

func (w *town) url(way string) string {
	if way == "forward" {
		return w.tokens
	}
	return w.HTTP
}

// Who takes the id of somebody else's statement and hangs up, stops nothing: in no
// way, and not where both are one account.
func TestQueryIDTheft(t *testing.T) {
	w := newTown(t)
	if err := w.Exec(t.Context(), "GRANT IMPERSONATE ON alice, IMPERSONATE ON bob TO "+gateway); err != nil {
		t.Fatal(err)
	}
	w.ways["execute_as"] = dial(t, w.HTTP)
	for way, mallory := range map[string]string{"verify": "alice", "static": "bob", "password": "alice", "execute_as": "bob"} {
		t.Run(way, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			q := passing(silent, nil)
			ended := make(chan error, 1)
			go func() {
				_, err := pass(ctx, w.ways[way], w.as(t, way, "alice"), q)
				ended <- err
			}()
			eventually(t, "alice's statement runs", func() bool { return w.running(t, q.ID) == "1" })
			theft := passing("SELECT 1", func(stolen *porterhouse.Query, _ *porterhouse.Passage) { stolen.ID = q.ID })
			theft.Comment = `{"rid":"another"}`
			for range 20 { // hung up on before, and after, ClickHouse refused it
				hasty, hangUp := context.WithTimeout(t.Context(), time.Millisecond)
				_, err := pass(hasty, w.ways[way], w.as(t, way, mallory), theft)
				hangUp()
				_ = err // whatever it is
			}
			got, err := w.ask(t, way, mallory, theft)
			if err != nil || got.Status != http.StatusInternalServerError || !strings.Contains(got.Text, "already running") {
				t.Errorf("%d %q, %v", got.Status, got.Text, err)
			}
			<-w.ways[way].Gone(q.ID)
			select {
			case err := <-ended:
				t.Fatalf("alice's statement was stopped: %v", err)
			default:
			}
			if n := w.running(t, q.ID); n != "1" {
				t.Errorf("%s of alice's statement run", n)
			}
			cancel()
			<-ended
			eventually(t, "alice's own leaving stops it", func() bool { return w.running(t, q.ID) == "0" })
		})
	}
}

// Without an account of the gateway's, and without grants, a statement is stopped as
// far as ClickHouse itself does; that more cannot be done is said once, with a remedy.
func TestNobodyMayKill(t *testing.T) {
	w := newTown(t)
	log := &logged{}
	c := dial(t, w.HTTP, w.verify, log.into, func(c *clickhouse.Config) { c.User, c.Password = "", porterhouse.Secret{} })
	if found, err := c.Check(t.Context(), ""); err != nil || found.Version != "" {
		t.Errorf("Check: %+v, %v", found, err)
	}
	for range 2 {
		answer, err := c.Query(t.Context(), account(t, "alice"), passing(talkative, nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "ClickHouse sees that the client is away", func() bool {
		n, err := w.Text(t.Context(), "SELECT count() FROM system.processes WHERE user = 'alice'")
		return err == nil && n == "0"
	})
	eventually(t, "both kills failed", func() bool { return c.Stats().KillFailures == 2 })
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "GRANT KILL QUERY ON *.*") {
		t.Errorf("the log says %s", text)
	}

	// With the grant, the person herself stops it.
	if err := w.Exec(t.Context(), "GRANT SELECT(query, query_id, user, Settings) ON system.processes TO alice"); err != nil {
		t.Fatal(err)
	}
	q := passing(deaf, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		eventually(t, "it runs", func() bool { return w.running(t, q.ID) == "1" })
		cancel()
	}()
	_, err := pass(ctx, c, account(t, "alice"), q)
	wantError(t, err, porterhouse.Canceled, "")
	eventually(t, "gone", func() bool { return w.running(t, q.ID) == "0" })
}

// ClickHouse hides secrets in the texts that it lists; whose the statement is can
// still be told, whatever the name.
func TestKillOfHiddenText(t *testing.T) {
	const name = `o'b\é" x`
	h := open(t)
	quoted := clickhouse.QuoteName(name)
	for _, sql := range []string{"CREATE USER " + quoted, "GRANT IMPERSONATE ON " + quoted + " TO " + gateway, "GRANT SELECT ON system.numbers TO " + quoted} {
		if err := h.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	q := question("SELECT number, sleepEachRow(0.001), encrypt('aes-128-ecb', 'text', 'sixteen letters.') FROM numbers(60000) SETTINGS max_block_size = 10")
	q.Limits.Rows = 10
	r, err := read(t.Context(), h.Client, account(t, name), q)
	if err != nil || r.Summary.Cut != porterhouse.CutRows {
		t.Fatal(r, err)
	}
	eventually(t, "gone", func() bool {
		n, err := h.Text(t.Context(), "SELECT count() FROM system.processes WHERE query_id = '"+q.ID+"'")
		return err == nil && n == "0"
	})
	<-h.Gone(q.ID)
	if s := h.Stats(); s.KillFailures != 0 {
		t.Errorf("the statistics are %+v", s)
	}
}

// An answer has no more bytes than it may, and ends the statement then.
func TestModesLimitBytes(t *testing.T) {
	w := newTown(t)
	w.each(t, func(t *testing.T, way string) {
		q := passing("SELECT number FROM system.numbers", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Limits.Bytes = 100_000 })
		answer, err := w.ways[way].Query(t.Context(), w.as(t, way, "alice"), q)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, answer.Body)
		wantError(t, err, porterhouse.Limited, "100000 bytes")
		if n != 100_000 || answer.Summary().Cut != porterhouse.CutBytes {
			t.Errorf("%d bytes, %+v", n, answer.Summary())
		}
		eventually(t, "gone", func() bool { return w.running(t, q.ID) == "0" })
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The client's own limit on time holds when it is tighter, and only then.
func TestModesLimitTime(t *testing.T) {
	w := newTown(t)
	for asked, want := range map[string]string{"": "0\n", "5": "5\n", "2.5": "2.5\n", "0": "30\n", "-1": "30\n", "1e9": "30\n", "inf": "30\n", "30.001": "30\n"} {
		q := passing("SELECT getSetting('max_execution_time')", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			if asked != "" {
				p.Settings = []porterhouse.Setting{{Name: "max_execution_time", Value: "1"}, {Name: "max_execution_time", Value: asked}}
			}
		})
		got, err := w.ask(t, "verify", "alice", q)
		if err != nil || got.Status == http.StatusOK != (want != "") || want != "" && got.Text != want {
			t.Errorf("%q: %d %q, %v", asked, got.Status, got.Text, err)
		}
	}
	q := passing("SELECT sleepEachRow(0.01) FROM numbers(1000) SETTINGS max_block_size = 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
		p.Settings = []porterhouse.Setting{{Name: "max_execution_time", Value: "0.2"}}
		p.Options = []porterhouse.Setting{{Name: "wait_end_of_query", Value: "1"}}
	})
	w.says(t, "verify", "alice", q, 408, "(TIMEOUT_EXCEEDED)")
}
