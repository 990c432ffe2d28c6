package e2e

import (
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"go.yaml.in/yaml/v3"
)

// What the demo prints for ClickHouse's own clients works as it stands, as Alice, in
// both access modes.
func TestDemoForClickHouseClients(t *testing.T) {
	for _, mode := range []string{executeAs, verify} {
		t.Run(mode, func(t *testing.T) {
			text := printedDemo(t, "--access", mode)
			t.Run("curl", func(t *testing.T) { curlAsPrinted(t, text) })
			t.Run("Grafana", func(t *testing.T) { grafanaAsPrinted(t, text) })
			t.Run("JavaScript", func(t *testing.T) { javaScriptAsPrinted(t, text) })
		})
	}
}

// The line for scripts names the door's addresses, and what to trust.
func TestDemoNamesItsHTTPDoor(t *testing.T) {
	t.Parallel()
	cmd, d := startDemo(t)
	for name, address := range map[string]string{"http": d.HTTP, "https": d.HTTPS} {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != name || u.Port() == "" || u.Path != "" {
			t.Fatalf("%s is %q: %v", name, address, err)
		}
		out, err := exec.Command("curl", "-sS", "-m", "30", "--cacert", d.CA, "-u", "carol:"+d.People["carol"], address+"/", "-d", "SELECT currentUser()").CombinedOutput()
		if err != nil || string(out) != "carol\n" {
			t.Errorf("%s: %s %v", address, out, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the demo ends with %v", err)
	}
}

// printedDemo runs the demo for a person, until the test ends, and returns what it says.
func printedDemo(t *testing.T, args ...string) string {
	t.Helper()
	cmd := (&house{t: t, dir: "."}).command(append([]string{"demo"}, args...)...)
	var text, log lockedBuffer
	cmd.Stdout, cmd.Stderr = &text, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := <-ended; err != nil {
			t.Errorf("the demo ends with %v\n%s", err, log.String())
		}
	})
	for end := time.Now().Add(3 * time.Minute); !strings.Contains(text.String(), "Ctrl-C stops everything"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the demo says only\n%s\n%s", text.String(), log.String())
		}
	}
	return text.String()
}

// snippet is the indented text below a heading, without its indentation.
func snippet(t *testing.T, text, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(text, "\n"+heading)
	if !found {
		t.Fatalf("there is no %q in\n%s", heading, text)
	}
	_, after, _ = strings.Cut(after, "\n")
	before, _, _ := strings.Cut(after, "\n\n")
	return strings.ReplaceAll("\n"+before, "\n  ", "\n") + "\n"
}

func curlAsPrinted(t *testing.T, text string) {
	want := []string{"alice\n", "{\"count()\":3000000}\n"}
	for i, line := range strings.Split(strings.TrimSpace(snippet(t, text, "curl")), "\n") {
		out, err := exec.Command("sh", "-c", strings.Replace(line, "curl ", "curl -sS -m 60 ", 1)).CombinedOutput()
		if err != nil || string(out) != want[i] {
			t.Errorf("%s\n%s %v", line, out, err)
		}
	}
}

// The data source, used as Grafana's plugin uses it: it hands these fields to ClickHouse's
// driver for Go.
func grafanaAsPrinted(t *testing.T, text string) {
	var file struct {
		Datasources []struct {
			Type     string
			JSONData struct {
				Host, Protocol, Username string
				Port                     string
				DefaultDatabase          string `yaml:"defaultDatabase"`
			} `yaml:"jsonData"`
			SecureJSONData struct{ Password string } `yaml:"secureJsonData"`
		}
	}
	if err := yaml.Unmarshal([]byte(snippet(t, text, "Grafana")), &file); err != nil || len(file.Datasources) != 1 {
		t.Fatalf("%+v, %v", file, err)
	}
	source := file.Datasources[0]
	if source.Type != "grafana-clickhouse-datasource" || source.JSONData.Protocol != "http" {
		t.Fatalf("%+v", source)
	}
	db := clickhouse.OpenDB(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{net.JoinHostPort(source.JSONData.Host, source.JSONData.Port)},
		Auth: clickhouse.Auth{Database: source.JSONData.DefaultDatabase, Username: source.JSONData.Username, Password: source.SecureJSONData.Password},
	})
	defer db.Close()
	var user, database string
	if err := db.QueryRowContext(t.Context(), "SELECT currentUser(), currentDatabase()").Scan(&user, &database); err != nil || user != "alice" || database != "usage" {
		t.Errorf("%q in %q, %v", user, database, err)
	}
}

func javaScriptAsPrinted(t *testing.T, text string) {
	root, err := filepath.Abs("npm")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.CreateTemp(filepath.Join(root, "clients"), "demo-*.mjs") // where its imports are found
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(script.Name())
	if _, err := io.WriteString(script, snippet(t, text, "JavaScript")); err != nil {
		t.Fatal(err)
	}
	if err := script.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(root, "node_modules/.bin/node"), script.Name()).CombinedOutput()
	if err != nil || string(out) != "[ { me: 'alice' } ]\n" {
		t.Errorf("%s %v", out, err)
	}
}
