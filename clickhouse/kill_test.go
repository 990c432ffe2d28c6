package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// Long statements: one that says nothing until its end, one that says a lot.
const (
	silent    = "SELECT sum(sleepEachRow(0.05)) FROM numbers(1200) SETTINGS max_block_size = 1"
	talkative = "SELECT number, sleepEachRow(0.001) FROM numbers(60000) SETTINGS max_block_size = 10"
)

// Whatever makes an answer end early ends the statement in ClickHouse too.
func TestKill(t *testing.T) {
	h := open(t, func(c *clickhouse.Config) { c.MaxConnections = 1 })
	for what, test := range map[string]struct {
		sql  string
		rows int64
		// leave waits for the answer and goes away; it returns the error of it.
		leave func(ctx context.Context, cancel context.CancelFunc, ask func() (*porterhouse.Answer, error)) error
		kind  porterhouse.Kind
		cut   porterhouse.Cut
	}{
		"canceled before the first byte": {silent, 0, func(ctx context.Context, cancel context.CancelFunc, ask func() (*porterhouse.Answer, error)) error {
			go func() {
				h.waitRunning(t, silent)
				cancel()
			}()
			_, err := ask()
			return err
		}, porterhouse.Canceled, ""},
		"canceled while reading": {talkative, 0, func(ctx context.Context, cancel context.CancelFunc, ask func() (*porterhouse.Answer, error)) error {
			answer, err := ask()
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			cancel()
			_, err = io.Copy(io.Discard, answer.Body)
			return err
		}, porterhouse.Canceled, porterhouse.CutCaller},
		"canceled while nobody reads": {talkative, 0, func(ctx context.Context, cancel context.CancelFunc, ask func() (*porterhouse.Answer, error)) error {
			answer, err := ask()
			if err != nil {
				return err
			}
			cancel()
			h.waitGone(t, talkative)
			_, err = io.Copy(io.Discard, answer.Body)
			return err
		}, porterhouse.Canceled, porterhouse.CutCaller},
		"closed": {talkative, 0, func(ctx context.Context, cancel context.CancelFunc, ask func() (*porterhouse.Answer, error)) error {
			answer, err := ask()
			if err != nil {
				return err
			}
			if err := answer.Body.Close(); err != nil {
				t.Error(err)
			}
			_, err = answer.Body.Read(make([]byte, 1))
			return err
		}, porterhouse.Canceled, porterhouse.CutCaller},
		"cut": {talkative, 10, func(ctx context.Context, cancel context.CancelFunc, ask func() (*porterhouse.Answer, error)) error {
			answer, err := ask()
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, answer.Body)
			return err
		}, "", porterhouse.CutRows},
	} {
		t.Run(what, func(t *testing.T) {
			kills := h.Stats().Kills
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			q := question(test.sql)
			q.Limits = porterhouse.Limits{Time: time.Minute, Rows: test.rows}
			var answer *porterhouse.Answer
			err := test.leave(ctx, cancel, func() (a *porterhouse.Answer, err error) {
				a, err = h.Query(ctx, account(t, "alice"), q)
				answer = a
				return a, err
			})
			left := time.Now()
			if kind, _ := porterhouse.Explain(err); err != nil && kind != test.kind || err == nil && test.kind != "" {
				t.Errorf("the error is %v, want %q", err, test.kind)
			}
			if answer != nil && answer.Summary().Cut != test.cut {
				t.Errorf("the summary is %+v, want cut %q", answer.Summary(), test.cut)
			}
			h.waitGone(t, test.sql)
			t.Logf("dead %v later", time.Since(left).Round(time.Millisecond))
			if s := h.Stats(); s.Kills != kills+1 || s.KillFailures != 0 || s.Running != 0 {
				t.Errorf("the statistics are %+v", s)
			}
		})
	}
}

// processes counts the statements with that text that run now.
func (h *house) processes(t testing.TB, sql string) string {
	t.Helper()
	n, err := h.Text(context.Background(), "SELECT count() FROM system.processes WHERE user != '"+h.User+"' AND endsWith(query, '"+strings.ReplaceAll(sql[len("SELECT"):], "'", `\'`)+"')")
	if err != nil {
		t.Error(err)
	}
	return n
}

func (h *house) waitRunning(t testing.TB, sql string) {
	t.Helper()
	eventually(t, "running: "+sql, func() bool { return h.processes(t, sql) == "2" }) // the outer and the inner one
}

func (h *house) waitGone(t testing.TB, sql string) {
	t.Helper()
	eventually(t, "gone: "+sql, func() bool { return h.processes(t, sql) == "0" })
}

