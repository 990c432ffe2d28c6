package authserver

import (
	"strings"
	"testing"
)

// What a client may register as its redirect URI, and what only the operator may.
func TestCheckRedirect(t *testing.T) {
	const anybody, operator, nobody = "anybody", "operator", "nobody"
	for uri, who := range map[string]string{
		"https://claude.ai/api/mcp/auth_callback":                anybody,
		"https://claude.com/api/mcp/auth_callback":               anybody,
		"https://chatgpt.com/connector_platform_oauth_redirect":  anybody,
		"https://chatgpt.com/connector/oauth/AbC-12_x":           anybody,
		"https://vscode.dev/redirect":                            anybody,
		"https://www.cursor.com/agents/mcp/oauth/callback":       anybody,
		"https://app.example.com:8443/callback?tenant=7":         anybody,
		"https://app.example.com":                                anybody,
		"https://xn--bcher-kva.example/callback":                 anybody,
		"http://localhost/callback":                              anybody,
		"http://localhost:8787/callback":                         anybody,
		"http://127.0.0.1:33418/":                                anybody,
		"http://127.0.0.1":                                       anybody,
		"http://[::1]:6274/oauth/callback":                       anybody,
		"cursor://anysphere.cursor-mcp/oauth/callback":           anybody,
		"claude://claude.ai/mcp-auth-callback/sdk":               anybody,
		"warp://mcp/oauth2callback":                              anybody,
		"com.raycast:/oauth":                                     anybody,
		"com.example.program:/callback":                          operator,
		"myprogram://callback":                                   operator,
		"cursor://anysphere.cursor-mcp/oauth/callback2":          operator,
		"cursor://anysphere.cursor-mcp/oauth/callback?x=1":       operator,
		"vscode://somebody.extension/callback":                   operator,
		"":                                                       nobody,
		"callback":                                               nobody,
		"/callback":                                              nobody,
		"//app.example.com/callback":                             nobody,
		"http://app.example.com/callback":                        nobody,
		"http://localhost.example.com/callback":                  nobody,
		"http://127.0.0.1.example.com/callback":                  nobody,
		"http://127.0.0.2/callback":                              nobody,
		"http://0.0.0.0/callback":                                nobody,
		"http://2130706433/callback":                             nobody, // 127.0.0.1 as one number
		"http://192.168.1.1/callback":                            nobody,
		"http://localhost:/callback":                             nobody,
		"http://LOCALHOST/callback":                              nobody,
		"https://App.example.com/callback":                       nobody,
		"HTTPS://app.example.com/callback":                       nobody,
		"https://app.example.com/callback#":                      nobody,
		"https://app.example.com/callback#fragment":              nobody,
		"https://user@app.example.com/callback":                  nobody,
		"https://claude.ai:secret@evil.example/":                 nobody,
		"http://127.0.0.1:80@evil.example/":                      nobody,
		"https://app.example.com/a/../callback":                  nobody,
		"https://app.example.com/%2e%2e/callback":                nobody,
		"https://app.example.com\\@evil.example/":                nobody,
		"https://*.example.com/callback":                         nobody,
		"https://app.example.com/*":                              nobody,
		"https://app.example.com/call back":                      nobody,
		"https://app.example.com/call\nback":                     nobody,
		"https://app.example.com/\u202eback":                     nobody,
		"https://bücher.example/callback":                        nobody,
		"https://app.example.com./callback":                      nobody,
		"https:///callback":                                      nobody,
		"https:app.example.com/callback":                         nobody,
		"https://app%2eexample.com/callback":                     nobody,
		"javascript:alert(1)":                                    nobody,
		"JavaScript:alert(1)":                                    nobody,
		"data:text/html,<script>alert(1)</script>":               nobody,
		"file:///etc/passwd":                                     nobody,
		"blob:https://app.example.com/1":                         nobody,
		"view-source:https://app.example.com/":                   nobody,
		"cursor://anysphere.cursor-mcp/oauth/callback#":          nobody,
		"cursor://user@anysphere.cursor-mcp/oauth/callback":      nobody,
		"https://app.example.com/" + strings.Repeat("a", 1024):   nobody,
		"https://app.example.com/callback\"><script>":            nobody,
		"urn:ietf:wg:oauth:2.0:oob":                              operator,
		"intent://callback#Intent;scheme=https;package=evil;end": nobody,
	} {
		if err := checkRedirect(uri, false); (err == nil) != (who == anybody) {
			t.Errorf("%.80q of a client that nobody knows: %v; it is for %s", uri, err, who)
		}
		if err := checkRedirect(uri, true); (err == nil) != (who != nobody) {
			t.Errorf("%.80q of the operator: %v; it is for %s", uri, err, who)
		}
	}
}

