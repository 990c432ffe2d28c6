package statement_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse/statement"
)

// story is what ClickHouse's query log tells of a statement.
type story struct {
	Comment        string
	Kinds          []string // of the statement that ran as alice, and of those that it became
	Functions      []string
	TableFunctions []string
	Dictionaries   []string
	Formats        []string
	Settings       map[string]string // that were not at their default
}

// TestVerdictsAgreeWithClickHouse runs every trial, refused or not, as the
// product would, and compares the verdict with what the query log tells.
//
//   - What passes has only read, and stayed inside.
//   - What is refused although it only reads is one of the doubts.
func TestVerdictsAgreeWithClickHouse(t *testing.T) {
	e := startEngine(t)
	e.plant(t)
	all := trials()
	for i, sql := range all {
		all[i] = e.filled(sql)
	}
	before, visits := e.state(t), e.canary.visits.Load()
	accepted := map[int]bool{}
	e.runTrials(t, all, accepted, true)
	if after := e.state(t); after != before || e.canary.visits.Load() != visits {
		t.Fatalf("a statement that passes changed something, or went out:\n%s", difference(before, after))
	}
	e.noFunctions(t)
	e.runTrials(t, all, accepted, false)
	stories := e.stories(t)
	usual := stories[usualTrial].Settings

	counts := map[string]int{}
	for i, sql := range all {
		report, tale := statement.Check(sql), stories[strconv.Itoa(i)]
		passes := report.Read && len(report.Hazards) == 0
		danger := danger(tale, usual)
		switch {
		case passes && danger != "":
			t.Errorf("passes, but %s: %q", danger, sql)
		case !passes && accepted[i] && danger == "":
			if !excused(report) && !slices.Contains(doubts, sql) {
				t.Errorf("only reads, but is refused: %q\n%+v", sql, report.Hazards[0])
			}
			counts["refused, though it only reads: "+string(report.Hazards[0].Kind)]++
		case passes && accepted[i]:
			counts["passes, and ClickHouse ran it"]++
		case passes:
			counts["passes, and ClickHouse refused it"]++
		case accepted[i]:
			counts["refused, and ClickHouse ran it"]++
		default:
			counts["refused, and by ClickHouse too"]++
		}
	}
	for i := len(all) - len(doubts); i < len(all); i++ {
		if r := statement.Check(all[i]); len(r.Hazards) == 0 || !accepted[i] || danger(stories[strconv.Itoa(i)], usual) != "" {
			t.Errorf("no longer a doubt (hazards %v, accepted %v): %q", r.Hazards, accepted[i], all[i])
		}
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%5d %s", counts[what], what)
	}
	t.Logf("%5d statements", len(all))
	if len(all) < 2000 {
		t.Errorf("only %d statements", len(all))
	}
}

// usualTrial is the log_comment of a plain statement, to compare settings with.
const usualTrial = "usual"

// runTrials runs the trials whose verdict is the given one, a few at a time.
func (e *engine) runTrials(t *testing.T, all []string, accepted map[int]bool, passing bool) {
	t.Helper()
	var group sync.WaitGroup
	var lock sync.Mutex
	next := make(chan int)
	for range 4 {
		group.Go(func() {
			for i := range next {
				if status, _ := e.trial(t, all[i], strconv.Itoa(i)); status == 200 {
					lock.Lock()
					accepted[i] = true
					lock.Unlock()
				}
			}
		})
	}
	for i, sql := range all {
		report := statement.Check(sql)
		if passes := report.Read && len(report.Hazards) == 0; passes == passing {
			next <- i
		}
	}
	close(next)
	group.Wait()
	e.trial(t, "SELECT 1", usualTrial)
}

func (e *engine) trial(t *testing.T, sql, comment string) (int, string) {
	return e.asAlice(t, sql, map[string]string{
		"log_comment": comment, "max_execution_time": "10", "connect_timeout": "1", "max_threads": "2", "default_format": "TabSeparated",
		"param_p": "1", "param_t": "app.t", "param_a": "[1]", "database": "app",
	})
}

// stories reads the query log.
func (e *engine) stories(t *testing.T) map[string]story {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		e.admin(t, "SYSTEM FLUSH LOGS")
		const open = "SELECT count() FROM (SELECT log_comment FROM system.query_log WHERE log_comment != '' GROUP BY log_comment HAVING countIf(type != 'QueryStart') = 0)"
		if left := e.admin(t, open); left == "0" {
			break // the last line of each is written after its answer
		} else if time.Now().After(end) {
			t.Fatalf("%s statements have no end in the query log", left)
		}
	}
	all := map[string]story{}
	for _, line := range e.column(t, `
		SELECT log_comment AS Comment, groupUniqArrayIf(query_kind, user = 'alice') AS Kinds,
			groupUniqArrayArray(used_functions) AS Functions, groupUniqArrayArray(used_table_functions) AS TableFunctions,
			groupUniqArrayArray(used_dictionaries) AS Dictionaries, groupUniqArrayArray(used_formats) AS Formats,
			CAST(groupUniqArrayArray(CAST(Settings, 'Array(Tuple(String, String))')), 'Map(String, String)') AS Settings
		FROM system.query_log WHERE log_comment != '' AND type != 'QueryStart' GROUP BY log_comment FORMAT JSONEachRow`) {
		var s story
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all[s.Comment] = s
	}
	return all
}

// readKinds are what the query log calls statements that only read; "None" are
// some forms of SHOW.
var readKinds = []string{"Select", "Show", "Describe", "Explain", "Exists", "None", ""}

// danger tells why a story is not that of a plain read; "" when it is.
func danger(s story, usual map[string]string) string {
	for _, kind := range s.Kinds {
		if !slices.Contains(readKinds, kind) {
			return "it is " + kind
		}
	}
	for _, name := range s.TableFunctions {
		if _, in := statement.PlacedTableFunction(strings.ToLower(name)); !in && name != "viewExplain" { // which (EXPLAIN …) becomes
			return "it used the table function " + name
		}
	}
	for _, name := range s.Functions {
		if statement.Outside(name) {
			return "it used the function " + name
		}
	}
	if len(s.Dictionaries) > 0 {
		return "it used a dictionary"
	}
	for _, format := range s.Formats {
		if !slices.Contains([]string{"TSV", "TabSeparated", "Values"}, format) {
			return "it answered in the format " + format
		}
	}
	for name, value := range s.Settings {
		own := name == "log_comment" || name == "allow_experimental_analyzer" && slices.Contains(s.Kinds, "Explain") // EXPLAIN AST does it by itself
		if !own && usual[name] != value && !statement.HarmlessSettings()[name] {
			return fmt.Sprintf("it set %s = %s", name, value)
		}
	}
	return ""
}

// excused reports whether the only hazards are names that are refused wherever
// they stand, even where ClickHouse does not look at them (EXPLAIN AST) or does
// not log them (SETTINGS in a subquery).
func excused(r statement.Report) bool {
	for _, h := range r.Hazards {
		switch h.Kind {
		case statement.Setting, statement.Function, statement.TableFunction:
		default:
			return false
		}
	}
	return true
}
