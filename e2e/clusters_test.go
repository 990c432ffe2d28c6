package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"porterhouse/sandbox"
)

// openQuarter starts a Porterhouse in front of two ClickHouses: main, which is everybody's,
// and archive, which is Alice's. It returns the URL of the door for ClickHouse's clients.
func openQuarter(t *testing.T) (h *house, door string, main, archive *sandbox.Server) {
	t.Helper()
	main, gateway := freshClickHouse(t, sandbox.Options{})
	archive, other := freshClickHouse(t, sandbox.Options{})
	for name, db := range map[string]*sandbox.Server{"main": main, "archive": archive} {
		for _, sql := range []string{"CREATE DATABASE here", "CREATE VIEW here.name AS SELECT '" + name + "' AS name", "GRANT SELECT ON here.* TO alice, bob"} {
			if err := db.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	h = prepareHouse(t, main.HTTP, gateway, settings{extra: "clickhouse_http: {listen: '127.0.0.1:0'}\ndefault_cluster: main\n"})
	h.write("archive.password", other.Password)
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	h.write("porterhouse.yaml", strings.Replace(string(text), "clusters:\n", fmt.Sprintf(
		"clusters:\n  archive: {url: %q, user: %s, password: \"file:archive.password\", for: {users: [alice@example.com]}}\n", archive.HTTP, other.User), 1))
	for _, person := range sandbox.People() {
		h.tokens[person.Account] = h.token(person.Email)
	}
	h.start(settings{})
	return h, h.doorURL(), main, archive
}

// doorURL waits until the door for ClickHouse's clients is open, and returns its URL.
func (h *house) doorURL() (url string) {
	h.t.Helper()
	h.eventually("the door for ClickHouse's clients is open", far, func() bool {
		found := regexp.MustCompile(`msg="serving ClickHouse's clients" url=(\S+)`).FindStringSubmatch(h.log.String())
		if found != nil {
			url = found[1]
		}
		return found != nil
	})
	return url
}

// ask asks at the door for ClickHouse's clients.
func (h *house) ask(url, person string) (int, string) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.tokens[person])
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// Alice reaches both clusters, Bob only one, at both doors; and each is known by its name.
func TestSeveralClusters(t *testing.T) {
	t.Parallel()
	h, door, _, _ := openQuarter(t)
	const sql = "SELECT name, currentUser() FROM here.name"
	bothEras(t, func(t *testing.T, era string) {
		for _, c := range []struct{ person, path, cluster, want string }{
			{"alice", "", "", "main"}, {"alice", "", "archive", "archive"}, {"alice", "/archive", "", "archive"},
			{"bob", "", "", "main"}, {"bob", "/main", "", "main"},
			{"bob", "", "archive", ""}, {"bob", "", "none", ""}, {"bob", "/archive", "", ""}, {"alice", "/main", "archive", ""},
		} {
			a := &agent{url: h.url + "/mcp" + c.path, token: h.tokens[c.person], era: era, http: http.DefaultClient}
			if era == sessions {
				if _, err := a.rpc(t.Context(), "initialize", map[string]any{"protocolVersion": era, "capabilities": map[string]any{}, "clientInfo": clientInfo()}); err != nil {
					t.Fatal(err)
				}
			}
			arguments := map[string]any{"sql": sql}
			if c.cluster != "" {
				arguments["cluster"] = c.cluster
			}
			text, err := a.call(t.Context(), "query", arguments)
			if ok := strings.Contains(text, "\n"+c.want+"\t"+c.person); ok != (c.want != "") || (err == nil) != ok {
				t.Errorf("%+v: %s, %v", c, text, err)
			}
			if err != nil && (strings.Contains(err.Error(), "archive") || !strings.Contains(err.Error(), "you reach main")) {
				t.Errorf("%+v is told %v", c, err)
			}
		}
	})
	for _, c := range []struct{ person, target, want string }{
		{"alice", "/?query=", "main\talice\n"}, {"alice", "/archive/?query=", "archive\talice\n"}, {"alice", "/?database=archive:here&query=", "archive\talice\n"},
		{"bob", "/?query=", "main\tbob\n"}, {"bob", "/archive/?query=", "Code: 497."}, {"bob", "/?database=archive:here&query=", "Code: 497."},
		{"alice", "/archive/?database=main:here&query=", "Code: 36."},
	} {
		if status, text := h.ask(door+c.target+strings.ReplaceAll(sql, " ", "+"), c.person); !strings.HasPrefix(text, c.want) || strings.Contains(text, "archive") && c.person == "bob" {
			t.Errorf("%+v: %d %s", c, status, text)
		}
	}
	refused := 0
	for _, line := range h.records() {
		if line["kind"] == "refuse" && line["user"] == "bob@example.com" && line["cluster"] == "archive" {
			refused++
		}
	}
	if n := h.metric(`porterhouse_clickhouse_queries_total{cluster="archive"}`); n == 0 || refused == 0 {
		t.Errorf("of archive %v questions are counted, and %d refusals to Bob recorded", n, refused)
	}
}

// While one cluster is away the other goes on; who is away, /readyz says.
func TestOneOfTwoClustersIsAway(t *testing.T) {
	t.Parallel()
	h, door, main, archive := openQuarter(t)
	if status, text := h.get("/readyz"); status != http.StatusOK || text != "cluster archive: ready\ncluster main: ready\n" {
		t.Errorf("/readyz: %d %s", status, text)
	}
	if err := archive.Kill(); err != nil {
		t.Fatal(err)
	}
	h.eventually("/readyz says which is away", 20*time.Second, func() bool {
		status, text := h.get("/readyz")
		return status == http.StatusOK && text == "cluster archive: does not answer\ncluster main: ready\n"
	})
	if rows, err := h.mustAgent("alice", stateless).rows(t.Context(), "SELECT name FROM here.name"); err != nil || rows[0][0] != "main" {
		t.Errorf("the other: %v, %v", rows, err)
	}
	if status, text := h.ask(door+"/?query=SELECT+1", "alice"); text != "1\n" {
		t.Errorf("the other: %d %s", status, text)
	}
	if status, _ := h.ask(door+"/archive/ping", "alice"); status != http.StatusServiceUnavailable {
		t.Errorf("its ping: %d", status)
	}
	if status, text := h.ask(door+"/archive/?query=SELECT+1", "alice"); status != http.StatusServiceUnavailable {
		t.Errorf("a question to it: %d %s", status, text)
	}
	if err := main.Kill(); err != nil {
		t.Fatal(err)
	}
	h.eventually("without any we are not ready", 20*time.Second, func() bool {
		status, _ := h.get("/readyz")
		return status == http.StatusServiceUnavailable
	})
}

// A demo of two clusters is what its text promises, in each access mode: Alice reaches
// both, Bob one.
func TestDemoOfTwoClusters(t *testing.T) {
	t.Parallel()
	for mode, logsIn := range map[string]string{executeAs: "porterhouse", verify: "alice"} {
		t.Run(mode, func(t *testing.T) { demoOfTwoClusters(t, mode, logsIn) })
	}
}

// demoOfTwoClusters is one of them, with who it is that logs in to ClickHouse for Alice.
func demoOfTwoClusters(t *testing.T, mode, logsIn string) {
	cmd, d := startDemo(t, "--clusters", "2", "--access", mode)
	if got := strings.Join(d.Clusters, " "); got != "archive main" {
		t.Errorf("it names the clusters %q", got)
	}
	for _, c := range []struct {
		person string
		both   bool
	}{{"alice", true}, {"bob", false}} {
		a := &agent{url: d.MCP, token: d.People[c.person], era: stateless, http: http.DefaultClient}
		whoami, err := a.call(t.Context(), "whoami", map[string]any{})
		if err != nil || strings.Contains(whoami, "archive, main") != c.both || strings.Contains(whoami, "archive") != c.both {
			t.Errorf("%s is told %s, %v", c.person, whoami, err)
		}
		text, err := a.call(t.Context(), "query", map[string]any{"sql": "SELECT count() FROM films.movies", "cluster": "archive"})
		if (err == nil) != c.both || err != nil && strings.Contains(err.Error(), "archive") {
			t.Errorf("%s at archive: %s, %v", c.person, text, err)
		}
	}
	for _, cluster := range d.Clusters {
		a := &agent{url: d.MCP, token: d.People["alice"], era: stateless, http: http.DefaultClient}
		text, err := a.call(t.Context(), "query", map[string]any{"sql": "SELECT currentUser(), authenticatedUser()", "cluster": cluster})
		if want := "\nalice\t" + logsIn + "\n"; err != nil || !strings.Contains(text, want) {
			t.Errorf("at %s: no %q in %s, %v", cluster, want, text, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C the demo ends with %v", err)
	}
	leavesNothing(t, d)
}
