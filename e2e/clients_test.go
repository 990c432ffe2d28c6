package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// everyTool is what the server lists.
var everyTool = []string{"describe_tables", "query", "search_schema", "whoami"}

// truth is what the demo's ClickHouse itself, asked as its admin, says about what
// Alice and Bob may see.
type truth struct {
	answer map[string]string // to the question, by the person
	team   string            // of Bob
}

// question is one that Alice and Bob are answered differently; clients/walk.mjs
// asks it too.
const question = "SELECT currentUser() AS who, authenticatedUser() AS via, count() AS n FROM usage.events"

func askTruth(t *testing.T, d demo) truth {
	t.Helper()
	direct := func(sql string) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.ClickHouse.HTTP, strings.NewReader(sql))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(d.ClickHouse.User, d.ClickHouse.Password)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: HTTP %d, %v: %s", sql, response.StatusCode, err, text)
		}
		return string(text)
	}
	const asked, own = "SELECT '%s', 'porterhouse', count() FROM usage.events%s", " WHERE team = (SELECT team FROM usage.members WHERE person = 'bob')"
	return truth{
		answer: map[string]string{
			"alice": direct(fmt.Sprintf(asked, "alice", "")),
			"bob":   direct(fmt.Sprintf(asked, "bob", own)),
		},
		team: strings.TrimSpace(direct("SELECT team FROM usage.members WHERE person = 'bob'")),
	}
}

// check looks at what a person got of every tool, by the tool's name.
func (w truth) check(t *testing.T, person string, got map[string]string) {
	t.Helper()
	for tool, part := range map[string]string{
		"whoami":          "You are " + person + "@example.com ",
		"query":           "\n" + w.answer[person],
		"search_schema":   "usage.events (",
		"describe_tables": "usage.events (MergeTree",
	} {
		if !strings.Contains(got[tool], part) {
			t.Errorf("%s: %s says nothing of %q in %q", person, tool, part, got[tool])
		}
	}
	teams := sampledTeams(t, got["describe_tables"])
	if person == "bob" && slices.ContainsFunc(teams, func(team string) bool { return team != w.team }) {
		t.Errorf("Bob, of the team %s, sees in the sample the teams %v", w.team, teams)
	}
}

// sampledTeams returns the column team of the sample of a table.
func sampledTeams(t *testing.T, described string) (teams []string) {
	t.Helper()
	_, sample, _ := strings.Cut(described, "\n  sample of 3 rows:\n")
	head, rows, _ := strings.Cut(sample, "\n")
	at := slices.Index(strings.Split(head, "\t"), "team")
	for row := range strings.Lines(rows) {
		if values := strings.Split(row, "\t"); at >= 0 && at < len(values) {
			teams = append(teams, values[at])
		}
	}
	if len(teams) != 3 {
		t.Errorf("no sample of three rows with their team in %q", described)
	}
	return teams
}

// inspectDemo lists and calls every tool with the command line of the MCP inspector.
func inspectDemo(t *testing.T, d demo) {
	want := askTruth(t, d)
	for _, person := range []string{"alice", "bob"} {
		var list struct{ Tools []struct{ Name string } }
		inspect(t, d, person, &list, "--method", "tools/list")
		var names []string
		for _, tool := range list.Tools {
			names = append(names, tool.Name)
		}
		if slices.Sort(names); !slices.Equal(names, everyTool) {
			t.Errorf("the inspector lists the tools %v to %s", names, person)
		}
		got := map[string]string{}
		for tool, arguments := range map[string]string{
			"whoami":          `{}`,
			"query":           fmt.Sprintf(`{"sql": %q}`, question),
			"search_schema":   `{"words": "flights usage"}`,
			"describe_tables": `{"tables": ["usage.events"], "samples": true}`,
		} {
			var result struct {
				IsError bool
				Content []struct{ Text string }
			}
			inspect(t, d, person, &result, "--method", "tools/call", "--tool-name", tool, "--tool-args-json", arguments)
			if result.IsError || len(result.Content) != 1 {
				t.Fatalf("%s of %s: %+v", tool, person, result)
			}
			got[tool] = result.Content[0].Text
		}
		want.check(t, person, got)
		if finds := strings.Contains(got["search_schema"], "flights.flights"); finds != (person == "alice") {
			t.Errorf("%s finds by search_schema: %s", person, got["search_schema"])
		}
	}
}

// inspect runs the inspector's command line once and decodes the result that it prints.
// MCP_AUTO_OPEN_ENABLED=false keeps it from opening a browser,
// MCP_INSPECTOR_SECRET_STORE=file from asking a key ring.
func inspect(t *testing.T, d demo, person string, result any, arguments ...string) {
	t.Helper()
	out := runNode(t, []string{"HOME=" + t.TempDir(), "MCP_AUTO_OPEN_ENABLED=false", "MCP_INSPECTOR_SECRET_STORE=file"},
		append([]string{"node_modules/.bin/mcp-inspector", "--cli", d.MCP, "--transport", "http",
			"--header", "Authorization: Bearer " + d.People[person], "--format", "json", "--quiet"}, arguments...)...)
	if err := json.Unmarshal(out, &struct{ Result any }{result}); err != nil {
		t.Fatalf("inspector prints %s: %v", out, err)
	}
}

// walkDemo lists and calls every tool with the TypeScript SDK, of both eras.
func walkDemo(t *testing.T, d demo) {
	want := askTruth(t, d)
	for _, script := range [][]string{
		{"clients/sdk1.mjs", d.MCP, "usage.events"},
		{"clients/sdk2.mjs", d.MCP, "usage.events", "modern"},
	} {
		for _, person := range []string{"alice", "bob"} {
			var seen struct {
				Tools []struct{ Name string }
				Calls []struct {
					Name string
					Args struct{ SQL string }
					Text string
				}
			}
			out := runNode(t, []string{"PORTERHOUSE_TOKEN=" + d.People[person]}, script...)
			if err := json.Unmarshal(out, &seen); err != nil {
				t.Fatalf("%v: %v in %s", script, err, out)
			}
			var names []string
			for _, tool := range seen.Tools {
				names = append(names, tool.Name)
			}
			if slices.Sort(names); !slices.Equal(names, everyTool) {
				t.Errorf("%v lists the tools %v to %s", script, names, person)
			}
			got := map[string]string{}
			for _, call := range seen.Calls {
				if call.Name != "query" || call.Args.SQL == question {
					got[call.Name] = call.Text
				}
			}
			want.check(t, person, got)
		}
	}
}

// runNode runs a script below npm and returns what it prints.
func runNode(t *testing.T, env []string, arguments ...string) []byte {
	t.Helper()
	node, err := filepath.Abs(filepath.Join("npm", "node_modules", ".bin", "node"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, arguments...)
	cmd.Dir, cmd.Env = "npm", append(append(os.Environ(), "PATH="+filepath.Dir(node)+":"+os.Getenv("PATH")), env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v (run `make deps` when node is not there)\n%s\n%s", arguments[0], err, problems.String(), out.String())
	}
	return out.Bytes()
}
