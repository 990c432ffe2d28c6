package authserver

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// What is wrong with the client, or with where it wants the answer, only the person
// hears of: nobody is sent anywhere.
func TestNeverRedirected(t *testing.T) {
	d, _ := openFlow(t, nil)
	good := wish()
	for name, query := range map[string]string{
		"no client":              with(good, "client_id", "-").Encode(),
		"unknown client":         with(good, "client_id", "nobody").Encode(),
		"another host":           with(good, "redirect_uri", "https://evil.example.com/callback").Encode(),
		"another path":           with(good, "redirect_uri", "https://app.example.com/callback/../evil").Encode(),
		"another port":           with(good, "redirect_uri", "https://app.example.com:444/callback?tenant=7").Encode(),
		"another scheme":         with(good, "redirect_uri", "http://app.example.com/callback?tenant=7").Encode(),
		"a user in front":        with(good, "redirect_uri", "https://app.example.com@evil.example.com/callback?tenant=7").Encode(),
		"a fragment":             with(good, "redirect_uri", webRedirect+"#x").Encode(),
		"upper case":             with(good, "redirect_uri", strings.ToUpper(webRedirect)).Encode(),
		"no query":               with(good, "redirect_uri", "https://app.example.com/callback").Encode(),
		"another client's":       with(good, "client_id", otherClient).Encode(),
		"a script":               with(good, "redirect_uri", "javascript:alert(1)").Encode(),
		"two clients":            good.Encode() + "&client_id=" + otherClient,
		"two redirects":          good.Encode() + "&redirect_uri=https%3A%2F%2Fevil.example.com",
		"not a form":             good.Encode() + "&x=%zz",
		"semicolons":             good.Encode() + ";x=y",
		"a client without codes": with(good, "client_id", "robot").Encode(),
		"too long":               with(good, "state", strings.Repeat("s", maxQuery)).Encode(),
	} {
		for _, who := range []string{"", "alice"} {
			a := d.do(http.MethodGet, "/authorize?"+query, who, nil)
			if a.status < 400 || a.status == http.StatusUnauthorized || a.header.Get("Location") != "" || strings.Contains(a.text, "evil.example.com") {
				t.Errorf("%s: %d %q %s", name, a.status, a.header.Get("Location"), a.text)
			}
			if !strings.Contains(a.text, "request-1") {
				t.Errorf("%s: the page does not name the request", name)
			}
		}
	}
}

// What else is wrong the client hears, with its state and who says so (RFC 9207).
func TestErrorsGoToTheClient(t *testing.T) {
	d, _ := openFlow(t, nil)
	for name, test := range map[string]struct {
		change []string
		want   string
	}{
		"no response_type":       {[]string{"response_type", "-"}, "invalid_request"},
		"implicit":               {[]string{"response_type", "token"}, "unsupported_response_type"},
		"hybrid":                 {[]string{"response_type", "code id_token"}, "unsupported_response_type"},
		"fragment":               {[]string{"response_mode", "fragment"}, "invalid_request"},
		"request object":         {[]string{"request", "e30.e30."}, "request_not_supported"},
		"request by reference":   {[]string{"request_uri", "https://evil.example.com/"}, "request_uri_not_supported"},
		"none and more":          {[]string{"prompt", "none login"}, "invalid_request"},
		"max_age of no number":   {[]string{"max_age", "-1"}, "invalid_request"},
		"silent":                 {[]string{"prompt", "none"}, "consent_required"},
		"a resource of another":  {[]string{"resource", "https://evil.example.com/"}, "invalid_target"},
		"an odd time of sign-in": {[]string{paramAfter, "now"}, "invalid_request"},
	} {
		back := d.sentBack(d.do(http.MethodGet, authorizePath(wish(test.change...)), "alice", nil))
		if back.Get("error") != test.want || back.Get("error_description") == "" || back.Get("state") != "a state" || back.Get("iss") != d.url || back.Get("tenant") != "7" {
			t.Errorf("%s: the client is sent %v", name, back)
		}
	}
	for _, name := range []string{"state", "scope", "code_challenge", "resource", "prompt", "response_type"} {
		back := d.sentBack(d.do(http.MethodGet, authorizePath(wish())+"&"+name+"=a&"+name+"=b", "alice", nil))
		if back.Get("error") == "" || back.Has("code") {
			t.Errorf("%s twice: the client is sent %v", name, back)
		}
	}
	back := d.sentBack(d.do(http.MethodGet, authorizePath(wish("prompt", "none")), "", nil))
	if back.Get("error") != "login_required" {
		t.Errorf("silent, and nobody there: %v", back)
	}
}

