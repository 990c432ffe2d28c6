package authserver

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// A yes is believed only on the form that this person was shown for this request.
func TestAttackConsentCSRF(t *testing.T) {
	d, _ := openFlow(t, nil)
	request := wish()
	good := yes(d.page("alice", request))
	other := wish("client_id", otherClient, "redirect_uri", "https://other.example.com/callback")
	for name, test := range map[string]struct {
		who     string
		request url.Values
		form    url.Values
	}{
		"no token":              {"alice", request, with(good, "consent", "-")},
		"an empty token":        {"alice", request, with(good, "consent", "")},
		"a wrong token":         {"alice", request, with(good, "consent", strings.Repeat("A", 54))},
		"a later token":         {"alice", request, with(good, "consent", good.Get("consent")[:9]+"zz"+good.Get("consent")[11:])},
		"another's token":       {"alice", request, with(good, "consent", yes(d.page("mallory", request)).Get("consent"))},
		"another request's":     {"alice", other, good},
		"a wider request":       {"alice", with(request, "scope", "clickhouse:read clickhouse:write"), good},
		"another state":         {"alice", with(request, "state", "another"), good},
		"another challenge":     {"alice", with(request, "code_challenge", strings.Repeat("A", 43)), good},
		"two tokens":            {"alice", request, url.Values{"consent": {good.Get("consent"), good.Get("consent")}, "answer": {"agree"}}},
		"mallory, with alice's": {"mallory", request, good},
	} {
		a := d.do(http.MethodPost, authorizePath(test.request), test.who, test.form)
		if a.status != http.StatusForbidden || a.header.Get("Location") != "" || !strings.Contains(a.text, "look at the page again") {
			t.Errorf("%s: %d %s", name, a.status, a.header.Get("Location"))
		}
	}
	if back := d.sentBack(d.do(http.MethodPost, authorizePath(request), "alice", good)); back.Get("code") == "" {
		t.Errorf("the true form gives %v", back)
	}
	d.pass(consentLife + time.Second)
	if a := d.do(http.MethodPost, authorizePath(request), "alice", good); a.status != http.StatusForbidden {
		t.Errorf("half an hour later: %d", a.status)
	}
}

// The form of another session of the same person does not count either.
func TestAttackConsentOfAnotherSession(t *testing.T) {
	d, _ := openFlow(t, nil)
	alice := personCalled("alice")
	token := d.consents.token(alice, "request")
	if err := d.consents.check(token, alice, "request"); err != nil {
		t.Fatal(err)
	}
	alice.TokenID = "another login"
	if err := d.consents.check(token, alice, "request"); err == nil {
		t.Error("the form of one sign-in counts in another")
	}
}

// A page of another site cannot send the form, even if it knew all that is in it.
func TestAttackConsentFromAnotherSite(t *testing.T) {
	d, _ := openFlow(t, nil)
	request := wish()
	form := yes(d.page("alice", request))
	for name, header := range map[string][]string{
		"cross-site": {"Sec-Fetch-Site", "cross-site"}, "same-site": {"Sec-Fetch-Site", "same-site"},
		"origin": {"Origin", "https://evil.example.com"}, "no origin": {"Origin", "null"},
	} {
		if a := d.do(http.MethodPost, authorizePath(request), "alice", form, header...); a.status != http.StatusForbidden || a.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.header.Get("Location"))
		}
	}
	if a := d.do(http.MethodPost, authorizePath(request), "alice", form, "Sec-Fetch-Site", "same-origin", "Origin", d.url); a.status != http.StatusSeeOther {
		t.Errorf("our own page: %d %s", a.status, a.text)
	}
}

