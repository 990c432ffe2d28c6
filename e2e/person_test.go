package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox"
)

// Everybody is themselves, in both eras: ClickHouse says so, and shows each
// what it shows to them.
func TestEverybodyIsThemselves(t *testing.T) {
	t.Parallel()
	db, gateway := withSamples()
	h := openHouse(t, db.HTTP, gateway, settings{})
	bothEras(t, func(t *testing.T, era string) {
		h := h.in(t)
		for _, person := range sandbox.People() {
			got, err := h.mustAgent(person.Account, era).rows(t.Context(), "SELECT currentUser(), authenticatedUser()")
			if want := [][]any{{person.Account, gateway.User}}; err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, %v; want %v", person.Account, got, err, want)
			}
		}
		const question = "SELECT uniqExact(team), count() FROM usage.events"
		alice, err := h.mustAgent("alice", era).rows(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		if want := direct(t, db, question); fmt.Sprint(alice) != fmt.Sprint(want) {
			t.Errorf("Alice sees %v, all there is %v", alice, want)
		}
		bob, err := h.mustAgent("bob", era).rows(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		own := "SELECT uniqExact(team), count() FROM usage.events WHERE team = (SELECT team FROM usage.people WHERE person = 'bob')"
		if want := direct(t, db, own); fmt.Sprint(bob) != fmt.Sprint(want) || fmt.Sprint(bob) == fmt.Sprint(alice) {
			t.Errorf("Bob sees %v, of his own team there is %v", bob, want)
		}
		if _, err := h.mustAgent("bob", era).rows(t.Context(), "SELECT count() FROM flights.flights"); err == nil || !strings.Contains(err.Error(), "ACCESS_DENIED") {
			t.Errorf("Bob asks for flights: %v", err)
		}
	})
}

// direct asks ClickHouse itself, as its admin.
func direct(t *testing.T, db *sandbox.Server, sql string) [][]any {
	t.Helper()
	text, err := db.Text(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]any
	for line := range strings.SplitSeq(text, "\n") {
		var row []any
		for value := range strings.SplitSeq(line, "\t") {
			row = append(row, value)
		}
		rows = append(rows, row)
	}
	return rows
}

// "Make me a report of daily token usage" can be answered from the tools alone:
// the test knows nothing of the data but what they say.
func TestReportOfDailyTokenUsage(t *testing.T) {
	t.Parallel()
	db, gateway := withSamples()
	h := openHouse(t, db.HTTP, gateway, settings{})
	bothEras(t, func(t *testing.T, era string) {
		h := h.in(t)
		a := h.mustAgent("alice", era)
		found, err := a.call(t.Context(), "search_schema", map[string]any{"words": "daily token usage"})
		if err != nil {
			t.Fatal(err)
		}
		table := regexp.MustCompile(`usage\.\w+`).FindString(found)
		if table == "" {
			t.Fatalf("search_schema names no table of usage:\n%s", found)
		}
		described, err := a.call(t.Context(), "describe_tables", map[string]any{"tables": []string{table}, "samples": true})
		if err != nil {
			t.Fatal(err)
		}
		column := func(pattern string) string {
			c := regexp.MustCompile(`(?m)^\W*(` + pattern + `)\b`).FindStringSubmatch(described)
			if c == nil {
				t.Fatalf("describe_tables shows no column like %s:\n%s", pattern, described)
			}
			return c[1]
		}
		day, input, output := column(`day|date|minute|time`), column(`input\w*`), column(`output\w*`)
		report := fmt.Sprintf("SELECT toDate(%s) AS d, sum(%s), sum(%s) FROM %s GROUP BY d ORDER BY d", day, input, output, table)
		got, err := a.rows(t.Context(), report)
		if err != nil {
			t.Fatal(err)
		}
		want := direct(t, db, "SELECT toDate(minute) AS d, sum(input_tokens), sum(output_tokens) FROM usage.events GROUP BY d ORDER BY d")
		if len(got) < 85 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the report has %d days, ClickHouse %d; it begins %v, ClickHouse's %v", len(got), len(want), got[:1], want[:1])
		}
	})
}

// A token that is revoked, or made, while the server runs is noticed within a second.
func TestTokensWhileRunning(t *testing.T) {
	t.Parallel()
	db, gateway := withSamples()
	h := openHouse(t, db.HTTP, gateway, settings{})
	asks := func(token string) error {
		a, err := h.agent(token, stateless)
		if err != nil {
			return err
		}
		_, err = a.call(t.Context(), "whoami", map[string]any{})
		return err
	}
	noticed := func(what string, ok func() bool) time.Duration {
		done := time.Now()
		h.eventually(what, far, ok)
		return time.Since(done)
	}
	var tokens []string
	h.withinASecond("a new token is good", func() time.Duration {
		token := h.token("alice@example.com")
		tokens = append(tokens, token)
		return noticed("the new token is good", func() bool { return asks(token) == nil })
	})
	var token, id string
	h.withinASecond("a revoked token is refused", func() time.Duration {
		token, tokens = tokens[0], tokens[1:]
		id = strings.Split(token, "_")[1]
		if _, err := h.run("token", "revoke", id); err != nil {
			t.Fatal(err)
		}
		return noticed("the revoked token is refused", func() bool {
			no, ok := errors.AsType[*statusError](asks(token))
			return ok && no.code == http.StatusUnauthorized
		})
	})
	if list, err := h.run("token", "list"); err != nil || !strings.Contains(list, id) || strings.Contains(list, token) {
		t.Errorf("token list: %v\n%s", err, list)
	}
	if err := asks(h.tokens["alice"]); err != nil {
		t.Errorf("another token of the same person is refused as well: %v", err)
	}
}
