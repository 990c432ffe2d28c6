package e2e

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porterhouse/sandbox"
)

// Over a thousand mixed calls of three people, ClickHouse's query log and the
// audit record tell the same story: of every call exactly the questions that it
// asks, of every question exactly its outer and inner row, and no statement of
// the gateway, a KILL neither, without a record.
func TestRecordJoinsQueryLog(t *testing.T) {
	t.Parallel()
	db, gateway := freshClickHouse(t, sandbox.Options{})
	for _, sql := range []string{
		"CREATE DATABASE usage",
		"CREATE TABLE usage.models (model String) ORDER BY model",
		"INSERT INTO usage.models VALUES ('large'), ('small')",
	} {
		if err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	h := openHouse(t, db.HTTP, gateway, settings{})
	made := h.mixedCalls(1100)
	h.stop() // so that every record is closed, and every kill has been sent
	if _, err := h.run("audit", "verify", "--config", h.config); err != nil {
		t.Fatal(err)
	}
	told := readRecord(t, h.records())
	if different := cmp.Diff(made, told.calls); different != "" {
		t.Errorf("calls as they were made (-) and as the record tells them (+):\n%s", different)
	}
	checkQueryLog(t, queryLog(h, db, gateway.User), told)
}

// kindOfCall is one of those in the mix: what is called, and how its questions
// end, one after the other, as outcome writes it.
type kindOfCall struct {
	tool      string
	arguments map[string]any
	questions []string
}

func mix() []kindOfCall {
	query := func(sql string, questions ...string) kindOfCall {
		return kindOfCall{"query", map[string]any{"sql": sql, "max_rows": 5}, questions}
	}
	return []kindOfCall{
		query("SELECT 1", "answered"),
		query("SELECT currentUser(), sleep(0.01)", "answered"),
		query("SELECT number FROM numbers(1000000)", "cut at rows"),              // and killed
		query("SELECT no_such_column FROM usage.models", "error 47", "answered"), // the second looks for a hint
		query("SELECT * FROM usage.modules", "error 60", "answered"),
		query("SELECT name FROM system.users", "error 497"),
		query("SELECT 1 FROM", "error 62"),
		query("SELECT throwIf(number = 3) FROM numbers(10)", "error 395"),
		query("DROP TABLE usage.models", "refused"),
		query("SELECT 1; SELECT 2", "refused"),
		{"search_schema", map[string]any{"words": "models"}, []string{"answered"}},
		{"describe_tables", map[string]any{"tables": []string{"usage.models", "usage.nothing"}, "samples": true},
			[]string{"answered", "answered", "answered", "answered"}}, // tables, columns, sample, near names
		{"whoami", map[string]any{}, []string{"answered"}},
	}
}

// callOf names a call with all that its questions told: who, by which tool, what,
// and how each ended. Refused ones are alike: beyond a rate the record only counts them.
func callOf(user, tool, sql string, outcomes []string) string {
	if slices.Equal(outcomes, []string{"refused"}) {
		return user + ": refused"
	}
	if tool != "query" {
		sql = "" // it is the tool's own
	}
	return fmt.Sprintf("%s: %s %s: %s", user, tool, sql, strings.Join(outcomes, ", "))
}

// mixedCalls makes n calls, every kind by everybody, in both eras. It returns
// how many of each there were.
func (h *house) mixedCalls(n int) map[string]int {
	h.t.Helper()
	var mu sync.Mutex
	made := map[string]int{}
	kinds, tasks := mix(), make(chan kindOfCall)
	var work sync.WaitGroup
	for i := range 6 {
		person := sandbox.People()[i%3]
		a := h.mustAgent(person.Account, []string{sessions, stateless}[i/3])
		work.Go(func() {
			for k := range tasks {
				_, err := a.call(h.t.Context(), k.tool, k.arguments)
				if _, told := err.(*toolError); err != nil && !told {
					h.t.Errorf("%s %v of %s: %v", k.tool, k.arguments, person.Name, err)
				}
				sql, _ := k.arguments["sql"].(string)
				mu.Lock()
				made[callOf(person.Email, k.tool, sql, k.questions)]++
				mu.Unlock()
			}
		})
	}
	for i := range n {
		if i < len(kinds) {
			tasks <- kinds[i] // each at least once
		} else {
			tasks <- kinds[rand.IntN(len(kinds))]
		}
	}
	close(tasks)
	work.Wait()
	return made
}

// told is what the record tells.
type told struct {
	calls   map[string]int    // how many of each
	account map[string]string // whom each question ran as, by its id; "": the gateway itself
	outcome map[string]string // how each question ended, by its id
}

// readRecord takes the lines of the record together.
func readRecord(t *testing.T, lines []map[string]any) told {
	t.Helper()
	r := told{calls: map[string]int{}, account: map[string]string{}, outcome: map[string]string{}}
	questions := map[string][]map[string]any{} // their first lines, by the call
	for _, line := range lines {
		text := func(name string) string { s, _ := line[name].(string); return s }
		switch id := text("id"); line["kind"] {
		case "open":
			if _, twice := r.account[id]; twice {
				t.Errorf("two questions have the id %s", id)
			}
			r.account[id] = text("account")
			if call := text("call"); call != "" {
				questions[call] = append(questions[call], line)
			} else if line["door"] != "check" {
				t.Errorf("a question belongs to no call: %v", line)
			}
		case "close":
			if r.outcome[id] != "" {
				t.Errorf("question %s ended twice", id)
			}
			r.outcome[id] = outcome(line)
		case "refuse":
			r.outcome[id] = "refused"
			questions[text("call")] = append(questions[text("call")], line)
		case "folded":
			r.calls[callOf(text("user"), "", "", []string{"refused"})] += int(line["count"].(float64))
		}
	}
	for call, asked := range questions {
		var outcomes []string
		for _, q := range asked {
			outcomes = append(outcomes, r.outcome[q["id"].(string)])
			if q["user"] != asked[0]["user"] || q["tool"] != asked[0]["tool"] {
				t.Errorf("call %s has questions of %v with %v and of %v with %v", call, asked[0]["user"], asked[0]["tool"], q["user"], q["tool"])
			}
		}
		first := asked[0]
		r.calls[callOf(first["user"].(string), first["tool"].(string), first["sql"].(string), outcomes)]++
	}
	return r
}

// outcome says in a word or two what a closing line says.
func outcome(line map[string]any) string {
	switch {
	case line["outcome"] == "answered" && line["cut"] == nil:
		return "answered"
	case line["outcome"] == "answered":
		return fmt.Sprintf("cut at %v", line["cut"])
	case line["code"] != nil:
		return fmt.Sprintf("error %v", line["code"])
	}
	return fmt.Sprintf("%v %v", line["outcome"], line["error"])
}

// logged is one statement in system.query_log.
type logged struct {
	Rid   string `json:"rid"`
	Kill  bool   `json:"kill"`
	User  string `json:"user"`
	ID    string `json:"query_id"`
	Inner bool   `json:"inner"`
	Query string `json:"query"`
	Code  int    `json:"code"`
	Types string `json:"types"` // of its rows, in order
}

// What ClickHouse logs of a statement, from its beginning to its end.
const (
	finished  = "QueryStart QueryFinish"
	stopped   = "QueryStart ExceptionWhileProcessing"
	unstarted = "ExceptionBeforeStart"
)

// queryLog reads all that ClickHouse logged of the gateway, and of the people.
func queryLog(h *house, db *sandbox.Server, gateway string) (all []logged) {
	h.t.Helper()
	sql := fmt.Sprintf(`
		SELECT JSONExtractString(any(log_comment), 'rid') AS rid, JSONExtractBool(any(log_comment), 'kill')::Bool AS kill,
		       user, query_id, any(is_internal)::Bool AS inner, any(query) AS query, max(exception_code) AS code,
		       arrayStringConcat(arrayMap(x -> toString(x), arraySort(groupArray(type))), ' ') AS types
		FROM system.query_log WHERE user IN ('%s', 'alice', 'bob', 'carol') GROUP BY user, query_id FORMAT JSONEachRow`, gateway)
	h.eventually("ClickHouse has logged how everything ended", 20*time.Second, func() bool {
		if err := db.Exec(h.t.Context(), "SYSTEM FLUSH LOGS"); err != nil {
			h.t.Fatal(err)
		}
		text, err := db.Text(h.t.Context(), sql)
		if err != nil {
			h.t.Fatal(err)
		}
		all = nil
		for line := range strings.Lines(text) {
			var row logged
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				h.t.Fatal(err)
			}
			all = append(all, row)
		}
		return !slices.ContainsFunc(all, func(row logged) bool { return row.Types == "QueryStart" })
	})
	return all
}

