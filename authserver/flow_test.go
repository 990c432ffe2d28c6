package authserver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
)

// The clients of these tests; all may ask for every scope.
const (
	webClient   = "web"   // public
	otherClient = "other" // public
	cliClient   = "cli"   // public, on loopback
	vaultClient = "vault" // confidential
	webRedirect = "https://app.example.com/callback?tenant=7"
	cliRedirect = "http://127.0.0.1:1234/callback"

	verifier = "a-verifier-of-pkce-that-is-long-enough-to-be-one"
)

// upstream is what the provider says of people when it is asked again, and how often
// it was.
type upstream struct {
	mu    sync.Mutex
	err   error
	asked int
	who   func(porterhouse.Principal) porterhouse.Principal // nil: as they were
}

func (u *upstream) recheck(_ context.Context, who porterhouse.Principal) (porterhouse.Principal, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked++
	if u.err != nil {
		return porterhouse.Principal{}, u.err
	}
	if u.who != nil {
		who = u.who(who)
	}
	return who, nil
}

func (u *upstream) says(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.err = err
}

// openFlow starts a desk with the clients above.
func openFlow(t *testing.T, change func(*Config)) (*desk, *upstream) {
	t.Helper()
	provider := &upstream{}
	d := openDesk(t, func(c *Config) {
		flowConfig(c, provider)
		if change != nil {
			change(c)
		}
	})
	return d, provider
}

func flowConfig(c *Config, provider *upstream) {
	scopes := []string{ScopeRead, ScopeWrite, ScopeOffline}
	c.Recheck = provider.recheck
	c.Clients = []ClientConfig{
		{ID: webClient, Name: "A web page", RedirectURIs: []string{webRedirect}, Scopes: scopes},
		{ID: otherClient, Name: "Another page", RedirectURIs: []string{"https://other.example.com/callback"}, Scopes: scopes},
		{ID: cliClient, Name: "A program", RedirectURIs: []string{"http://127.0.0.1/callback"}, Scopes: scopes},
		{ID: vaultClient, Name: "A service", RedirectURIs: []string{webRedirect}, Scopes: scopes, Secret: porterhouse.NewSecret(deskSecret), Resource: c.Resources[0].URI},
		{ID: "robot", Name: "A robot", Grants: []string{GrantDevice}},
	}
}

// with returns form with some parameters set; a value of "-" takes one out.
func with(form url.Values, pairs ...string) url.Values {
	form = url.Values(http.Header(form).Clone())
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "-" {
			form.Del(pairs[i])
		}
	}
	return form
}

// wish is an authorization request of the web client.
func wish(pairs ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return with(url.Values{
		"response_type": {"code"}, "client_id": {webClient}, "redirect_uri": {webRedirect}, "state": {"a state"},
		"scope": {"clickhouse:read clickhouse:write offline_access"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}, pairs...)
}

func authorizePath(form url.Values) string { return "/authorize?" + form.Encode() }

// page gets the consent page.
func (d *desk) page(who string, request url.Values) answered {
	d.t.Helper()
	a := d.do(http.MethodGet, authorizePath(request), who, nil)
	if a.status != http.StatusOK || !strings.Contains(a.text, `name="consent"`) {
		d.t.Fatalf("no consent page: %d %s %s", a.status, a.header.Get("Location"), a.text)
	}
	return a
}

// yes is the form of a page with everything ticked and agreed to.
func yes(page answered) url.Values {
	form := formOf(page.text)
	form.Set("answer", "agree")
	for _, scope := range []string{ScopeWrite, ScopeOffline} {
		if strings.Contains(page.text, `name="`+scope+`"`) {
			form.Set(scope, "yes")
		}
	}
	return form
}

// agree lets alice agree to a request, and returns what the client is sent.
func (d *desk) agree(request url.Values) url.Values {
	d.t.Helper()
	return d.sentBack(d.do(http.MethodPost, authorizePath(request), "alice", yes(d.page("alice", request))))
}

// sentBack are the parameters with which a browser was sent back to a client.
func (d *desk) sentBack(a answered) url.Values {
	d.t.Helper()
	location, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusSeeOther || strings.HasPrefix(location.Path, "/signin") {
		d.t.Fatalf("the browser was not sent back: %d %s %s", a.status, location, a.text)
	}
	return location.Query()
}

// code is a fresh code for the web client, whose person agreed to everything.
func (d *desk) code(pairs ...string) string {
	d.t.Helper()
	code := d.agree(wish(pairs...)).Get("code")
	if code == "" {
		d.t.Fatal("there is no code")
	}
	return code
}

// redeem is the request of the web client for the tokens of a code.
func redeem(code string, pairs ...string) url.Values {
	return with(url.Values{
		"grant_type": {GrantCode}, "client_id": {webClient}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {webRedirect},
	}, pairs...)
}

func refreshing(token string, pairs ...string) url.Values {
	return with(url.Values{"grant_type": {GrantRefresh}, "client_id": {webClient}, "refresh_token": {token}}, pairs...)
}

// grant asks for tokens.
func (d *desk) grant(form url.Values, header ...string) answered {
	d.t.Helper()
	return d.do(http.MethodPost, "/token", "", form, header...)
}

// tokens is grant, and must succeed.
func (d *desk) tokens(form url.Values, header ...string) answered {
	d.t.Helper()
	a := d.grant(form, header...)
	if a.status != http.StatusOK || a.field("access_token") == "" {
		d.t.Fatalf("no token: %d %s", a.status, a.text)
	}
	return a
}

// family are the tokens of a fresh code.
func (d *desk) family(pairs ...string) answered {
	d.t.Helper()
	a := d.tokens(redeem(d.code(pairs...)))
	if a.field("refresh_token") == "" {
		d.t.Fatalf("there is no refresh token: %s", a.text)
	}
	return a
}

// A person without a session is sent to sign in, comes back, agrees, and the client
// has tokens that say what was agreed to.
func TestCodeFlow(t *testing.T) {
	d, _ := openFlow(t, nil)
	request := wish()
	nobody := d.do(http.MethodGet, authorizePath(request), "", nil)
	location := must(url.Parse(nobody.header.Get("Location")))
	if back := location.Query().Get("return"); nobody.status != http.StatusSeeOther || location.Path != "/signin" || back != authorizePath(request) {
		t.Fatalf("nobody was sent to %d %s", nobody.status, location)
	}

	back := d.agree(request)
	if back.Get("state") != "a state" || back.Get("iss") != d.url || back.Get("tenant") != "7" {
		t.Errorf("the client is sent %v", back)
	}
	a := d.tokens(redeem(back.Get("code")))
	if a.header.Get("Cache-Control") != "no-store" || a.field("token_type") != "Bearer" || a.fields["expires_in"] != 300.0 ||
		a.field("scope") != "clickhouse:read clickhouse:write offline_access" {
		t.Errorf("the answer is %v %s", a.header, a.text)
	}
	claims := d.claimsOf(a)
	for name, want := range map[string]any{
		"iss": d.url, "aud": d.url + "/mcp", "client_id": webClient, "scope": "clickhouse:read clickhouse:write offline_access",
		"name": "alice@example.com", "exp": float64(d.now().Unix() + 300), "sub": subjectHere(personCalled("alice")),
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if idp, _ := claims["idp"].(map[string]any); idp["iss"] != "https://idp.example.com" || idp["sub"] != "id of alice" || idp["processor"] != "corp" {
		t.Errorf("vouched: %v", claims["idp"])
	}
	for _, action := range []string{"consent", "code"} {
		lines := d.recorded(action)
		if len(lines) != 1 || !strings.Contains(lines[0], "alice@example.com") || !strings.Contains(lines[0], webClient) {
			t.Errorf("the record of %s: %q", action, lines)
		}
		for _, secret := range []string{back.Get("code"), a.field("refresh_token"), a.field("access_token"), "a state"} {
			if slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, secret) }) {
				t.Errorf("the record of %s has a secret: %q", action, lines)
			}
		}
	}
}

