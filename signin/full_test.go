package signin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// Nobody fills the store, in which everybody's sign-ins are: who sets out for a
// provider and comes back with nothing leaves nothing there.
func TestReturningWithNothingLeavesNothing(t *testing.T) {
	h := build(t, nil)
	for i, answer := range []url.Values{{"code": {"made up"}}, {"error": {"access_denied"}}, {"code": {""}}, {}} {
		b := h.browser()
		at, err := url.Parse(b.depart(h, "acme", "/a"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Set("state", at.Query().Get("state"))
		if back := b.get(h.url + CallbackOf("acme") + "?" + answer.Encode()); back.status < 400 {
			t.Errorf("%d: %d", i, back.status)
		}
	}
	if keys, err := h.Store.Keys(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Errorf("%v, %v", keys, err)
	}
}

// Nor does somebody whom the provider knows, by signing in all the time. Others of the
// same network are not held up.
func TestOnePersonSignsInTooOften(t *testing.T) {
	p := openProvider(t, "acme")
	h := build(t, func(c *Config) { c.Providers = []Provider{p.provider()} })
	for range signInsAtOnce {
		h.browser().signIn(h, "")
	}
	b := h.browser()
	if at := b.get(b.callback(h, "acme", "/a")); at.status != http.StatusTooManyRequests || !strings.Contains(at.text, "dozens of times") {
		t.Errorf("%d: %s", at.status, at.text)
	}
	b.isNobody(h)
	if keys, err := h.Store.Keys(t.Context(), loginStore); err != nil || len(keys) != signInsAtOnce {
		t.Errorf("%d logins, %v", len(keys), err)
	}
	p.becomes(func(who *porterhouse.Principal) { who.Subject, who.User = "2", "bob@example.com" })
	other := h.browser()
	other.signIn(h, "")
	other.isSignedIn(h, "bob@example.com")
	p.becomes(func(who *porterhouse.Principal) { who.Subject, who.User = "1", "alice@example.com" })
	h.clock.move(signInEach + time.Second)
	b.signIn(h, "")
	b.isSignedIn(h, "alice@example.com")
}
