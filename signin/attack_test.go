package signin

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// Login CSRF: a callback that an attacker made signs nobody in whose browser did not
// set out for it.
func TestCallbackOfAnotherBrowser(t *testing.T) {
	h := build(t, nil)
	attacker, victim := h.browser(), h.browser()
	own := attacker.callback(h, "acme", "/a")
	other := victim.callback(h, "acme", "/b")
	stolen, err := url.Parse(own)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := url.Parse(other)
	if err != nil {
		t.Fatal(err)
	}
	// The attacker's code with the victim's own state: the verifier is another's.
	injected := mine.Query()
	injected.Set("code", stolen.Query().Get("code"))
	for name, address := range map[string]string{
		"the attacker's URL": own,
		"no state":           h.url + CallbackOf("acme") + "?code=" + stolen.Query().Get("code"),
		"an empty state":     h.url + CallbackOf("acme") + "?state=&code=" + stolen.Query().Get("code"),
		"nothing":            h.url + CallbackOf("acme"),
		"two states":         own + "&state=" + mine.Query().Get("state"),
		"its own, twice":     other + "&state=" + mine.Query().Get("state"),
		"another state":      h.url + CallbackOf("acme") + "?state=" + secret() + "&code=" + stolen.Query().Get("code"),
		"an error":           h.url + CallbackOf("acme") + "?error=access_denied",
	} {
		t.Run(name, func(t *testing.T) {
			at := victim.get(address)
			if at.status != http.StatusBadRequest || !strings.Contains(at.text, "This page has expired") {
				t.Errorf("%d: %s", at.status, at.text)
			}
			victim.isNobody(h)
		})
	}
	if at := victim.get(h.url + CallbackOf("acme") + "?" + injected.Encode()); at.status != http.StatusForbidden || !strings.Contains(at.text, "You were not let in") {
		t.Errorf("%d: %s", at.status, at.text)
	}
	victim.isNobody(h)
	if h.Stats().SignedIn != 0 {
		t.Errorf("%+v", h.Stats())
	}
}

// A cookie of one trip in the place of another's, a forged one, one of another key:
// none makes a state good.
func TestTripCookieIsSealedForItsState(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	back, err := url.Parse(b.callback(h, "acme", "/a"))
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	genuine := b.Jar.Cookies(address)[0]
	state := secret()
	key, err := strangerKey(t).For("signin trip")
	if err != nil {
		t.Fatal(err)
	}
	plain := fmt.Sprintf(`{"trip":{"state":%q},"provider":"acme","return":"/x","started":%q}`, state, h.clock.Now().Format(time.RFC3339))
	for name, value := range map[string]string{
		"another trip's": genuine.Value,
		"another key's":  encoding.EncodeToString(key.Seal([]byte(plain), tripName(state))),
		"not sealed":     encoding.EncodeToString([]byte(plain)),
		"no encoding":    "!!!",
		"empty":          "",
	} {
		t.Run(name, func(t *testing.T) {
			forger := h.browser()
			forger.Jar.SetCookies(address, []*http.Cookie{{Name: h.cookies.prefix + tripName(state), Value: value}})
			if at := forger.get(h.url + CallbackOf("acme") + "?state=" + state + "&code=" + back.Query().Get("code")); at.status != http.StatusBadRequest {
				t.Errorf("%d: %s", at.status, at.text)
			}
			forger.isNobody(h)
		})
	}
}

// A callback counts once: not for the same browser, and not for a copy of its cookies.
func TestCallbackCountsOnce(t *testing.T) {
	h := build(t, nil)
	b, thief := h.browser(), h.browser()
	back := b.callback(h, "acme", "/a")
	address, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	thief.Jar.SetCookies(address, b.Jar.Cookies(address))
	if at := b.get(back); at.status != http.StatusSeeOther || at.location != "/a" {
		t.Fatalf("%d: %s", at.status, at.text)
	}
	if at := b.get(back); at.status != http.StatusBadRequest || !strings.Contains(at.text, "This page has expired") {
		t.Errorf("again: %d", at.status)
	}
	if at := thief.get(back); at.status != http.StatusBadRequest || !strings.Contains(at.text, "already used") {
		t.Errorf("the copy: %d: %s", at.status, at.text)
	}
	thief.isNobody(h)
	b.isSignedIn(h, "alice@example.com")
}

// A trip ends after ten minutes.
func TestTripEnds(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	late, soon := b.callback(h, "acme", "/a"), ""
	h.clock.move(time.Second)
	soon = b.callback(h, "acme", "/b")
	h.clock.move(tripLife - time.Second)
	if at := b.get(late); at.status != http.StatusBadRequest || !strings.Contains(at.text, "ten minutes") {
		t.Errorf("%d: %s", at.status, at.text)
	}
	b.isNobody(h)
	if at := b.get(soon); at.status != http.StatusSeeOther {
		t.Errorf("%d: %s", at.status, at.text)
	}
}

