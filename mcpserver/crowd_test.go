package mcpserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestCrowd: people of both eras at once, each told of themselves alone; with
// the race detector on. Afterwards no goroutine and no statement is left.
func TestCrowd(t *testing.T) {
	h := newHouse(t)
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	var crowd sync.WaitGroup
	for _, person := range []string{"alice", "bob", "carol"} {
		for _, newer := range []bool{true, false} {
			crowd.Go(func() { mingle(t, h, person, newer) })
		}
	}
	crowd.Wait()
	h.state.Close()
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+8 }) // the pool to ClickHouse stays
	h.waitFor(t, "crowd_of", false)
}

// mingle makes a mix of calls as one person.
func mingle(t *testing.T, h *house, person string, newer bool) {
	a := h.agent(t, person, newer)
	for i := range 5 {
		for _, format := range []string{"compact", "json", "markdown"} {
			text, failed := a.call("query", map[string]any{
				"sql": fmt.Sprintf("SELECT currentUser(), %d, repeat('crowd_of_', %d)", i, 1+i*100), "format": format,
			})
			if failed || !strings.Contains(text, person) || strings.Count(text, "crowd_of_") < 1+i*100 {
				t.Errorf("%s is told %.200s", person, text)
			}
		}
		for _, call := range []struct {
			tool string
			args map[string]any
		}{
			{"whoami", nil},
			{"query", map[string]any{"sql": "SELECT nothing"}},
			{"search_schema", map[string]any{"words": "token"}},
		} {
			if text, _ := a.call(call.tool, call.args); call.tool == "whoami" && !strings.Contains(text, "you are the user "+person) {
				t.Errorf("%s is told %s", person, text)
			}
		}
	}
}

// TestEachCallHasItsQuestions: the audit record has one question for a query,
// and several under one call id for the tools that ask more; all of them name
// the tool and the request.
func TestEachCallHasItsQuestions(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", true)
	for _, c := range []struct {
		tool string
		args map[string]any
		want int
	}{
		{"query", map[string]any{"sql": "SELECT 1"}, 1},
		{"query", map[string]any{"sql": "SELECT pric FROM shop.orders"}, 2}, // and the search for near names
		{"query", map[string]any{"sql": "DROP TABLE x"}, 1},                 // the refusal
		{"whoami", nil, 1},
		{"search_schema", map[string]any{"words": "order"}, 1},
		{"describe_tables", map[string]any{"tables": []string{"shop.orders", "shop.teams"}, "samples": true}, 4},
	} {
		before := len(h.questions(t))
		a.call(c.tool, c.args)
		calls := make(map[string]int)
		for _, q := range h.questions(t)[before:] {
			calls[q.Call]++
			if q.Tool != c.tool || q.Request == "" || q.Door != Door || q.Cluster != "main" || q.User != "alice@example.com" {
				t.Errorf("%s: %+v", c.tool, q)
			}
		}
		if len(calls) != 1 {
			t.Errorf("%s: the questions have %d call ids", c.tool, len(calls))
		}
		for _, n := range calls {
			if n != c.want {
				t.Errorf("%s %v: %d questions, want %d", c.tool, c.args, n, c.want)
			}
		}
	}
}

// question is the opening line of an audit record, as far as these tests need it.
type question struct {
	Call, Tool, Request, Door, Cluster, User string
}

// questions reads the audit record.
func (h *house) questions(t *testing.T) (found []question) {
	t.Helper()
	f, err := os.Open(h.audit)
	check(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var q question
		check(t, json.Unmarshal(lines.Bytes(), &q))
		if q.Tool != "" {
			found = append(found, q)
		}
	}
	check(t, lines.Err())
	return found
}
