package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
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
		t.Skip("takes about ten minutes: run `make soak`")
	}
	crowd(t, 200_000)
}

const crowdSize = 50

// crowd makes calls as many people at once: nobody is ever somebody else, and
// afterwards nothing is left over.
func crowd(t *testing.T, calls int) {
	db, gateway := freshClickHouse(t, sandbox.Options{})
	h := prepareHouse(t, db.HTTP, gateway, settings{})
	store, err := identity.NewTokens(identity.TokensConfig{Path: filepath.Join(h.dir, "tokens.json")})
	if err != nil {
		t.Fatal(err)
	}
	tokens := make([]string, crowdSize)
	for i := range tokens {
		person := fmt.Sprintf("person%02d", i)
		for _, sql := range []string{
			"CREATE USER " + person + " IDENTIFIED WITH no_authentication",
			"GRANT IMPERSONATE ON " + person + " TO " + gateway.User,
		} {
			if err := db.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		secret, _, err := store.Create(identity.Grant{User: person + "@example.com", Expires: time.Now().Add(24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		tokens[i] = secret.Reveal()
	}
	h.start(settings{})
	before := h.metric("go_goroutines")

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
			defer a.http.CloseIdleConnections()
			for todo.Add(-1) >= 0 {
				if err := crowdCall(t, a, fmt.Sprintf("person%02d", i)); err != nil && wrong.Add(1) < 10 {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d of %d calls went wrong", n, calls)
	}
	left := ""
	defer func() { t.Log(left) }()
	h.eventually("no question is left running", 10*time.Second, func() bool {
		processes, err := db.Text(t.Context(), "SELECT user, elapsed, query FROM system.processes WHERE user NOT IN ('default', '')")
		if err != nil {
			t.Fatal(err)
		}
		left = fmt.Sprintf("running %v, asked %v, at ClickHouse: %s", h.metric("porterhouse_clickhouse_running"), h.metric("porterhouse_questions_running"), processes)
		return left == "running 0, asked 0, at ClickHouse: "
	})
	// Sessions and idle connections stay a while; what grows with the calls is a leak.
	h.eventually("no goroutine is left over", 10*time.Second, func() bool {
		return h.metric("go_goroutines") < before+10*crowdSize
	})
	if failures := h.metric("porterhouse_clickhouse_kill_failures_total"); failures > 0 {
		t.Errorf("%v statements could not be killed", failures)
	}
}

// crowdCall makes one call and checks who it was answered for.
func crowdCall(t *testing.T, a *agent, person string) error {
	n := rand.IntN(1 << 30)
	switch rand.IntN(5) {
	case 0:
		if _, err := a.call(t.Context(), "query", map[string]any{"sql": "SELECT throwIf(1)"}); err == nil {
			return fmt.Errorf("%s: an error of ClickHouse went missing", person)
		}
		return nil
	case 1: // cut: the rest is killed
		_, err := a.call(t.Context(), "query", map[string]any{"sql": "SELECT number FROM numbers(10000000)", "max_rows": 10})
		return err
	}
	rows, err := a.rows(t.Context(), fmt.Sprintf("SELECT currentUser(), %d", n))
	if err != nil {
		return fmt.Errorf("%s: %w", person, err)
	}
	if want := fmt.Sprintf("[[%s %d]]", person, n); fmt.Sprint(rows) != want {
		return fmt.Errorf("%s got %v, not %s", person, rows, want)
	}
	return nil
}