// The state comes back as it was sent, whatever it is, and no other is made up.
func TestStateIsEchoed(t *testing.T) {
	d, _ := openFlow(t, nil)
	for _, state := range []string{"", "a b+c%20", "\r\nLocation: https://evil.example.com", "ä€😀", "\xff\x00", `"><script>`, "&code=stolen&iss=evil", strings.Repeat("s", 2000)} {
		back := d.agree(wish("state", state))
		if got := back["state"]; len(got) != 1 || got[0] != state || back.Get("code") == "stolen" || len(back["iss"]) != 1 {
			t.Errorf("%q came back as %q in %v", state, got, back)
		}
	}
	if back := d.agree(wish("state", "-")); back.Has("state") {
		t.Errorf("a state was made up: %v", back)
	}
}

// Answers say who they are from, so that a client with two servers does not take a
// code of one to the other (mix-up).
func TestAttackMixUp(t *testing.T) {
	d, _ := openFlow(t, nil)
	no := formOf(d.page("alice", wish()).text)
	for name, back := range map[string]url.Values{
		"yes":   d.agree(wish()),
		"no":    d.sentBack(d.do(http.MethodPost, authorizePath(wish()), "alice", no)),
		"error": d.sentBack(d.do(http.MethodGet, authorizePath(wish("response_type", "token")), "alice", nil)),
	} {
		if iss := back["iss"]; len(iss) != 1 || iss[0] != d.url {
			t.Errorf("%s: iss is %v", name, iss)
		}
	}
}

// A redirect of loopback has any port, and one that is left out is the only one there is.
func TestRedirects(t *testing.T) {
	d, _ := openFlow(t, nil)
	a := d.do(http.MethodPost, authorizePath(wish("client_id", cliClient, "redirect_uri", cliRedirect)), "alice",
		yes(d.page("alice", wish("client_id", cliClient, "redirect_uri", cliRedirect))))
	if to := a.header.Get("Location"); !strings.HasPrefix(to, cliRedirect+"?code=") {
		t.Errorf("the browser is sent to %s", to)
	}
	request := wish("redirect_uri", "-")
	a = d.do(http.MethodPost, authorizePath(request), "alice", yes(d.page("alice", request)))
	if to := a.header.Get("Location"); !strings.HasPrefix(to, webRedirect+"&code=") {
		t.Errorf("the browser is sent to %s", to)
	}
	d.tokens(redeem(d.sentBack(a).Get("code"), "redirect_uri", "-"))
}

// Who made up a client cannot make us send a browser to its host: the person reads
// first what is wrong, and goes there by a click or not at all.
func TestAttackOpenRedirect(t *testing.T) {
	redirect := "https://evil.example.com/landing"
	a := authorizationRequest{client: Client{Known: ByDocument}, redirect: redirect}
	if a.trusted() {
		t.Error("a client that anybody can make up is trusted")
	}
	for _, ours := range []authorizationRequest{
		{client: Client{Known: ByOperator}, redirect: redirect},
		{client: Client{Known: ByRegistration}, redirect: "http://127.0.0.1:5000/callback"},
		{client: Client{Known: ByDocument}, redirect: "cursor://anysphere.cursor-mcp/oauth/callback"},
	} {
		if !ours.trusted() {
			t.Errorf("%+v is not trusted", ours)
		}
	}
	d, _ := openFlow(t, func(c *Config) { c.AllowRegistration = true })
	id := d.registered(redirect)
	for name, change := range map[string][]string{"wrong": {"response_type", "token"}, "silent": {"prompt", "none"}} {
		for _, who := range []string{"", "alice"} {
			a := d.do(http.MethodGet, authorizePath(wish(append(change, "client_id", id, "redirect_uri", redirect)...)), who, nil)
			if a.status != http.StatusBadRequest || a.header.Get("Location") != "" || !strings.Contains(a.text, `href="`+redirect+"?error=") {
				t.Errorf("%s: %d %q %s", name, a.status, a.header.Get("Location"), a.text)
			}
		}
	}
}

