package openid

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The whole way: discovery, a person chosen, the code redeemed, userinfo asked.
func TestSignIn(t *testing.T) {
	h := newHouse(t)
	_, body := h.send("GET", "/.well-known/openid-configuration", nil)
	var document map[string]any
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	if document["issuer"] != h.Issuer || document[Marker] != true {
		t.Errorf("discovery says %s", body)
	}
	back := h.choose("u-1", h.request())
	if back.Get("state") != "st&te" || back.Get("iss") != h.Issuer {
		t.Errorf("the redirect has %v", back)
	}
	tokens, no := h.redeem(back.Get("code"))
	if no != "" {
		t.Fatal(no)
	}
	claims := h.claims(tokens.IDToken)
	for _, time := range []string{"iat", "exp", "auth_time"} {
		if _, ok := claims[time].(float64); !ok {
			t.Errorf("the ID token's %s is %v", time, claims[time])
		}
		delete(claims, time)
	}
	want := map[string]any{
		"iss": h.Issuer, "sub": "u-1", "aud": "app", "nonce": "n0nce", "name": "Alice", "preferred_username": "alice",
		"email": "alice@example.com", "email_verified": true, "groups": []any{"analyst"}, Marker: true,
	}
	if d := cmp.Diff(want, claims); d != "" {
		t.Errorf("the ID token differs (-want +got):\n%s", d)
	}
	if access := h.claims(tokens.AccessToken); access[Marker] != true || access["client_id"] != "app" || access["email"] != nil {
		t.Errorf("the access token has %v", access)
	}
	res, body := h.send("GET", "/userinfo", nil, "Authorization", "Bearer "+tokens.AccessToken)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `"groups":["analyst"]`) || !strings.Contains(body, `"sub":"u-1"`) {
		t.Errorf("userinfo answers %d %s", res.StatusCode, body)
	}
}

// Scopes bound what is told, and who has no groups has an empty list of them.
func TestScopes(t *testing.T) {
	h := newHouse(t)
	few := h.signIn("u-1", "scope", "openid unheard-of")
	if claims := h.claims(few.IDToken); claims["email"] != nil || claims["name"] != nil || claims["groups"] != nil || few.RefreshToken != "" || few.Scope != "openid" {
		t.Errorf("openid alone gives %v and %+v", claims, few)
	}
	if claims := h.claims(h.signIn("u-2").IDToken); cmp.Diff(claims["groups"], []any{}) != "" {
		t.Errorf("nobody's groups are %v", claims["groups"])
	}
}

// What an authorization request may not be. Unless client and redirect are known,
// nobody is sent anywhere.
func TestAuthorizeRefuses(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		change [2]string
		want   string // the error of the redirect; "": a page
	}{
		"unknown client":    {[2]string{"client_id", "other"}, ""},
		"another redirect":  {[2]string{"redirect_uri", callback + "/"}, ""},
		"another port":      {[2]string{"redirect_uri", "http://127.0.0.1:10/callback"}, ""},
		"no redirect":       {[2]string{"redirect_uri", ""}, ""},
		"token":             {[2]string{"response_type", "token"}, "unsupported_response_type"},
		"fragment":          {[2]string{"response_mode", "fragment"}, "invalid_request"},
		"plain PKCE":        {[2]string{"code_challenge_method", "plain"}, "invalid_request"},
		"no PKCE":           {[2]string{"code_challenge", ""}, "invalid_request"},
		"short PKCE":        {[2]string{"code_challenge", "abc"}, "invalid_request"},
		"no openid":         {[2]string{"scope", "email"}, "invalid_scope"},
		"without a page":    {[2]string{"prompt", "none"}, "login_required"},
		"nobody was chosen": {[2]string{"prompt", "login"}, "access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := h.send("POST", "/authorize?"+h.request(c.change[:]...).Encode(), url.Values{"person": {""}})
			to, err := res.Location()
			switch {
			case c.want == "" && (err == nil || res.StatusCode != http.StatusBadRequest):
				t.Errorf("status %d to %v, want a page that says why", res.StatusCode, to)
			case c.want != "" && (err != nil || to.Query().Get("error") != c.want || to.Query().Get("iss") != h.Issuer || to.Query().Get("state") != "st&te"):
				t.Errorf("redirect to %v, want the error %s: %s", to, c.want, body)
			}
		})
	}
	res, _ := h.send("GET", "/authorize?"+h.request().Encode()+"&scope=openid", nil)
	if to, err := res.Location(); err != nil || to.Query().Get("error") != "invalid_request" {
		t.Errorf("a parameter that is there twice: %v, %v", to, err)
	}
}