// Session fixation: a session that was there before is not the one after.
func TestSessionIsNew(t *testing.T) {
	h := build(t, nil)
	attacker, victim := h.browser(), h.browser()
	attacker.signIn(h, "")
	address, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	victim.Jar.SetCookies(address, attacker.Jar.Cookies(address))
	p := h.Providers[0]
	before := victim.isSignedIn(h, "alice@example.com")
	victim.signIn(h, "")
	after := victim.isSignedIn(h, "alice@example.com")
	if p.Name != "acme" || before.TokenID == after.TokenID || victim.Jar.Cookies(address)[0].Value == attacker.Jar.Cookies(address)[0].Value {
		t.Error("it is the same session")
	}
	attacker.isNobody(h) // what the victim left behind is ended, too
	for _, planted := range []string{"", "x", secret(), strings.Repeat("A", 4000)} {
		b := h.browser()
		b.Jar.SetCookies(address, []*http.Cookie{{Name: h.cookies.prefix + sessionCookie, Value: planted}})
		b.isNobody(h)
		b.signIn(h, "")
		if got := b.Jar.Cookies(address)[0].Value; got == planted {
			t.Errorf("%q is a session now", planted)
		}
	}
}

// Forms that another site sends do nothing, in browsers that say so either way.
func TestFormsOfOtherSites(t *testing.T) {
	h := build(t, nil)
	for name, headers := range map[string][]string{
		"fetch metadata": {"Sec-Fetch-Site", "cross-site"},
		"a subdomain":    {"Sec-Fetch-Site", "same-site"},
		"the origin":     {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"no origin":      {"Sec-Fetch-Site", "", "Origin", "null"},
	} {
		t.Run(name, func(t *testing.T) {
			b := h.browser()
			if at := b.post(h.url+Path, url.Values{"provider": {"acme"}}, headers...); at.status != http.StatusForbidden || len(at.header["Set-Cookie"]) != 0 {
				t.Errorf("%d: %v", at.status, at.header)
			}
			b.signIn(h, "")
			if at := b.post(h.url+OutPath, url.Values{"everywhere": {"yes"}}, headers...); at.status != http.StatusForbidden {
				t.Errorf("%d: %s", at.status, at.text)
			}
			b.isSignedIn(h, "alice@example.com")
		})
	}
}

// Many tabs sign in at once, and a browser is never made to carry more than it can.
func TestTabs(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	address, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	var back []string
	for i := range 10 {
		h.clock.move(time.Second)
		back = append(back, b.callback(h, "acme", fmt.Sprint("/tab/", i)))
		if n := len(b.Jar.Cookies(address)); n > maxTrips {
			t.Fatalf("%d trips", n)
		}
	}
	for i, url := range back {
		want := http.StatusSeeOther
		if i < len(back)-maxTrips {
			want = http.StatusBadRequest
		}
		if at := b.get(url); at.status != want || want == http.StatusSeeOther && at.location != fmt.Sprint("/tab/", i) {
			t.Errorf("tab %d: %d %s", i, at.status, at.location)
		}
	}
	b.isSignedIn(h, "alice@example.com")
	long := "/authorize?state=" + strings.Repeat("s", 2000)
	for range 5 {
		h.clock.move(time.Second)
		b.depart(h, "acme", long)
	}
	size := 0
	for _, c := range b.Jar.Cookies(address) {
		size += len(c.Name) + len(c.Value)
	}
	if size > 7<<10 {
		t.Errorf("the cookies have %d bytes", size)
	}
}

// Sign-ins that nobody finishes leave nothing in the store.
func TestHalfFinishedSignInsStoreNothing(t *testing.T) {
	h := build(t, nil)
	for range 50 {
		b := h.browser()
		b.depart(h, "acme", asked)
		b.get(h.url + CallbackOf("acme") + "?state=" + secret() + "&code=x")
	}
	if keys, err := h.Store.Keys(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Errorf("%v, %v", keys, err)
	}
}

// One network cannot make us ask a provider without end; others are not held up.
func TestLimit(t *testing.T) {
	l, now := NewLimits(), time.Now()
	for i := range atOnce {
		if !l.allow(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)), now) {
			t.Fatalf("refused after %d", i)
		}
	}
	if l.allow(netip.MustParseAddr("2001:db8::ffff:1"), now) {
		t.Error("one network may go on")
	}
	for _, other := range []string{"2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"} {
		if !l.allow(netip.MustParseAddr(other), now) {
			t.Errorf("%s is held up", other)
		}
	}
	if !l.allow(netip.MustParseAddr("2001:db8::1"), now.Add(time.Second)) {
		t.Error("a second later it is still refused")
	}
	for i := range 3 * maxNetworks {
		l.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if n := len(l.networks.now) + len(l.networks.old); n > 2*maxNetworks {
		t.Errorf("it remembers %d networks", n)
	}
}