// A KILL gets through when people have taken all connections.
func TestKillIsNotStarved(t *testing.T) {
	h := open(t, func(c *clickhouse.Config) { c.MaxConnections = 1 })
	first, second := strings.Replace(silent, "1200", "1201", 1), strings.Replace(silent, "1200", "1202", 1)
	var people sync.WaitGroup
	ask := func(sql string) context.CancelFunc {
		ctx, cancel := context.WithCancel(t.Context())
		people.Go(func() {
			q := question(sql)
			q.Limits.Time = time.Minute
			_, err := read(ctx, h.Client, account(t, "alice"), q)
			wantError(t, err, porterhouse.Canceled, "")
		})
		return cancel
	}
	leaveFirst := ask(first)
	h.waitRunning(t, first)
	leaveSecond := ask(second) // waits for the connection, and then keeps it
	eventually(t, "somebody waits", func() bool { return h.Stats().Running == 2 })
	leaveFirst()
	h.waitRunning(t, second)
	h.waitGone(t, first)
	if n := h.processes(t, second); n != "2" {
		t.Errorf("%s of the second statement's two run; it was to hold the connection", n)
	}
	leaveSecond()
	people.Wait()
	h.waitGone(t, second)
}

// KILL is repeated until ClickHouse has known the statement and does not know it
// any more: the first ones may come too early, and the next too early to see its end.
func TestKillIsRepeated(t *testing.T) {
	t.Parallel()
	w := serve(t, func(_ net.Conn, _ *http.Request, end <-chan struct{}) bool { <-end; return false })
	ctx, cancel := context.WithCancel(t.Context())
	q := question("SELECT 1")
	known := []bool{false, false, true, true, false}
	var asked []string
	w.kill = func(sql string) string {
		asked = append(asked, sql)
		if n := len(asked); n <= len(known) && known[n-1] {
			return "waiting\t" + q.ID + "\tgateway\tEXECUTE AS\n"
		}
		return ""
	}
	go func() {
		eventually(t, "the statement arrives", func() bool { return w.requests.Load() == 1 })
		cancel()
	}()
	_, err := read(ctx, w.Client, account(t, "alice"), q)
	wantError(t, err, porterhouse.Canceled, "")
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(asked) != len(known) {
		t.Errorf("%d KILLs, want %d", len(asked), len(known))
	}
	if want := "KILL QUERY WHERE query_id = '" + q.ID + "' AND user = '" + gateway + `' AND startsWith(query, 'EXECUTE AS \'alice\' ') ASYNC`; asked[0] != want {
		t.Errorf("%s; want %s", asked[0], want)
	}
	if s := w.Stats(); s.KillFailures != 0 || s.Kills != 1 {
		t.Errorf("the statistics are %+v", s)
	}
}

// However early people leave, nothing stays behind: neither in ClickHouse nor here.
func TestKillStorm(t *testing.T) {
	h := open(t)
	var people sync.WaitGroup
	for i := range 100 {
		people.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
			defer cancel()
			if _, err := read(ctx, h.Client, account(t, "alice"), question(silent)); err == nil {
				t.Error("an answer to a statement that takes a minute")
			}
		})
	}
	people.Wait()
	h.waitGone(t, silent)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := h.Client.Close(ctx); err != nil {
		t.Error(err)
	}
	if n := h.processes(t, silent); n != "0" {
		t.Errorf("%s statements run after Close", n)
	}
	if s := h.Stats(); s.KillFailures != 0 || s.Running != 0 {
		t.Errorf("the statistics are %+v", s)
	}
	_, err := h.Query(t.Context(), account(t, "alice"), question("SELECT 1"))
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Unavailable {
		t.Errorf("after Close: %v", err)
	}
}

// A KILL that cannot work is said, counted, and not repeated for ever.
func TestKillNotGranted(t *testing.T) {
	h := open(t)
	if err := h.Exec(t.Context(), "REVOKE SELECT(query, query_id, user) ON system.processes FROM "+gateway); err != nil {
		t.Fatal(err)
	}
	q := question(talkative)
	q.Limits.Rows = 1
	h.read(t, q)
	eventually(t, "the kill fails", func() bool { return h.Stats().KillFailures == 1 })
	if err := h.Exec(t.Context(), fmt.Sprintf("KILL QUERY WHERE query_id = '%s' SYNC", q.ID)); err != nil {
		t.Error(err)
	}
}

// Close gives up waiting for kills when its context ends, and leaves none behind.
func TestCloseWhileKilling(t *testing.T) {
	h := open(t)
	answer, err := h.Query(t.Context(), account(t, "alice"), question(talkative))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	closeAtOnce(t, h.Client)
	eventually(t, "the kill is given up", func() bool { return h.Stats().KillFailures == 1 })
	if err := errors.Join(h.Resume(), h.Exec(t.Context(), "KILL QUERY WHERE user = '"+gateway+"' SYNC")); err != nil {
		t.Error(err)
	}
}