// A code is good for one try of one client, within a minute.
func TestCodes(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		form []string
		wait time.Duration
		want string
	}{
		"right":                  {nil, 0, ""},
		"late":                   {nil, codeLife, "invalid_grant"},
		"another verifier":       {[]string{"code_verifier", verifier + "x"}, 0, "invalid_grant"},
		"no verifier":            {[]string{"code_verifier", ""}, 0, "invalid_grant"},
		"another redirect":       {[]string{"redirect_uri", callback + "?x=1"}, 0, "invalid_grant"},
		"another client":         {[]string{"client_id", "public"}, 0, "invalid_grant"},
		"another secret":         {[]string{"client_id", "app", "client_secret", "wrong"}, 0, "invalid_client"},
		"no secret":              {[]string{"client_id", "app"}, 0, "invalid_client"},
		"the secret in the form": {[]string{"client_id", "app", "client_secret", "s3cret"}, 0, ""},
		"another grant":          {[]string{"grant_type", "password"}, 0, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			code := h.choose("u-1", h.request()).Get("code")
			h.later(c.wait)
			form := append([]string{"grant_type", grantCode, "code", code, "redirect_uri", callback, "code_verifier", verifier}, c.form...)
			if _, no := h.token(form...); no != c.want {
				t.Errorf("answered %q, want %q", no, c.want)
			}
			if _, no := h.redeem(code); c.want == "" && no != "invalid_grant" {
				t.Errorf("the second time it answered %q", no)
			}
		})
	}
}

// A refresh token is good for once, and its second use ends what came of it.
func TestRefresh(t *testing.T) {
	h := newHouse(t)
	refresh := func(token string, more ...string) (answer, string) {
		return h.token(append([]string{"grant_type", grantRefresh, "refresh_token", token}, more...)...)
	}
	first := h.signIn("u-1")
	h.later(30 * 24 * time.Hour)
	second, no := refresh(first.RefreshToken)
	if no != "" || second.RefreshToken == first.RefreshToken {
		t.Fatalf("refreshing answers %+v, %q", second, no)
	}
	claims := h.claims(second.IDToken)
	if claims["nonce"] != nil || claims["auth_time"] != h.claims(first.IDToken)["auth_time"] || claims["email"] == nil {
		t.Errorf("the new ID token has %v", claims)
	}
	if _, no := refresh(second.RefreshToken, "client_id", "public"); no != "invalid_grant" {
		t.Errorf("for another client it answers %q", no)
	}
	narrow, no := refresh(second.RefreshToken, "scope", "openid email profile2")
	if no != "" || narrow.Scope != "openid email" {
		t.Errorf("narrowed: %+v, %q", narrow, no)
	}
	if _, no := refresh(first.RefreshToken); no != "invalid_grant" {
		t.Errorf("the second use answers %q", no)
	}
	if _, no := refresh(narrow.RefreshToken); no != "invalid_grant" {
		t.Errorf("afterwards the good one answers %q", no)
	}
}

// Who is disabled is let in nowhere, with what they hold either.
func TestDisable(t *testing.T) {
	h := newHouse(t)
	tokens, code := h.signIn("u-1"), h.choose("u-1", h.request()).Get("code")
	if err := h.Disable(t.Context(), "u-1", true); err != nil {
		t.Fatal(err)
	}
	if back := h.choose("u-1", h.request()); back.Get("error") != "access_denied" || back.Has("code") {
		t.Errorf("choosing gives %v", back)
	}
	if _, no := h.redeem(code); no != "invalid_grant" {
		t.Errorf("a code answers %q", no)
	}
	if _, no := h.token("grant_type", grantRefresh, "refresh_token", tokens.RefreshToken); no != "invalid_grant" {
		t.Errorf("a refresh token answers %q", no)
	}
	if res, _ := h.send("GET", "/userinfo", nil, "Authorization", "Bearer "+tokens.AccessToken); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo answers %d", res.StatusCode)
	}
	if err := h.Disable(t.Context(), "u-1", false); err != nil {
		t.Fatal(err)
	}
	h.signIn("u-1")
	if err := h.Disable(t.Context(), "u-9", true); err == nil {
		t.Error("nobody was disabled, without an error")
	}
}

// Userinfo takes access tokens that are good, and nothing else.
func TestUserinfoRefuses(t *testing.T) {
	h := newHouse(t)
	tokens := h.signIn("u-1")
	for name, header := range map[string]string{
		"nothing": "", "an ID token": "Bearer " + tokens.IDToken, "a forged one": "Bearer " + tokens.AccessToken[:len(tokens.AccessToken)-8] + "AAAAAAAA",
		"another scheme": "Basic " + tokens.AccessToken,
	} {
		if res, body := h.send("GET", "/userinfo", nil, "Authorization", header); res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: status %d, %s", name, res.StatusCode, body)
		}
	}
	h.later(tokenLife)
	if res, _ := h.send("GET", "/userinfo", nil, "Authorization", "Bearer "+tokens.AccessToken); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an old one: status %d", res.StatusCode)
	}
}