// registered is the id of a client that registered itself.
func (d *desk) registered(redirect string) string {
	d.t.Helper()
	r := must(http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+"/register", strings.NewReader(
		`{"client_name":"<b>Evil</b>","redirect_uris":["`+redirect+`"],"token_endpoint_auth_method":"none"}`)))
	r.Header.Set("Content-Type", "application/json")
	a := d.send(r)
	if a.status != http.StatusCreated {
		d.t.Fatalf("no registration: %d %s", a.status, a.text)
	}
	return a.field("client_id")
}

// prompt and max_age: a person who has to sign in anew does, once, and gets back to
// the same request.
func TestSignInAnew(t *testing.T) {
	var signedInAt time.Time
	var d *desk
	d, _ = openFlow(t, func(c *Config) {
		c.Who = func(r *http.Request) (porterhouse.Principal, error) {
			who, err := signedIn(r)
			who.Issued = signedInAt
			return who, err
		}
	})
	for name, change := range map[string][]string{
		"login": {"prompt", "login"}, "consent too": {"prompt", "login consent"}, "another person": {"prompt", "select_account"},
		"too old": {"max_age", "3599"}, "at once": {"max_age", "0"},
	} {
		signedInAt = d.now().Add(-time.Hour)
		a := d.do(http.MethodGet, authorizePath(wish(change...)), "alice", nil)
		location := must(url.Parse(a.header.Get("Location")))
		back := location.Query().Get("return")
		if location.Path != "/signin" || !strings.HasPrefix(back, "/authorize?") {
			t.Errorf("%s: sent to %s", name, location)
			continue
		}
		if a := d.do(http.MethodGet, back, "alice", nil); !strings.Contains(a.header.Get("Location"), "/signin?") {
			t.Errorf("%s: came back without signing in: %d", name, a.status)
		}
		d.pass(time.Minute)
		signedInAt = d.now()
		if a := d.do(http.MethodGet, back, "alice", nil); a.status != http.StatusOK || !strings.Contains(a.text, `name="consent"`) {
			t.Errorf("%s: after signing in: %d %s", name, a.status, a.header.Get("Location"))
		}
	}
	location := must(url.Parse(d.do(http.MethodGet, authorizePath(wish("prompt", "login")), "", nil).header.Get("Location")))
	d.pass(time.Minute)
	signedInAt = d.now()
	if a := d.do(http.MethodGet, location.Query().Get("return"), "alice", nil); a.status != http.StatusOK {
		t.Errorf("who was not signed in has to sign in twice: %d %s", a.status, a.header.Get("Location"))
	}
	signedInAt = d.now().Add(-time.Hour)
	d.page("alice", wish("max_age", "3600"))
	d.page("alice", wish("prompt", "consent"))
}

// That nobody can tell who is there is an outage, and no reason to sign in.
func TestSessionsAway(t *testing.T) {
	d, _ := openFlow(t, func(c *Config) {
		c.Who = func(*http.Request) (porterhouse.Principal, error) {
			return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unavailable, "the store is away")
		}
	})
	back := d.sentBack(d.do(http.MethodGet, authorizePath(wish()), "alice", nil))
	if back.Get("error") != "temporarily_unavailable" {
		t.Errorf("the client is sent %v", back)
	}
}

