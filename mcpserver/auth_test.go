package mcpserver

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

const challenge = `Bearer resource_metadata="https://porterhouse.example.com/.well-known/oauth-protected-resource/mcp", scope="clickhouse:read"`

// TestAuthentication tells what each way of not being proved is answered with.
func TestAuthentication(t *testing.T) {
	h := newHouse(t)
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	for name, c := range map[string]struct {
		headers   []string // of Authorization
		query     string
		status    int
		challenge string // "": no challenge
	}{
		"no token":        {nil, "", 401, challenge},
		"another scheme":  {[]string{"Basic YTpi"}, "", 401, challenge},
		"unknown token":   {[]string{"Bearer wrong"}, "", 401, challenge + `, error="invalid_token", error_description="this token is not known"`},
		"no token behind": {[]string{"Bearer "}, "", 400, challenge + `, error="invalid_request", error_description="after Bearer`},
		"two tokens":      {[]string{"Bearer token-of-alice token-of-bob"}, "", 400, `error="invalid_request"`},
		"not a token":     {[]string{"Bearer \"}, evil=\""}, "", 400, `error="invalid_request"`},
		"two headers":     {[]string{"Bearer token-of-alice", "Bearer token-of-bob"}, "", 400, `error="invalid_request"`},
		"in the URL":      {nil, "?access_token=token-of-alice", 400, `error="invalid_request"`},
		"in both":         {[]string{"Bearer token-of-alice"}, "?access_token=x", 400, `error="invalid_request"`},
		"too few scopes":  {[]string{"Bearer token-of-weak"}, "", 403, challenge + `, error="insufficient_scope", error_description="your token lacks the scope clickhouse:read"`},
		"not let in":      {[]string{"Bearer token-of-stranger"}, "", 403, ""}, // no other token would help
		"an outage":       {[]string{"Bearer token-of-outage"}, "", 503, ""},
		"a lower bearer":  {[]string{"bearer  token-of-alice"}, "", 400, ""}, // in: a ping without a session is refused by the protocol
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+c.query, strings.NewReader(ping))
			check(t, err)
			r.Header["Authorization"] = c.headers
			res, err := http.DefaultClient.Do(r)
			check(t, err)
			got := (&agent{t: t}).read(res)
			if name == "a lower bearer" {
				if got.status != http.StatusUnsupportedMediaType { // the SDK's word: the token was good
					t.Fatalf("status %d: %s", got.status, got.raw)
				}
				return
			}
			if got.status != c.status || !strings.Contains(got.header.Get("WWW-Authenticate"), c.challenge) || (c.challenge == "") != (got.header.Get("WWW-Authenticate") == "") {
				t.Errorf("status %d, challenge %q, want %d %q", got.status, got.header.Get("WWW-Authenticate"), c.status, c.challenge)
			}
			if c.challenge == challenge && strings.Contains(got.header.Get("WWW-Authenticate"), "error") {
				t.Errorf("without a token the challenge has an error: %s", got.header.Get("WWW-Authenticate"))
			}
			if c.status == 503 && got.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
	for _, secret := range []string{"token-of-alice", "YTpi", "token-of-outage"} {
		if strings.Contains(h.logged.String(), secret) {
			t.Errorf("the log has the token %q", secret)
		}
	}
}

// TestAttemptsAreRecorded: whom no token proved is in the audit record, with why;
// an outage of ours is not.
func TestAttemptsAreRecorded(t *testing.T) {
	h := newHouse(t)
	attempts := []struct{ authorization, recorded string }{
		{"", `"error":"unauthenticated","reason":"send a token: Authorization: Bearer <token>"`},
		{"Bearer wrong", `"error":"unauthenticated","reason":"this token is not known"`},
		{"Bearer ", `"error":"invalid","reason":"after Bearer there must be one token`},
		{"Bearer token-of-outage", ""},
		{"Bearer token-of-alice", ""},
	}
	for i, attempt := range attempts { // each from a network of its own: more of one are only counted
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp", strings.NewReader("{}"))
		r.RemoteAddr = fmt.Sprintf("192.0.%d.7:1234", i)
		if attempt.authorization != "" {
			r.Header.Set("Authorization", attempt.authorization)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if got := h.record.Stats().Unauthenticated; got != 3 {
		t.Errorf("%d attempts recorded, want 3", got)
	}
	if got := h.state.Stats().Denied; got != 4 {
		t.Errorf("%d requests denied, want 4", got)
	}
	file, err := os.ReadFile(h.audit)
	check(t, err)
	for i, attempt := range attempts {
		line := fmt.Sprintf(`"door":"mcp","remote":"192.0.%d.7",%s`, i, attempt.recorded)
		if found := strings.Contains(string(file), line); found != (attempt.recorded != "") {
			t.Errorf("%q: found %t, %s in %s", attempt.authorization, found, line, file)
		}
	}
}

// TestMethods: every method is answered as the era of the request says.
func TestMethods(t *testing.T) {
	h := newHouse(t)
	older := h.agent(t, "alice", false)
	for _, c := range []struct {
		method, version string
		status          int
		allow           string
	}{
		{"GET", newestEra, 405, "POST"},
		{"DELETE", newestEra, 405, "POST"},
		{"HEAD", newestEra, 405, "POST"},
		{"PUT", newestEra, 405, "POST"},
		{"HEAD", "2025-11-25", 405, "GET, POST, DELETE"},
		{"PUT", "2025-11-25", 405, "GET, POST, DELETE"},
		{"OPTIONS", "", 204, "GET, POST, DELETE, OPTIONS"},
		{"DELETE", "2025-11-25", 204, ""}, // ends the session
		{"DELETE", "2025-11-25", 404, ""}, // it is not there any more
		{"POST", "1999-01-01", 400, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, h.url, nil)
		check(t, err)
		r.Header.Set("Authorization", "Bearer "+tokenOf("alice"))
		r.Header.Set("MCP-Protocol-Version", c.version)
		if c.version == "2025-11-25" {
			r.Header.Set(sessionHeader, older.session)
		}
		res, err := http.DefaultClient.Do(r)
		check(t, err)
		check(t, res.Body.Close())
		if res.StatusCode != c.status || res.Header.Get("Allow") != c.allow {
			t.Errorf("%s in %q: %d, Allow %q; want %d, %q", c.method, c.version, res.StatusCode, res.Header.Get("Allow"), c.status, c.allow)
		}
	}
}

// TestBodyLimit: a body that is too large is told so, in both eras, and nobody
// reads it before the token was looked at.
func TestBodyLimit(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.MaxBody = 10_000 })
	eras(t, func(t *testing.T, newer bool) {
		a := h.agent(t, "alice", newer)
		r := a.request(t.Context(), a.message("tools/call", map[string]any{
			"name": "query", "arguments": map[string]any{"sql": "SELECT '" + strings.Repeat("x", 10_000) + "'"},
		}))
		res, err := http.DefaultClient.Do(r)
		check(t, err)
		if got := a.read(res); got.status != http.StatusRequestEntityTooLarge || !strings.Contains(got.raw, "10000 bytes") {
			t.Errorf("%d %s", got.status, got.raw)
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url, bytes.NewReader(make([]byte, 1<<20)))
	check(t, err)
	res, err := http.DefaultClient.Do(r)
	if err == nil { // the connection may as well close under the large body
		check(t, res.Body.Close())
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("without a token: %d", res.StatusCode)
		}
	}
}
