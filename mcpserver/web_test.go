package mcpserver

import (
	"net/http"
	"testing"
)

// TestWeb: pages of our own origins may call, every other one may not, and no
// name can be rebound to our loopback address.
func TestWeb(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Origins = []string{"https://inspector.example.com"} })
	for name, c := range map[string]struct {
		host, origin, site string
		refused            bool
	}{
		"a program":             {"", "", "", false},
		"a trusted page":        {"", "https://inspector.example.com", "cross-site", false},
		"a page of ours":        {"porterhouse.example.com", "https://porterhouse.example.com", "same-origin", false},
		"through a proxy":       {"porterhouse.example.com", "", "", false},
		"a foreign page":        {"", "https://evil.example.net", "cross-site", true},
		"a foreign page, old":   {"", "https://evil.example.net", "", true},
		"a sandboxed page":      {"", "null", "cross-site", true},
		"an unlike scheme":      {"", "http://inspector.example.com", "cross-site", true},
		"a rebound name":        {"evil.example.net", "", "", true},
		"a rebound page":        {"evil.example.net", "http://evil.example.net", "same-origin", true},
		"a rebound localhost":   {"localhost.evil.example.net", "", "", true},
		"localhost by its name": {"localhost:1234", "", "", false},
		"IPv6":                  {"[::1]:1234", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
				r, err := http.NewRequestWithContext(t.Context(), method, h.url, nil)
				check(t, err)
				r.Host = c.host
				for key, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
					if value != "" {
						r.Header.Set(key, value)
					}
				}
				res, err := http.DefaultClient.Do(r)
				check(t, err)
				check(t, res.Body.Close())
				if refused := res.StatusCode == http.StatusForbidden; refused != c.refused {
					t.Errorf("%s: status %d", method, res.StatusCode)
				}
				allowed := res.Header.Get("Access-Control-Allow-Origin")
				if want := map[bool]string{true: "", false: c.origin}[c.refused]; allowed != want {
					t.Errorf("%s: allows the origin %q, want %q", method, allowed, want)
				}
			}
		})
	}
}

// TestPreflight: what a browser asks before it lets a page call us.
func TestPreflight(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Origins = []string{"https://inspector.example.com"} })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, h.url, nil)
	check(t, err)
	r.Header.Set("Origin", "https://inspector.example.com")
	r.Header.Set("Access-Control-Request-Method", "POST")
	res, err := http.DefaultClient.Do(r)
	check(t, err)
	check(t, res.Body.Close())
	for key, want := range map[string]string{
		"Access-Control-Allow-Methods":  "GET, POST, DELETE",
		"Access-Control-Allow-Headers":  "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID",
		"Access-Control-Expose-Headers": "Mcp-Session-Id, WWW-Authenticate, Retry-After, X-Request-Id",
		"Vary":                          "Origin",
	} {
		if got := res.Header.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if res.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", res.StatusCode)
	}
}