// A request that names no scope of ours asks for what is usual at its resource, as far
// as the client may ask for that.
func TestUsualScopes(t *testing.T) {
	both := []string{ScopeRead, ScopeWrite}
	door, cluster := Resource{Scopes: both}, Resource{Scopes: both, Usual: both}
	client := Client{Scopes: []string{ScopeRead, ScopeWrite, ScopeOffline}, Grants: []string{GrantCode, GrantRefresh}}
	reader := Client{Scopes: []string{ScopeRead}, Grants: []string{GrantCode}}
	for _, c := range []struct {
		text   string
		client Client
		at     Resource
		want   string
	}{
		{"", client, door, "clickhouse:read offline_access"},
		{"openid profile offline_access", client, door, "clickhouse:read offline_access"},
		{"openid profile offline_access", client, cluster, "clickhouse:read clickhouse:write offline_access"},
		{"clickhouse:read", client, cluster, "clickhouse:read offline_access"},
		{"", reader, cluster, "clickhouse:read"},
	} {
		if got, err := askedScopes(c.text, c.client, c.at); err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q: %v, %v; want %s", c.text, got, err, c.want)
		}
	}
}

// Asking names the client of a request, for the page on which its person signs in.
func TestAsking(t *testing.T) {
	d, _ := openFlow(t, func(c *Config) { c.AllowRegistration = true })
	asking, err := d.Asking(t.Context(), authorizePath(wish("client_id", cliClient, "redirect_uri", cliRedirect)), "")
	if err != nil || asking == nil || *asking != (Asking{Name: "A program", Redirect: "127.0.0.1:1234", Unproved: true}) {
		t.Errorf("%+v %v", asking, err)
	}
	if asking, err := d.Asking(t.Context(), authorizePath(wish()), ""); err != nil || asking == nil || asking.Redirect != "app.example.com" || asking.Unproved || asking.Stranger {
		t.Errorf("%+v %v", asking, err)
	}
	id := d.registered("https://evil.example.com/callback")
	asking, err = d.Asking(t.Context(), authorizePath(wish("client_id", id, "redirect_uri", "https://evil.example.com/callback")), "")
	if err != nil || asking == nil || *asking != (Asking{Name: "<b>Evil</b>", Redirect: "evil.example.com", Stranger: true}) {
		t.Errorf("who registered itself: %+v %v", asking, err)
	}
	for _, local := range []string{"/", "/console", "/signin/out"} {
		if asking, err := d.Asking(t.Context(), local, ""); asking != nil || err != nil {
			t.Errorf("%s: %+v %v", local, asking, err)
		}
	}
	for _, bad := range []string{authorizePath(wish("client_id", "nobody")), authorizePath(wish("scope", "clickhouse:write", "resource", "https://evil.example.com")), "/authorize?%zz", "%zz"} {
		asking, err := d.Asking(t.Context(), bad, "")
		if kind, public := porterhouse.Explain(err); asking != nil || kind != porterhouse.Invalid || public == "" {
			t.Errorf("%s: %+v %v", bad, asking, err)
		}
	}
}

// A request in letters that browsers and pages write in other ways is the same request
// when the form comes back.
func TestOddlyWrittenRequest(t *testing.T) {
	d, _ := openFlow(t, nil)
	query := wish("state", "-").Encode() + "&state=(it's)|{a}^[b]~!*,;"
	page := d.do(http.MethodGet, "/authorize?"+strings.TrimSuffix(query, ";"), "alice", nil)
	action := regexp.MustCompile(`<form method="post" action="([^"]*)"`).FindStringSubmatch(page.text)
	if action == nil {
		t.Fatalf("no form: %d %s", page.status, page.text)
	}
	back := d.sentBack(d.do(http.MethodPost, html.UnescapeString(action[1]), "alice", yes(page)))
	if back.Get("state") != "(it's)|{a}^[b]~!*," || back.Get("code") == "" {
		t.Errorf("the client is sent %v", back)
	}
}