// A program without a browser: it asks, a person types its code elsewhere.
func TestDevice(t *testing.T) {
	h := newHouse(t)
	begin := func() (device, user string) {
		_, body := h.send("POST", "/device_authorization", url.Values{"client_id": {"public"}, "scope": {"openid email offline_access"}})
		var d struct {
			Device string `json:"device_code"`
			User   string `json:"user_code"`
		}
		if err := json.Unmarshal([]byte(body), &d); err != nil || d.User == "" {
			t.Fatal(err, body)
		}
		return d.Device, d.User
	}
	poll := func(device string) (answer, string) {
		return h.token("grant_type", grantDevice, "client_id", "public", "device_code", device)
	}
	says := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	device, user := begin()
	_, no := poll(device)
	says("at once", no, "authorization_pending")
	_, no = poll(device)
	says("again at once", no, "slow_down")
	res, _ := h.send("POST", "/device", url.Values{"user_code": {"BBBB-BBBB"}, "person": {"u-1"}})
	says("a wrong code", res.Status[:3], "400")
	res, _ = h.send("POST", "/device", url.Values{"user_code": {" " + strings.ToLower(user)}, "person": {"u-1"}})
	says("the code", res.Status[:3], "200")
	_, no = h.token("grant_type", grantDevice, "device_code", device)
	says("another client", no, "invalid_grant")
	tokens, no := poll(device)
	says("then", no, "")
	if claims := h.claims(tokens.IDToken); claims["sub"] != "u-1" || tokens.RefreshToken == "" {
		t.Errorf("it is %v, %+v", claims, tokens)
	}
	_, no = poll(device)
	says("a second time", no, "expired_token")

	device, user = begin()
	h.send("POST", "/device", url.Values{"user_code": {user}, "person": {""}})
	_, no = poll(device)
	says("after a no", no, "access_denied")
	device, user = begin()
	h.later(deviceLife)
	res, _ = h.send("POST", "/device", url.Values{"user_code": {user}, "person": {"u-1"}})
	says("too late", res.Status[:3], "400")
	_, no = poll(device)
	says("too late to ask", no, "expired_token")
}

// Pages run nothing, load nothing, and show what they were told as text.
func TestPages(t *testing.T) {
	h := newHouse(t)
	res, body := h.send("GET", "/authorize?"+h.request().Encode(), nil)
	policy := res.Header.Get("Content-Security-Policy")
	if res.StatusCode != http.StatusOK || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("status %d, policy %q", res.StatusCode, policy)
	}
	for _, want := range []string{"The App", "127.0.0.1:9", "alice@example.com", "Bob &lt;b&gt;", "Demo"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	_, body = h.send("GET", `/device?user_code="><script>`, nil)
	if strings.Contains(body, "<script") || !strings.Contains(body, "&#34;&gt;&lt;script&gt;") {
		t.Errorf("the page of devices shows a code as %s", body)
	}
}

// Nobody else's page can choose a person in a visitor's browser.
func TestForeignFormsAreRefused(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/authorize?" + h.request().Encode(), "/device"} {
		res, _ := h.send("POST", path, url.Values{"person": {"u-1"}}, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("POST %.12s: status %d", path, res.StatusCode)
		}
	}
}

// Everything that is kept is bounded in number and in time.
func TestShelfIsBounded(t *testing.T) {
	now := time.Now()
	s := newShelf[int](time.Minute, 2, func() time.Time { return now })
	first, _ := s.add(1)
	s.add(2)
	if _, err := s.add(3); err == nil {
		t.Error("a third was put where there is room for two")
	}
	now = now.Add(time.Minute)
	if _, found := s.take(first); found {
		t.Error("one was there after its time")
	}
	if _, err := s.add(3); err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	people, clients := []Person{{Subject: "u"}}, []Client{{ID: "app"}}
	for name, c := range map[string]Config{
		"no issuer":      {People: people, Clients: clients},
		"a slash":        {Issuer: "http://127.0.0.1:1/", People: people, Clients: clients},
		"nobody":         {Issuer: "http://127.0.0.1:1", Clients: clients},
		"no client":      {Issuer: "http://127.0.0.1:1", People: people},
		"the same twice": {Issuer: "http://127.0.0.1:1", People: append(people, people...), Clients: clients},
		"client twice":   {Issuer: "http://127.0.0.1:1", People: people, Clients: append(clients, clients...)},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