// The limit stands before all requests that make us ask somebody else.
func TestLimitIsAsked(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	back := b.callback(h, "acme", "/a")
	for h.Limits.allow(netip.MustParseAddr("127.0.0.1"), h.clock.Now()) {
	}
	for _, at := range []seen{b.get(back), b.get(h.url + Path), b.post(h.url+Path, url.Values{"provider": {"acme"}})} {
		if at.status != http.StatusTooManyRequests || at.header.Get("Retry-After") == "" {
			t.Errorf("%d: %s", at.status, at.text)
		}
	}
	h.clock.move(time.Second)
	if at := b.get(back); at.status != http.StatusSeeOther { // the trip was not used up
		t.Errorf("%d: %s", at.status, at.text)
	}
}

// A provider's error is told in our words, and what came with it is not shown.
func TestProviderErrors(t *testing.T) {
	h := build(t, nil)
	for code, want := range map[string]struct {
		status int
		text   string
	}{
		"access_denied":           {http.StatusForbidden, "You or The provider acme said no."},
		"login_required":          {http.StatusForbidden, "wants you to do something there"},
		"temporarily_unavailable": {http.StatusServiceUnavailable, "cannot sign anybody in at the moment"},
		"unauthorized_client":     {http.StatusBadGateway, "Tell your administrator"},
		"<b>call 555</b>":         {http.StatusBadGateway, "an error that this server does not know"},
	} {
		t.Run(code, func(t *testing.T) {
			b := h.browser()
			back, err := url.Parse(b.callback(h, "acme", asked))
			if err != nil {
				t.Fatal(err)
			}
			query := url.Values{"state": back.Query()["state"], "error": {code}, "error_description": {"Call 555-0100 and tell your password"}}
			at := b.get(h.url + CallbackOf("acme") + "?" + query.Encode())
			if at.status != want.status || !strings.Contains(at.text, want.text) {
				t.Errorf("%d: %s", at.status, at.text)
			}
			if strings.Contains(at.text, "555") {
				t.Error("the provider's text is on the page")
			}
			if !strings.Contains(at.text, `href="/signin?return=%2fauthorize`) && !strings.Contains(at.text, `href="/signin?return=%2Fauthorize`) {
				t.Errorf("there is no way to begin anew: %s", at.text)
			}
			b.isNobody(h)
		})
	}
}

// Who is not let in is told why, recorded, and nobody; a provider that is away, or
// that proves somebody for another, lets nobody in either.
func TestNotLetIn(t *testing.T) {
	p := openProvider(t, "acme")
	h := build(t, func(c *Config) { c.Providers = []Provider{p.provider()} })
	for name, c := range map[string]struct {
		person porterhouse.Principal
		status int
	}{
		"of another processor": {porterhouse.Principal{Issuer: "i", Subject: "s", User: "u", Proof: "other"}, http.StatusInternalServerError},
		"no subject":           {porterhouse.Principal{Issuer: "i", User: "u", Proof: "acme"}, http.StatusInternalServerError},
		"no issuer":            {porterhouse.Principal{Subject: "i", User: "u", Proof: "acme"}, http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			p.becomes(func(who *porterhouse.Principal) { *who = c.person })
			b := h.browser()
			if at := b.get(b.callback(h, "acme", "/a")); at.status != c.status {
				t.Errorf("%d: %s", at.status, at.text)
			}
			b.isNobody(h)
		})
	}
	// One network has one line in a minute; the others are counted (audit).
	if got := h.records("signin"); len(got) != 1 || got[0]["failure"] == nil || got[0]["remote"] == nil {
		t.Errorf("the record: %v", got)
	}
}

// No record, no sign-in.
func TestNoRecordNoSignIn(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	back := b.callback(h, "acme", "/a")
	if err := h.record.Close(); err != nil {
		t.Fatal(err)
	}
	if at := b.get(back); at.status != http.StatusServiceUnavailable || !strings.Contains(at.text, "audit record cannot be written") {
		t.Errorf("%d: %s", at.status, at.text)
	}
	b.isNobody(h)
}

// A sign-in that cannot be kept is none, and the record says so.
func TestSignInThatCannotBeKept(t *testing.T) {
	p := openProvider(t, "acme")
	h := build(t, func(c *Config) { c.Providers = []Provider{p.provider()} })
	p.becomes(func(who *porterhouse.Principal) {
		who.Groups = slices.Repeat([]string{strings.Repeat("group", 100)}, 1000) // more than fits under one key
	})
	b := h.browser()
	if at := b.get(b.callback(h, "acme", "/a")); at.status != http.StatusBadRequest {
		t.Errorf("%d: %s", at.status, at.text)
	}
	b.isNobody(h)
	if got := h.records("signin"); len(got) != 2 || got[0]["failure"] != nil || got[1]["failure"] == nil {
		t.Errorf("the record: %v", got)
	}
}

// Without its store nobody is anybody, and nobody is told that they are signed out.
func TestStoreAway(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	b.signIn(h, "")
	if err := h.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.who(h); !is(err, porterhouse.Unavailable) {
		t.Errorf("%v", err)
	}
	for _, at := range []seen{b.get(h.url + Path), b.get(h.url + OutPath), b.post(h.url+OutPath, nil)} {
		if at.status != http.StatusServiceUnavailable {
			t.Errorf("%d: %s", at.status, at.text)
		}
	}
}
