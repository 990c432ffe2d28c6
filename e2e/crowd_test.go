package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse/identity"
	"porterhouse/sandbox"
)

// Ten thousand mixed calls of fifty people in parallel, against a server built
// with the race detector.
func TestCrowd(t *testing.T) { crowd(t, 10_000) }

// TestSoakCrowd is the long form of TestCrowd, for `make soak`.
func TestSoakCrowd(t *testing.T) {
	if os.Getenv("PORTERHOUSE_SOAK") == "" {
		t.Skip("takes about half an hour: run `make soak`")
	}
	crowd(t, 200_000)
}

const crowdSize = 50

// crowd makes calls as many people at once: nobody is ever somebody else, and
// afterwards nothing is left over.
func crowd(t *testing.T, calls int) {
	db, gateway := freshClickHouse(t, sandbox.Options{})
	h := prepareHouse(t, db.HTTP, gateway, settings{})
	tokens := gather(t, h, db, gateway)
	h.start(settings{})
	before := h.metric("go_goroutines")

	begun := time.Now()
	var todo, wrong atomic.Int64
	todo.Store(int64(calls))
	var work sync.WaitGroup
	for i, token := range tokens {
		work.Go(func() {
			a, err := h.agent(token, []string{sessions, stateless}[i%2])
			if err != nil {
				t.Error(err)
				return
			}
			for todo.Add(-1) >= 0 {
				if err := crowdCall(t.Context(), a, i); err != nil && wrong.Add(1) < 10 {
					t.Errorf("%s: %v", personOf(i), err)
				}
			}
			if err := a.end(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	took := time.Since(begun)
	t.Logf("%d calls in %v: %.0f a second", calls, took.Round(time.Second), float64(calls)/took.Seconds())
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d of %d calls went wrong", n, calls)
	}
	nothingLeft(h, db, before)
}

// personOf is the ClickHouse account of one of the crowd, and tableOf the only
// table that this person may see.
func personOf(i int) string { return fmt.Sprintf("person%02d", i) }
func tableOf(i int) string  { return "own.of_" + personOf(i) }

// gather makes the people of the crowd, what is theirs, and their tokens.
func gather(t *testing.T, h *house, db *sandbox.Server, gateway sandbox.Gateway) []string {
	t.Helper()
	store, err := identity.NewTokens(identity.TokensConfig{Path: filepath.Join(h.dir, "tokens.json")})
	if err != nil {
		t.Fatal(err)
	}
	statements := []string{"CREATE DATABASE own"}
	tokens := make([]string, crowdSize)
	for i := range tokens {
		statements = append(statements,
			"CREATE USER "+personOf(i)+" IDENTIFIED WITH no_authentication",
			"GRANT IMPERSONATE ON "+personOf(i)+" TO "+gateway.User,
			"CREATE TABLE "+tableOf(i)+" (treasure String) ENGINE = Memory",
			"GRANT SELECT ON "+tableOf(i)+" TO "+personOf(i))
		secret, _, err := store.Create(identity.Grant{User: personOf(i) + "@example.com", Expires: time.Now().Add(24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		tokens[i] = secret.Reveal()
	}
	for _, sql := range statements {
		if err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return tokens
}

// nothingLeft waits until no question runs and the server has as many goroutines
// as before the crowd came, but for a few of connections that still idle.
func nothingLeft(h *house, db *sandbox.Server, before float64) {
	h.t.Helper()
	left := ""
	defer func() { h.t.Log(left) }()
	h.eventually("no question is left running", 20*time.Second, func() bool {
		processes, err := db.Text(h.t.Context(), "SELECT user, elapsed, query FROM system.processes WHERE user NOT IN ('default', '')")
		if err != nil {
			h.t.Fatal(err)
		}
		left = fmt.Sprintf("running %v, asked %v, at ClickHouse: %s", h.metric("porterhouse_clickhouse_running"), h.metric("porterhouse_questions_running"), processes)
		return left == "running 0, asked 0, at ClickHouse: "
	})
	h.eventually("no goroutine is left over", 20*time.Second, func() bool {
		now := h.metric("go_goroutines")
		left = fmt.Sprintf("%v goroutines before, %v afterwards", before, now)
		return now < before+20
	})
	if failures := h.metric("porterhouse_clickhouse_kill_failures_total"); failures > 0 {
		h.t.Errorf("%v statements could not be killed", failures)
	}
}

// crowdCall makes one call of person i and checks whom it was answered for.
func crowdCall(ctx context.Context, a *agent, i int) error {
	query := func(sql string) map[string]any { return map[string]any{"sql": sql, "max_rows": 10} }
	switch kind := rand.IntN(100); {
	case kind < 60:
		return crowdQuery(ctx, a, i)
	case kind < 70:
		_, err := a.call(ctx, "query", query("SELECT throwIf(1)"))
		if told, ok := err.(*toolError); !ok || !strings.Contains(told.text, "THROW_IF") {
			return fmt.Errorf("instead of ClickHouse's error: %v", err)
		}
		return nil
	case kind < 80: // the rest is killed
		return a.says(ctx, "query", query("SELECT number FROM numbers(10000000)"), "10 rows, NOT ALL.")
	case kind < 90:
		return a.says(ctx, "whoami", map[string]any{}, "You are "+personOf(i)+"@example.com ", " you are the user "+personOf(i)+";")
	case kind < 95:
		return a.says(ctx, "search_schema", map[string]any{"words": "treasure"}, "Matches 1 to 1 of 1 ", "\n"+tableOf(i)+" (")
	}
	other := tableOf((i + 1 + rand.IntN(crowdSize-1)) % crowdSize)
	return a.says(ctx, "describe_tables", map[string]any{"tables": []string{tableOf(i), other}},
		tableOf(i)+" (Memory", "treasure String", other+": there is no such table that you may see")
}

// crowdQuery asks who is asking, with a number that comes back.
func crowdQuery(ctx context.Context, a *agent, i int) error {
	n := rand.IntN(1 << 30)
	rows, err := a.rows(ctx, fmt.Sprintf("SELECT currentUser(), %d", n))
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("[[%s %d]]", personOf(i), n); fmt.Sprint(rows) != want {
		return fmt.Errorf("got %v, not %s", rows, want)
	}
	return nil
}

// says calls a tool whose answer must hold all the parts.
func (a *agent) says(ctx context.Context, tool string, arguments map[string]any, parts ...string) error {
	text, err := a.call(ctx, tool, arguments)
	if err != nil {
		return fmt.Errorf("%s: %w", tool, err)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return fmt.Errorf("%s: no %q in %q", tool, part, text)
		}
	}
	return nil
}