// checkQueryLog compares both stories, question by question.
func checkQueryLog(t *testing.T, log []logged, record told) {
	t.Helper()
	outer, inner := map[string][]logged{}, map[string][]logged{}
	killed := map[string]bool{}
	for _, row := range log {
		_, asked := record.account[row.Rid]
		switch {
		case !asked:
			t.Errorf("the query log has a statement without a record: %+v", row)
		case row.Kill && !row.Inner:
			checkKill(t, row, record, killed)
		case row.Kill: // what KILL itself looks up
		case row.Inner:
			inner[row.Rid] = append(inner[row.Rid], row)
		default:
			outer[row.Rid] = append(outer[row.Rid], row)
		}
	}
	for id, account := range record.account {
		if err := checkRows(id, account, record.outcome[id], outer[id], inner[id]); err != nil {
			t.Errorf("question %s of %q, %s: %v", id, account, record.outcome[id], err)
		}
		if cut := strings.HasPrefix(record.outcome[id], "cut"); cut != killed[id] {
			t.Errorf("question %s, %s: killed is %v", id, record.outcome[id], killed[id])
		}
	}
	t.Logf("%d calls, %d questions, %d statements in the query log, %d questions killed",
		sum(maps.Values(record.calls)), len(record.account), len(log), len(killed))
}

