package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"porterhouse/sandbox"
)

// Over a thousand mixed calls of three people, ClickHouse's query log and the
// audit record tell the same story: for every question one outer and one inner
// row, of the right people; for every call its questions; and no statement of
// the gateway without a record.
func TestRecordJoinsQueryLog(t *testing.T) {
	db, gateway := freshClickHouse(t, sandbox.Options{})
	h := openHouse(t, db.HTTP, gateway, settings{})
	const calls = 1000
	h.mixedCalls(calls)
	h.stop() // so that every record is closed, and every kill has been sent
	if _, err := h.run("audit", "verify", "--config", h.config); err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(t.Context(), "SYSTEM FLUSH LOGS"); err != nil {
		t.Fatal(err)
	}
	checkStory(t, db, gateway.User, h.records())
}

// mixedCalls makes n calls of all tools, in both eras, some of which fail, are
// refused, or are cut.
func (h *house) mixedCalls(n int) {
	h.t.Helper()
	ask := func(sql string) map[string]any { return map[string]any{"sql": sql, "max_rows": 5} }
	mix := []struct {
		tool      string
		arguments map[string]any
	}{
		{"query", ask("SELECT 1")},
		{"query", ask("SELECT currentUser(), sleep(0.01)")},
		{"query", ask("SELECT number FROM numbers(1000000)")}, // cut, and killed
		{"query", ask("SELECT no_such_column FROM system.one")},
		{"query", ask("DROP TABLE flights.flights")},
		{"query", ask("SELECT 1; SELECT 2")},
		{"search_schema", map[string]any{"words": "flights"}},
		{"describe_tables", map[string]any{"tables": []string{"system.one", "system.nothing"}, "samples": true}},
		{"whoami", map[string]any{}},
	}
	var work sync.WaitGroup
	tasks := make(chan int)
	for i := range 6 {
		person := sandbox.People()[i%3].Account
		a := h.mustAgent(person, []string{sessions, stateless}[i/3])
		work.Go(func() {
			for i := range tasks {
				m := mix[rand.IntN(len(mix))]
				_, err := a.call(h.t.Context(), m.tool, m.arguments)
				if _, told := err.(*toolError); err != nil && !told {
					h.t.Errorf("call %d, %s of %s: %v", i, m.tool, person, err)
				}
			}
		})
	}
	for i := range n {
		tasks <- i
	}
	close(tasks)
	work.Wait()
}

// logged is one row of system.query_log.
type logged struct {
	Rid      string `json:"rid"`
	Kill     bool   `json:"kill"`
	User     string `json:"user"`
	Initial  string `json:"initial_user"`
	ID       string `json:"query_id"`
	Internal int    `json:"is_internal"`
}

// checkStory compares the record with everything that ClickHouse logged of the
// gateway, or of the people through it.
func checkStory(t *testing.T, db *sandbox.Server, gateway string, records []map[string]any) {
	t.Helper()
	text, err := db.Text(t.Context(), fmt.Sprintf(`
		SELECT JSONExtractString(log_comment, 'rid') AS rid, JSONExtractBool(log_comment, 'kill')::Bool AS kill,
		       user, initial_user, query_id, is_internal
		FROM system.query_log WHERE type != 'QueryStart' AND (user = '%s' OR user IN ('alice', 'bob', 'carol')) FORMAT JSONEachRow`, gateway))
	if err != nil {
		t.Fatal(err)
	}
	outer, inner := map[string][]logged{}, map[string][]logged{}
	for line := range strings.Lines(text) {
		var row logged
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		switch {
		case row.Rid == "":
			t.Errorf("the query log has a statement without a record: %+v", row)
		case row.User == gateway && row.Kill: // of the record that it names
		case row.User == gateway:
			outer[row.Rid] = append(outer[row.Rid], row)
		default:
			inner[row.Rid] = append(inner[row.Rid], row)
		}
	}
	asked, calls := 0, map[string]string{}
	for _, r := range records {
		id, _ := r["id"].(string)
		switch {
		case r["kind"] == "open" && r["door"] == "check":
			delete(outer, id)
		case r["kind"] == "open":
			asked++
			account := r["account"].(string)
			if len(outer[id]) != 1 || outer[id][0].ID != id {
				t.Errorf("question %s has the outer rows %+v", id, outer[id])
			}
			for _, row := range inner[id] {
				if row.User != account {
					t.Errorf("question %s of %s ran as %s", id, account, row.User)
				}
			}
			// A statement that cannot be parsed or analysed has no inner row of its own.
			if len(inner[id]) > 1 {
				t.Errorf("question %s has %d inner rows", id, len(inner[id]))
			}
			delete(outer, id)
			delete(inner, id)
			who := r["user"].(string) + " " + r["tool"].(string)
			if call := r["call"].(string); calls[call] != "" && calls[call] != who {
				t.Errorf("call %s has questions of %s and of %s", call, calls[call], who)
			} else {
				calls[call] = who
			}
		}
	}
	for id := range outer {
		t.Errorf("the gateway asked %s without a record", id)
	}
	for id := range inner {
		t.Errorf("somebody asked %s without a record", id)
	}
	if asked < 500 {
		t.Errorf("only %d questions were asked: too few to say anything", asked)
	}
}
