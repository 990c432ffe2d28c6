package mcpserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestConformance runs the official server suites of both eras against the
// fixture behind our real door, with authentication on: with a token of our own
// authorization server. The suites cannot send one, so a proxy on loopback adds it.
func TestConformance(t *testing.T) {
	node, suite := npmBin(t, "node"), npmBin(t, "conformance")
	for _, revision := range []string{"2026-07-28", "2025-11-25"} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			token, verify := ownToken(t)
			server := httptest.NewServer(fixtureDoor(t, verify))
			t.Cleanup(server.Close)
			cmd := exec.CommandContext(t.Context(), node, suite, "server",
				"--url", withToken(t, server.URL, token)+"/mcp", "--requirements", revision, "-o", t.TempDir())
			cmd.Env = append(os.Environ(), "NO_COLOR=1")
			out, err := cmd.CombinedOutput()
			passed, scored := scores(string(out))
			t.Logf("conformance %s: %d/%d", revision, passed, scored)
			if err == nil && (scored < leastScored || passed < scored) {
				err = fmt.Errorf("only %d of %d scored scenarios passed", passed, scored)
			}
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// leastScored guards against a suite that ran hardly anything.
const leastScored = 30

// scores counts the scenarios of the suite's summary that count.
func scores(out string) (passed, scored int) {
	_, summary, _ := strings.Cut(out, "=== SUMMARY ===")
	summary, unscored, _ := strings.Cut(summary, "Not scored")
	for _, line := range regexp.MustCompile(`(?m)^([✓✗]) (\S+): `).FindAllStringSubmatch(summary, -1) {
		if strings.Contains(unscored, " "+line[2]+" ") {
			continue
		}
		scored++
		if line[1] == "✓" {
			passed++
		}
	}
	return passed, scored
}

// npmBin finds a program of e2e/npm.
func npmBin(t testing.TB, name string) string {
	path, err := filepath.Abs(filepath.Join("..", "e2e", "npm", "node_modules", ".bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing (%v): run make deps", name, err)
	}
	return path
}

// withToken is the URL of a proxy that adds a token to every request.
func withToken(t testing.TB, target, token string) string {
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // what the door checks
			r.Out.Header.Set("Authorization", "Bearer "+token)
		},
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Otherwise net/http closes the request's body with the first byte of a quick
		// answer, and the proxy, still looking for the body's end, breaks off.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Errorf("proxy: %v", err)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}