// checkRows compares the rows of one question with how it ended.
func checkRows(id, account, outcome string, outer, inner []logged) error {
	if len(outer) != 1 || account != "" && outer[0].ID != id {
		return fmt.Errorf("has the outer rows %+v", outer)
	}
	// The gateway's own statements have no inner row, nor has what ClickHouse
	// cannot parse (62): it does not come as far as being somebody.
	within := 1
	if account == "" || outcome == "error 62" {
		within = 0
	}
	if len(inner) != within {
		return fmt.Errorf("has the inner rows %+v", inner)
	}
	for _, row := range inner {
		if row.User != account {
			return fmt.Errorf("ran as %s", row.User)
		}
	}
	for _, row := range slices.Concat(outer, inner) {
		switch {
		case outcome == "answered" && row.Types == finished:
		case strings.HasPrefix(outcome, "cut") && (row.Types == finished || row.Types == stopped):
		case outcome == fmt.Sprintf("error %d", row.Code) && (row.Types == stopped || row.Types == unstarted):
		default:
			return fmt.Errorf("ended otherwise at ClickHouse: %+v", row)
		}
	}
	return nil
}

// checkKill checks that a KILL belongs to the first of the questions that it
// names, and notes them all.
func checkKill(t *testing.T, row logged, record told, killed map[string]bool) {
	t.Helper()
	var ids []string
	for _, found := range regexp.MustCompile(`\bquery_id = '([^']*)'`).FindAllStringSubmatch(row.Query, -1) {
		ids = append(ids, found[1])
	}
	if len(ids) == 0 || ids[0] != row.Rid || row.Types != finished {
		t.Errorf("not a KILL of question %s: %+v", row.Rid, row)
	}
	for _, id := range ids {
		if _, asked := record.account[id]; !asked {
			t.Errorf("KILL of %s, which is in no record: %+v", id, row)
		}
		killed[id] = true
	}
}

func sum(numbers iter.Seq[int]) (n int) {
	for i := range numbers {
		n += i
	}
	return n
}
