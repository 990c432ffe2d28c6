package e2e

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"porterhouse/sandbox/idp"
)

// asking is a client at the level of the protocol, on its way to a token.
type asking struct {
	h        *house
	client   string
	redirect string
	path     string // of the URL that tokens are to be for; "": the MCP door to all clusters
	scope    string // "": none named
	verifier string
	state    string
}

// newAsking is a public client; its redirect URI is registered already.
func (h *house) newAsking(client, redirect string) *asking {
	return &asking{h: h, client: client, redirect: redirect, scope: "clickhouse:read offline_access", verifier: rand.Text() + rand.Text(), state: rand.Text()}
}

// register registers a client with its redirect URIs (RFC 7591) and returns its id.
func (h *house) register(name string, redirects ...string) string {
	h.t.Helper()
	body, err := json.Marshal(map[string]any{
		"client_name": name, "redirect_uris": redirects, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	status, answer := h.postJSON("/register", "application/json", bytes.NewReader(body))
	id, _ := answer["client_id"].(string)
	if status != http.StatusCreated || id == "" {
		h.t.Fatalf("register %v: HTTP %d, %v", redirects, status, answer)
	}
	return id
}

// postJSON posts a body and decodes the answer.
func (h *house) postJSON(path, contentType string, body io.Reader) (int, map[string]any) {
	h.t.Helper()
	response, err := http.Post(h.url+path, contentType, body)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil && len(text) > 0 {
		h.t.Fatalf("%s: HTTP %d, %v in %s", path, response.StatusCode, err, text)
	}
	return response.StatusCode, answer
}

// url is where the client sends the browser.
func (a *asking) url() string {
	challenge := sha256.Sum256([]byte(a.verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {a.client}, "redirect_uri": {a.redirect}, "state": {a.state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
		"resource": {a.resource()},
	}
	if a.scope != "" {
		q.Set("scope", a.scope)
	}
	return a.h.url + "/authorize?" + q.Encode()
}

// resource is what the tokens shall be for.
func (a *asking) resource() string { return a.h.url + cmp.Or(a.path, "/mcp") }

// code signs a person in and returns the code, once state and issuer are right.
func (a *asking) code(at place, who idp.Person) string {
	a.h.t.Helper()
	back := a.h.agree(newHuman(a.h.t), a.url(), a.redirect, at, who)
	if back == nil {
		a.h.t.Fatalf("the person is not sent back to %s", a.redirect)
	}
	return a.codeOf(back)
}

func (a *asking) codeOf(back *url.URL) string {
	a.h.t.Helper()
	q := back.Query()
	if q.Get("state") != a.state || q.Get("iss") != a.h.url || q.Get("code") == "" {
		a.h.t.Fatalf("sent back to %s", back)
	}
	return q.Get("code")
}

// grant is what /token answers.
type grant struct {
	status                 int
	access, refresh, fault string
	scope                  string
}

// token posts a form to /token of a house.
func (h *house) tokenFor(form url.Values) grant {
	h.t.Helper()
	status, answer := h.postJSON("/token", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	text := func(name string) string { s, _ := answer[name].(string); return s }
	return grant{status, text("access_token"), text("refresh_token"), text("error"), text("scope")}
}

// form is the request to /token with a code.
func (a *asking) form(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.redirect},
		"client_id": {a.client}, "code_verifier": {a.verifier}, "resource": {a.resource()},
	}
}

func (a *asking) redeem(code string) grant {
	a.h.t.Helper()
	return a.h.tokenFor(a.form(code))
}

func (a *asking) renew(refresh string) grant {
	a.h.t.Helper()
	return a.h.tokenFor(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {a.client}})
}

// mustSignIn is the whole way to tokens.
func (a *asking) mustSignIn(at place, who idp.Person) grant {
	a.h.t.Helper()
	g := a.redeem(a.code(at, who))
	if g.status != http.StatusOK || g.access == "" {
		a.h.t.Fatalf("no token: %+v\n%s", g, a.h.lastLine())
	}
	return g
}

// Where known clients are sent back to, as they register it and as they then ask.
func TestSignInRedirects(t *testing.T) {
	t.Parallel()
	h, at := signInHouse(t, "", settings{})
	for _, c := range []struct {
		name       string
		registered []string
		asked      string // "": the first that is registered
		shown      string // on the page on which the person agrees
	}{
		{"loopback, any port", []string{"http://127.0.0.1/callback"}, "http://127.0.0.1:49152/callback", "127.0.0.1"},
		{"loopback, another port", []string{"http://127.0.0.1:3334/oauth/callback"}, "http://127.0.0.1:3335/oauth/callback", "127.0.0.1"},
		{"loopback of IPv6", []string{"http://[::1]:8080/callback"}, "http://[::1]:50000/callback", "::1"},
		{"localhost without a port", []string{"http://localhost/callback"}, "http://localhost:33418/callback", "localhost"},
		{"VS Code", []string{"https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/"}, "http://127.0.0.1:33419/", "127.0.0.1"},
		{"VS Code in a browser", []string{"https://vscode.dev/redirect", "http://127.0.0.1/"}, "", "vscode.dev"},
		{"Cursor", []string{"cursor://anysphere.cursor-mcp/oauth/callback"}, "", "cursor"},
		{"Claude", []string{"https://claude.ai/api/mcp/auth_callback"}, "", "claude.ai"},
		{"Claude, its other name", []string{"https://claude.com/api/mcp/auth_callback"}, "", "claude.com"},
		{"ChatGPT", []string{"https://chatgpt.com/connector_platform_oauth_redirect"}, "", "chatgpt.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := h.in(t)
			a := h.newAsking(h.register(c.name, c.registered...), cmp.Or(c.asked, c.registered[0]))
			p := newHuman(t)
			h.toConsent(p, a.url(), at, idp.Alice)
			p.reads(c.name, c.shown, idp.Alice.Email)
			back := p.press(allow, a.redirect, nil)
			if g := a.redeem(a.codeOf(back)); g.status != http.StatusOK || !strings.Contains(h.whoami(g.access), idp.Alice.Email) {
				t.Errorf("%+v: %s", g, h.whoami(g.access))
			}
		})
	}
	for _, uri := range []string{
		"evil://anysphere.cursor-mcp/oauth/callback", "cursor://elsewhere/oauth/callback", "http://claude.ai/api/mcp/auth_callback",
		"javascript:alert(1)", "https://claude.ai/api/mcp/auth_callback#fragment",
	} {
		body := `{"client_name": "x", "redirect_uris": ["` + uri + `"]}`
		if status, answer := h.postJSON("/register", "application/json", strings.NewReader(body)); status != http.StatusBadRequest || answer["error"] != "invalid_redirect_uri" {
			t.Errorf("registered %s: HTTP %d, %v", uri, status, answer)
		}
	}
}
