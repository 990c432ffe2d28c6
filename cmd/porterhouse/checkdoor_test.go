package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// At a Porterhouse where people sign in each client is told how far it gets.
func TestDoorway(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		sees   map[string]string // what a client that begins so comes to
	}{
		{"without registration", func(c *Config) { c.AuthServer.AllowRegistration = false }, map[string]string{
			"Claude on the web": "careful does not come here: it insists on https", "Claude Code": "ok is known by its document",
			"the same without one": "careful cannot make itself known", "clients of before": "careful cannot make itself known", "clickhouse-client": "ok shows a code",
		}},
		{"with registration", func(c *Config) { c.AuthServer.AllowRegistration = true }, map[string]string{
			"the same without one": "ok registers itself at http://", "clients of before": "ok registers itself at http://",
		}},
	} {
		_, s := serveSignIn(t, test.change)
		at := newDoorway(s.config, mcpWays(s.config)[0]).visit(t.Context())
		if err := at.verdict(); err != nil || len(at.Findings) != 3 || len(at.Views) != len(mcpClients()) {
			t.Errorf("%s: %v, %+v", test.name, err, at)
		}
		for _, v := range at.Views {
			for begins, want := range test.sees {
				if got := v.Sees.level.String() + " " + v.Sees.text; strings.HasPrefix(v.Client, begins) && !strings.HasPrefix(got, want) {
					t.Errorf("%s: %s: %s; want %s", test.name, v.Client, got, want)
				}
			}
		}
		var out strings.Builder
		at.print(&out)
		if !strings.Contains(out.String(), "ok      Claude Code, VS Code: is known by its document") {
			t.Errorf("%s", out.String())
		}
	}
}

// brokenDoor is somebody's idea of an MCP door and its authorization server. In its answers
// SELF is its own address.
func brokenDoor(t *testing.T, answers map[string]string, challenge string) string {
	var self string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mcp" {
			if challenge != "" {
				w.Header().Set("WWW-Authenticate", strings.ReplaceAll(challenge, "SELF", self))
			}
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		text, found := answers[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(strings.ReplaceAll(text, "SELF", self)))
	}))
	t.Cleanup(s.Close)
	self = s.URL
	return s.URL
}

// Where a client would stop it is said, and why.
func TestBrokenDoors(t *testing.T) {
	const (
		challenge = `Bearer resource_metadata="SELF/resource"`
		resource  = `{"resource": "SELF/mcp", "authorization_servers": ["SELF/realm"]}`
		good      = `{"issuer": "SELF/realm", "authorization_endpoint": "SELF/a", "token_endpoint": "SELF/t", "code_challenge_methods_supported": ["S256"]}`
		inserted  = "/.well-known/oauth-authorization-server/realm"
	)
	for _, test := range []struct {
		name, challenge string
		answers         map[string]string
		want            string // of the last finding, with its level
	}{
		{"no challenge", "", nil, "WRONG the 401 at "},
		{"a challenge without the document", `Bearer realm="x"`, nil, "WRONG the 401 at "},
		{"no document", challenge, nil, "WRONG the door's own document: "},
		{"a document of another", challenge, map[string]string{"/resource": `{"resource": "https://elsewhere.example.com/mcp"}`}, "WRONG the door's own document is about \"https://elsewhere"},
		{"no JSON", challenge, map[string]string{"/resource": "<html>"}, "WRONG the door's own document: "},
		{"nobody for tokens", challenge, map[string]string{"/resource": `{"resource": "SELF/mcp"}`}, "careful nobody is named"},
		{"no metadata", challenge, map[string]string{"/resource": resource}, "WRONG "},
		{"another issuer", challenge, map[string]string{"/resource": resource, inserted: strings.Replace(good, "SELF/realm", "SELF/other", 1)}, "WRONG what is at "},
		{"no PKCE", challenge, map[string]string{"/resource": resource, inserted: strings.Replace(good, "S256", "plain", 1)}, "WRONG "},
		{"no endpoints", challenge, map[string]string{"/resource": resource, inserted: `{"issuer": "SELF/realm"}`}, "WRONG "},
		{"RFC 8414", challenge, map[string]string{"/resource": resource, inserted: good}, "ok it documents itself at "},
		{"OpenID, inserted", challenge, map[string]string{"/resource": resource, "/.well-known/openid-configuration/realm": good}, "ok it documents itself at "},
		{"OpenID, appended", challenge, map[string]string{"/resource": resource, "/realm/.well-known/openid-configuration": good}, "ok it documents itself at "},
	} {
		c := Config{PublicURL: brokenDoor(t, test.answers, test.challenge)}
		at := newDoorway(c, mcpWays(c)[0]).visit(t.Context())
		last := at.Findings[len(at.Findings)-1]
		if got := last.level.String() + " " + last.text; !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s; want %s", test.name, got, test.want)
		}
		if isWrong := strings.HasPrefix(test.want, "WRONG"); isWrong != (at.verdict() != nil) || isWrong && len(at.Views) > 0 {
			t.Errorf("%s: %v, %+v", test.name, at.verdict(), at.Views)
		}
		if _, err := json.Marshal(at); err != nil {
			t.Error(err)
		}
	}
	away := newDoorway(Config{PublicURL: "http://127.0.0.1:1"}, mcpWay{path: mcpPath}).visit(t.Context())
	if away.verdict() != nil || len(away.Findings) != 1 || away.Findings[0].level != careful {
		t.Errorf("where nobody serves: %+v", away)
	}
}
