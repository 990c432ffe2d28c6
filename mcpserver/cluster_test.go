package mcpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"porterhouse/gate"
)

// quarter is a house of three clusters: everybody reaches main, Alice also archive, and
// Carol alone her own. /mcp leads to all, /mcp/NAME to one.
type quarter struct {
	*house
	base string
}

func newQuarter(t *testing.T, change ...func(*Config)) quarter {
	h := newHouseOf(t, func(main gate.Cluster) map[string]gate.Cluster {
		archive, carols := main, main
		archive.For = gate.For{Users: []string{"alice@example.com", "carol@example.com"}}
		carols.For = gate.For{Users: []string{"carol@example.com"}}
		return map[string]gate.Cluster{"main": main, "archive": archive, "carols": carols}
	}, append([]func(*Config){func(c *Config) { c.Clusters, c.Default = []string{"archive", "main", "carols"}, "main" }}, change...)...)
	mux := http.NewServeMux()
	mux.Handle("/mcp", h.Server)
	for _, name := range h.config.Clusters {
		c := h.config
		c.Clusters, c.Default = []string{name}, ""
		one, err := New(c)
		check(t, err)
		mux.Handle("/mcp/"+name, one)
	}
	web := httptest.NewServer(mux)
	t.Cleanup(func() { h.state.Close(); web.Close() })
	return quarter{h, web.URL + "/mcp"}
}

// recorded counts the lines of the record that have all these texts.
func (h *house) recorded(t *testing.T, texts ...string) (n int) {
	t.Helper()
	all, err := os.ReadFile(h.audit)
	check(t, err)
	for line := range bytes.Lines(all) {
		has := true
		for _, text := range texts {
			has = has && bytes.Contains(line, []byte(text))
		}
		if has {
			n++
		}
	}
	return n
}

// What somebody is offered is what they reach.
func TestListsOfSeveralClusters(t *testing.T) {
	q := newQuarter(t)
	const template = `"uriTemplate":"clickhouse://{database}/{table}`
	eras(t, func(t *testing.T, newer bool) {
		for _, c := range []struct{ person, path, argument, template string }{
			{"alice", "", `"cluster":{"type":"string","enum":["archive","main"],"default":"main"}`, template + `{?cluster}"`},
			{"bob", "", "", template + `"`},
			{"alice", "/archive", "", template + `"`},
		} {
			a := newAgent(t, q.base+c.path, c.person, newer)
			got := a.send(t.Context(), a.message("tools/list", nil))
			n := 0
			if c.argument != "" {
				n = len(tools(numbers{}, nil))
			}
			if strings.Count(got.raw, `"cluster":`) != n || strings.Count(got.raw, c.argument) != max(n, 1) && c.argument != "" || strings.Contains(got.raw, "carols") {
				t.Errorf("%s at %q is offered %s", c.person, c.path, got.raw)
			}
			if newer && strings.Contains(got.raw, `"cacheScope":"private"`) != (c.path == "") {
				t.Errorf("whose is the list of %s at %q? %s", c.person, c.path, got.raw)
			}
			if got := a.send(t.Context(), a.message("resources/templates/list", nil)); strings.Count(got.raw, template) != 1 || !strings.Contains(got.raw, c.template) {
				t.Errorf("%s at %q is offered %s", c.person, c.path, got.raw)
			}
		}
	})
}

// A call asks the cluster that it names, or the one that is meant without a word.
func TestACallNamesItsCluster(t *testing.T) {
	q := newQuarter(t)
	eras(t, func(t *testing.T, newer bool) {
		for i, c := range []struct{ person, path, named, asked string }{
			{"alice", "", "", "main"}, {"alice", "", "archive", "archive"}, {"alice", "", "main", "main"},
			{"alice", "/archive", "", "archive"}, {"alice", "/archive", "archive", "archive"},
			{"bob", "", "", "main"}, {"bob", "", "main", "main"}, {"bob", "/main", "", "main"},
		} {
			a := newAgent(t, q.base+c.path, c.person, newer)
			arguments := map[string]any{"sql": fmt.Sprintf("SELECT 'mark_%t_%d', currentUser()", newer, i)}
			if c.named != "" {
				arguments["cluster"] = c.named
			}
			text, failed := a.call("query", arguments)
			if failed || !strings.Contains(text, c.person) || q.recorded(t, fmt.Sprintf("mark_%t_%d'", newer, i), `"cluster":"`+c.asked+`"`) != 1 {
				t.Errorf("%+v: %s", c, text)
			}
		}
	})
	a := newAgent(t, q.base, "alice", true)
	for tool, arguments := range map[string]map[string]any{
		"search_schema": {"words": "orders"}, "describe_tables": {"tables": []string{"shop.orders"}, "samples": true}, "whoami": {},
	} {
		arguments["cluster"] = "archive"
		text, failed := a.call(tool, arguments)
		if failed || q.recorded(t, `"tool":"`+tool+`"`, `"cluster":"archive"`) == 0 || q.recorded(t, `"tool":"`+tool+`"`, `"cluster":"main"`) != 0 {
			t.Errorf("%s at archive: %s", tool, text)
		}
		if tool == "whoami" && !strings.Contains(text, "clusters that you reach: archive, main. What follows is archive.") {
			t.Errorf("whoami names no clusters: %s", text)
		}
	}
	if text, _ := newAgent(t, q.base, "bob", true).call("whoami", nil); strings.Contains(text, "clusters") || strings.Contains(text, "archive") {
		t.Errorf("Bob, who reaches one: %s", text)
	}
}