// Scopes: what a client asks for, what it gets, and what a person can take out.
func TestScopes(t *testing.T) {
	d, _ := openFlow(t, func(c *Config) {
		c.Clients = append(c.Clients,
			ClientConfig{ID: "reader", RedirectURIs: []string{webRedirect}},
			ClientConfig{ID: "moment", RedirectURIs: []string{webRedirect}, Grants: []string{GrantCode}, Scopes: []string{ScopeRead, ScopeWrite, ScopeOffline}})
	})
	for name, test := range map[string]struct {
		client, asked, untick, want string
	}{
		"everything":               {webClient, "clickhouse:read clickhouse:write offline_access", "", "clickhouse:read clickhouse:write offline_access"},
		"nothing":                  {webClient, "-", "", "clickhouse:read offline_access"},
		"only what others have":    {webClient, "openid profile email", "", "clickhouse:read offline_access"},
		"reading alone":            {webClient, "clickhouse:read", "", "clickhouse:read offline_access"},
		"writing has reading":      {webClient, "clickhouse:write", "", "clickhouse:read clickhouse:write offline_access"},
		"unticked writing":         {webClient, "clickhouse:write", ScopeWrite, "clickhouse:read offline_access"},
		"unticked staying":         {webClient, "clickhouse:write", ScopeOffline, "clickhouse:read clickhouse:write"},
		"a client that may less":   {"reader", "clickhouse:read clickhouse:write offline_access", "", "clickhouse:read offline_access"},
		"a client without refresh": {"moment", "clickhouse:read clickhouse:write offline_access", "", "clickhouse:read clickhouse:write"},
	} {
		t.Run(name, func(t *testing.T) {
			request := wish("client_id", test.client, "scope", test.asked)
			form := yes(d.page("alice", request))
			form.Del(test.untick)
			code := d.sentBack(d.do(http.MethodPost, authorizePath(request), "alice", form)).Get("code")
			a := d.tokens(redeem(code, "client_id", test.client))
			if a.field("scope") != test.want || d.claimsOf(a)["scope"] != test.want {
				t.Errorf("the scope is %q, want %q", a.field("scope"), test.want)
			}
			if offline := strings.Contains(test.want, ScopeOffline); offline != (a.field("refresh_token") != "") {
				t.Errorf("refresh token: %t, want %t", !offline, offline)
			}
		})
	}
}

// An access token ends with the sign-in that it comes from, however short that is.
func TestTokensEndWithTheSignIn(t *testing.T) {
	var d *desk
	d, _ = openFlow(t, func(c *Config) {
		c.Who = func(r *http.Request) (porterhouse.Principal, error) {
			who, err := signedIn(r)
			who.Expires = d.now().Add(2 * time.Minute)
			return who, err
		}
	})
	page := d.page("alice", wish())
	if !strings.Contains(page.text, "Your sign-in ends then") {
		t.Errorf("the page does not say that the sign-in ends: %s", page.text)
	}
	a := d.family()
	if a.fields["expires_in"] != 120.0 {
		t.Errorf("the token lives %v s, and the sign-in 120", a.fields["expires_in"])
	}
}

// ask sends a form to a server in this process.
func ask(h http.Handler, path string, form url.Values) answered {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answered{status: w.Code, header: w.Header(), text: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &a.fields); err != nil {
		panic(err)
	}
	return a
}
