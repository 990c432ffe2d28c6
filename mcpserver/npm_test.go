package mcpserver

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTypeScriptClients: SDKs that nobody here wrote list and call every tool, in
// each era that they know.
func TestTypeScriptClients(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		arguments []string
		session   bool
	}{
		"sdk 1":        {[]string{"sdk1.mjs", h.url, "shop.orders"}, true},
		"sdk 2 modern": {[]string{"sdk2.mjs", h.url, "shop.orders", "modern"}, false},
		"sdk 2 auto":   {[]string{"sdk2.mjs", h.url, "shop.orders", "auto"}, false},
		"sdk 2 legacy": {[]string{"sdk2.mjs", h.url, "shop.orders", "legacy"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen struct {
				Session      bool
				Instructions string
				Tools        []struct{ Name string }
				Prompts      []struct{ Name string }
				Resource     []struct{ Text string }
				Calls        []struct {
					Name  string
					Error bool
					Text  string
				}
			}
			check(t, json.Unmarshal(runNode(t, nil, c.arguments...), &seen))
			if seen.Session != c.session || !strings.Contains(seen.Instructions, "search_schema") || len(seen.Tools) != 4 || len(seen.Prompts) != 1 {
				t.Errorf("%+v", seen)
			}
			if len(seen.Resource) != 1 || !strings.HasPrefix(seen.Resource[0].Text, "shop.orders (MergeTree") {
				t.Errorf("resource %+v", seen.Resource)
			}
			for i, want := range []string{
				"You are alice@example.com", "1 row, complete.\nme:String\ttwo:UInt16\nalice\t2\n", "3 rows, NOT ALL. Cut at 3 rows.",
				`{"row_count":150,"complete":true,`, "1 row, complete.\n| a |\n|---|\n| 1 |\n", "Error UNKNOWN_IDENTIFIER", "Matches 1 to ", "shop.orders (MergeTree",
			} {
				if i >= len(seen.Calls) || !strings.HasPrefix(seen.Calls[i].Text, want) || seen.Calls[i].Error != strings.HasPrefix(want, "Error") {
					t.Errorf("call %d: no %q in %+v", i, want, seen.Calls)
				}
			}
		})
	}
}

// TestInspector drives the MCP Inspector's command line, in both eras:
//
//	inspector --cli URL --transport http --protocol-era modern --header "Authorization: Bearer TOKEN" \
//	    --method tools/call --tool-name query --tool-args-json '{"sql":"SELECT 1"}' --format json
//
// MCP_AUTO_OPEN_ENABLED=false keeps it from opening a browser,
// MCP_INSPECTOR_SECRET_STORE=file from asking a key ring, and HOME is where it
// keeps its files. (--header puts the token into the list of processes.)
func TestInspector(t *testing.T) {
	h := newHouse(t)
	for _, era := range []string{"legacy", "modern"} {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			inspect := func(arguments ...string) string {
				env := []string{"MCP_AUTO_OPEN_ENABLED=false", "MCP_INSPECTOR_SECRET_STORE=file", "HOME=" + t.TempDir()}
				return string(runNode(t, env, append([]string{npmBin(t, "inspector"), "--cli", h.url, "--transport", "http", "--protocol-era", era,
					"--header", "Authorization: Bearer " + tokenOf("bob"), "--format", "json", "--quiet"}, arguments...)...))
			}
			if got := inspect("--method", "tools/list"); !strings.Contains(got, `"describe_tables"`) {
				t.Error(got)
			}
			if got := inspect("--method", "tools/call", "--tool-name", "query", "--tool-args-json", `{"sql":"SELECT currentUser()"}`); !strings.Contains(got, `\nbob\n`) {
				t.Error(got)
			}
		})
	}
}

// runNode runs a script of e2e/npm/clients, or the program with the absolute path,
// and returns what it printed. The scripts get Alice's token.
func runNode(t *testing.T, env []string, arguments ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), npmBin(t, "node"), arguments...)
	clients, err := filepath.Abs(filepath.Join("..", "e2e", "npm", "clients"))
	check(t, err)
	cmd.Dir, cmd.Env = clients, append(append(os.Environ(), "PORTERHOUSE_TOKEN="+tokenOf("alice")), env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, problems.String(), out.String())
	}
	return out.Bytes()
}