// Whose a cluster is not, and whom a path does not lead there, is told what everybody is
// told of a cluster that is not there, by every tool and resource; and it is recorded.
func TestClustersThatAreNotTheirs(t *testing.T) {
	q := newQuarter(t)
	eras(t, func(t *testing.T, newer bool) {
		for _, c := range []struct{ person, path, foreign, reach string }{
			{"bob", "", "archive", "you reach main"}, {"alice", "", "carols", "you reach archive, main"},
			{"alice", "/main", "archive", "you reach main"}, {"carol", "/archive", "carols", "you reach archive"},
			{"bob", "/carols", "carols", "you reach main"},
		} {
			a := newAgent(t, q.base+c.path, c.person, newer)
			told := map[string]bool{}
			for _, name := range []string{c.foreign, "none", "Main", strings.Repeat("x", 300)} {
				for tool, arguments := range map[string]map[string]any{
					"query": {"sql": "SELECT 'mark_foreign'"}, "search_schema": {"words": "orders"},
					"describe_tables": {"tables": []string{"shop.orders"}}, "whoami": {},
				} {
					arguments["cluster"] = name
					text, failed := a.call(tool, arguments)
					if text, _, _ = strings.Cut(text, "\nYour own"); !failed {
						t.Errorf("%s at %q, %s of %.10q: %s", c.person, c.path, tool, name, text)
					}
					told[strings.TrimSpace(text)] = true
				}
				got := a.send(t.Context(), a.message("resources/read", map[string]any{"uri": "clickhouse://shop/orders?cluster=" + name}))
				if got.answer.Error == nil || c.path != "/carols" && !strings.HasSuffix(got.answer.Error.Message, c.reach) {
					t.Errorf("%s at %q reads of %.10q: %s", c.person, c.path, name, got.raw)
				}
			}
			if c.path != "/carols" && len(told) != 1 {
				t.Errorf("%s at %q can tell them apart: %v", c.person, c.path, told)
			}
		}
	})
	if q.recorded(t, `"kind":"open"`) != 0 || q.recorded(t, `"kind":"refuse"`, `"cluster":"archive"`, `"tool":"query"`, "mark_foreign") == 0 {
		t.Error("something was asked, or refused without a record")
	}
}

// Where no cluster is meant without a word, whoever reaches several says which; whoever
// reaches one need not.
func TestWithoutADefaultCluster(t *testing.T) {
	q := newQuarter(t, func(c *Config) { c.Default = "" })
	alice, bob := newAgent(t, q.base, "alice", true), newAgent(t, q.base, "bob", true)
	if text, failed := alice.call("query", map[string]any{"sql": "SELECT 1"}); !failed || !strings.Contains(text, `"cluster" is one of archive, main`) {
		t.Errorf("Alice does not say which: %s", text)
	}
	if got := alice.send(t.Context(), alice.message("resources/read", map[string]any{"uri": "clickhouse://shop/orders"})); got.answer.Error == nil || !strings.Contains(got.answer.Error.Message, "archive, main") {
		t.Errorf("nor here: %s", got.raw)
	}
	if text, failed := alice.call("query", map[string]any{"sql": "SELECT 1", "cluster": "archive"}); failed {
		t.Errorf("Alice says which: %s", text)
	}
	if got := alice.send(t.Context(), alice.message("resources/read", map[string]any{"uri": "clickhouse://shop/orders?cluster=archive"})); got.answer.Error != nil {
		t.Errorf("here, too: %s", got.raw)
	}
	if got := alice.send(t.Context(), alice.message("tools/list", nil)); !strings.Contains(got.raw, `"required":["sql","cluster"]`) {
		t.Errorf("it is not needed: %s", got.raw)
	}
	if got := bob.query("SELECT currentUser()"); !strings.Contains(got, "bob") {
		t.Errorf("Bob: %s", got)
	}
}

// A session belongs to the path at which it was opened: at another one it leads nowhere.
func TestASessionBelongsToItsPath(t *testing.T) {
	q := newQuarter(t)
	for _, c := range [][2]string{{"", "/main"}, {"/main", ""}, {"/main", "/archive"}} {
		a := newAgent(t, q.base+c[0], "alice", false)
		elsewhere := *a
		elsewhere.url = q.base + c[1]
		got := elsewhere.send(t.Context(), elsewhere.message("tools/call", map[string]any{"name": "query", "arguments": map[string]any{"sql": "SELECT 'mark_session'"}}))
		if got.status != http.StatusForbidden {
			t.Errorf("a session of %q at %q: %d %s", c[0], c[1], got.status, got.raw)
		}
		if text := a.query("SELECT 1"); text == "" {
			t.Error("and then it ends")
		}
	}
	if q.recorded(t, "mark_session") != 0 {
		t.Error("it was asked")
	}
}

// What is no name of a cluster in a URI is told.
func TestResourcesOfNoCluster(t *testing.T) {
	q := newQuarter(t)
	a := newAgent(t, q.base, "alice", true)
	for _, query := range []string{"?cluster=", "?cluster=%zz", "?other=main", "?cluster=main&cluster=archive", "?cluster=main%2Carchive", "?cluster=main?cluster=archive"} {
		got := a.send(t.Context(), a.message("resources/read", map[string]any{"uri": "clickhouse://shop/orders" + query}))
		if got.answer.Error == nil {
			t.Errorf("%s: %s", query, got.raw)
		}
		if !json.Valid([]byte(got.raw)) && !strings.Contains(got.raw, "data: ") {
			t.Errorf("%s: no JSON: %s", query, got.raw)
		}
	}
}