// Whoever is signed in is asked all the same: each time, and with nothing that a
// request could say instead.
func TestAttackConsentBypass(t *testing.T) {
	d, _ := openFlow(t, nil)
	d.code() // alice has agreed to exactly this before
	for name, path := range map[string]string{
		"again":    authorizePath(wish()),
		"silent":   authorizePath(wish("prompt", "none")),
		"answered": authorizePath(wish("answer", "agree", "consent", yes(d.page("alice", wish())).Get("consent"))),
		"approved": authorizePath(wish("approval_prompt", "auto")),
	} {
		if a := d.do(http.MethodGet, path, "alice", nil); strings.Contains(a.header.Get("Location"), "code=") {
			t.Errorf("%s: a code without a yes: %s", name, a.header.Get("Location"))
		}
	}
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		if a := d.do(method, authorizePath(wish()), "alice", yes(d.page("alice", wish()))); strings.Contains(a.header.Get("Location"), "code=") {
			t.Errorf("%s: a code without a yes", method)
		}
	}
	no := formOf(d.page("alice", wish()).text)
	for _, answer := range []string{"-", "", "cancel", "Agree", "yes"} {
		back := d.sentBack(d.do(http.MethodPost, authorizePath(wish()), "alice", with(no, "answer", answer)))
		if back.Get("error") != "access_denied" || back.Has("code") {
			t.Errorf("answer %q: the client is sent %v", answer, back)
		}
	}
	if lines := d.recorded("consent"); len(lines) != 6 || !strings.Contains(lines[5], "the person said no") || !strings.Contains(lines[5], "alice@example.com") {
		t.Errorf("the record of one yes and five times no: %q", lines)
	}
	if a := d.do(http.MethodPost, authorizePath(wish()), "", yes(d.page("alice", wish()))); !strings.HasPrefix(a.header.Get("Location"), "/signin?") {
		t.Errorf("nobody's yes: %d %s", a.status, a.header.Get("Location"))
	}
}

// A person cannot be made to tick what the client did not ask for.
func TestAttackConsentWiderThanAsked(t *testing.T) {
	d, _ := openFlow(t, nil)
	request := wish("scope", "clickhouse:read")
	form := with(yes(d.page("alice", request)), ScopeWrite, "yes", "scope", "clickhouse:write")
	a := d.tokens(redeem(d.sentBack(d.do(http.MethodPost, authorizePath(request), "alice", form)).Get("code")))
	if strings.Contains(a.field("scope"), ScopeWrite) {
		t.Errorf("the scope is %q", a.field("scope"))
	}
}

// Pages with buttons are shown in no frame, and keep nothing.
func TestAttackClickjacking(t *testing.T) {
	d, _ := openFlow(t, nil)
	h := d.page("alice", wish()).header
	policy := h.Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") ||
		h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("the headers are %v", h)
	}
}

// Whatever a client calls itself, and whatever it sends, is text on our pages.
func TestAttackInjection(t *testing.T) {
	const script = `"><script>alert(1)</script><a href="javascript:x">ä\` + "\u202egnp.exe\x00\r\nSet-Cookie: a=b"
	d, _ := openFlow(t, func(c *Config) {
		c.Resources[0].Name = script
		for i := range c.Clients {
			c.Clients[i].Name = script
		}
		c.Who = func(r *http.Request) (porterhouse.Principal, error) {
			who, err := signedIn(r)
			who.User, who.Issuer = script, script
			return who, err
		}
	})
	raw := regexp.MustCompile(`<script|javascript:x">|` + "\u202e|\x00")
	described := regexp.MustCompile(`^[ !#-[\]-~]*$`) // RFC 6749, 5.2
	queries := map[string]url.Values{"consent page": wish(), "loopback": wish("client_id", cliClient, "redirect_uri", cliRedirect)}
	for name := range wish() {
		queries[name] = wish(name, script)
	}
	for _, who := range []string{"alice", ""} {
		for name, query := range queries {
			a := d.do(http.MethodGet, authorizePath(query), who, nil)
			location := a.header.Get("Location")
			if raw.MatchString(a.text) || raw.MatchString(location) || a.header.Get("Set-Cookie") != "" || strings.ContainsAny(location, "\r\n<>\"") {
				t.Errorf("%s: %s %s", name, location, a.text)
			}
		}
	}
	for _, name := range []string{"grant_type", "code", "refresh_token", "resource", "scope", "client_id", "redirect_uri", "code_verifier"} {
		a := d.grant(redeem(d.code(), name, script))
		if a.header.Get("Content-Type") != "application/json" || raw.MatchString(a.text) || !described.MatchString(a.field("error_description")) || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v %s", name, a.header, a.text)
		}
	}
}