// Codes are sent to what was registered, byte for byte, but for ports on loopback.
func TestAllowsRedirect(t *testing.T) {
	const web, loopback, local, six = "https://app.example.com/callback?tenant=7", "http://127.0.0.1:1234/callback", "http://localhost/callback", "http://[::1]/callback"
	client := Client{RedirectURIs: []string{web, loopback, local, six, "cursor://anysphere.cursor-mcp/oauth/callback"}}
	for _, uri := range []string{
		web, loopback, local, six,
		"http://127.0.0.1/callback", "http://127.0.0.1:49152/callback", "http://localhost:33418/callback", "http://[::1]:8080/callback",
		"cursor://anysphere.cursor-mcp/oauth/callback",
	} {
		if err := client.allowsRedirect(uri); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	for name, uri := range map[string]string{
		"nothing":                        "",
		"another path":                   "https://app.example.com/callback2?tenant=7",
		"a longer path":                  "https://app.example.com/callback/?tenant=7",
		"a path below":                   "https://app.example.com/callback/x?tenant=7",
		"dots":                           "https://app.example.com/x/../callback?tenant=7",
		"upper case":                     "https://app.example.com/Callback?tenant=7",
		"an upper-case host":             "https://APP.example.com/callback?tenant=7",
		"a port":                         "https://app.example.com:443/callback?tenant=7",
		"another port":                   "https://app.example.com:8443/callback?tenant=7",
		"no query":                       "https://app.example.com/callback",
		"another query":                  "https://app.example.com/callback?tenant=8",
		"a longer query":                 "https://app.example.com/callback?tenant=7&next=https://evil.example",
		"a fragment":                     "https://app.example.com/callback?tenant=7#x",
		"a user":                         "https://evil@app.example.com/callback?tenant=7",
		"another host":                   "https://evil.example/callback?tenant=7",
		"a subdomain":                    "https://x.app.example.com/callback?tenant=7",
		"a host that begins so":          "https://app.example.com.evil.example/callback?tenant=7",
		"no TLS":                         "http://app.example.com/callback?tenant=7",
		"an encoded letter":              "https://app.example.com/c%61llback?tenant=7",
		"a space behind":                 "https://app.example.com/callback?tenant=7 ",
		"loopback, another path":         "http://127.0.0.1:1234/other",
		"loopback, a query":              "http://127.0.0.1:1234/callback?x=1",
		"loopback, a fragment":           "http://127.0.0.1:1234/callback#x",
		"loopback, with TLS":             "https://127.0.0.1:1234/callback",
		"loopback, another address":      "http://127.0.0.2:1234/callback",
		"loopback, a user":               "http://x@127.0.0.1:1234/callback",
		"loopback as the user":           "http://127.0.0.1:1234@evil.example/callback",
		"loopback, an empty port":        "http://127.0.0.1:/callback",
		"loopback, no path":              "http://127.0.0.1:1234",
		"loopback, upper case":           "http://LOCALHOST:1/callback",
		"loopback as a name's beginning": "http://localhost.evil.example/callback",
		"a scheme's longer path":         "cursor://anysphere.cursor-mcp/oauth/callback/x",
		"a scheme's query":               "cursor://anysphere.cursor-mcp/oauth/callback?x",
		"a relative one":                 "/callback",
		"a wildcard":                     "*",
	} {
		if client.allowsRedirect(uri) == nil {
			t.Errorf("%s: %s is allowed", name, uri)
		}
	}
	if (Client{}).allowsRedirect("http://127.0.0.1/") == nil || (Client{}).allowsRedirect("") == nil {
		t.Error("a client without redirect URIs has one")
	}
}

// Whatever is asked for, a code goes to a registered host, or to this machine.
func FuzzAllowsRedirect(f *testing.F) {
	client := Client{RedirectURIs: []string{"https://app.example.com/callback", "http://localhost/callback"}}
	for _, seed := range []string{"http://localhost:1/callback", "http://localhost:1@x/callback", "https://app.example.com/callback", "http://localhost\x00/callback"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if client.allowsRedirect(uri) != nil || uri == "https://app.example.com/callback" || uri == "http://localhost/callback" {
			return
		}
		port, ok := strings.CutPrefix(uri, "http://localhost:")
		port, path, found := strings.Cut(port, "/")
		if !ok || !found || path != "callback" || port == "" || strings.Trim(port, "0123456789") != "" {
			t.Errorf("%q is allowed", uri)
		}
	})
}
