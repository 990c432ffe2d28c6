package signin

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"porterhouse"
)

// A provider that is dishonest sends a browser, which was sent to it, on to another
// that does not say in its redirects which it is, and asks there in our name: with a
// challenge and a nonce that somebody was given who began at that other. The code must
// not be brought to the dishonest one, who would hand it on.
func TestAttackMixUpOfProviders(t *testing.T) {
	honest, evil := openProvider(t, "honest"), openProvider(t, "evil")
	given, listens := 0, evil.provider()
	listens.Finish = func(ctx context.Context, trip Trip, code, iss string) (porterhouse.Principal, Kept, error) {
		given++
		return evil.finish(ctx, trip, code, iss)
	}
	h := build(t, func(c *Config) { c.Providers = []Provider{listens, honest.provider()} })
	victim, attacker := h.browser(), h.browser()
	atEvil, atHonest := parse(t, victim.depart(h, "evil", "/back")), parse(t, attacker.depart(h, "honest", "/back"))
	if a, b := atEvil.Query().Get("redirect_uri"), atHonest.Query().Get("redirect_uri"); a != h.url+"/signin/callback/evil" || b != h.url+"/signin/callback/honest" {
		t.Fatalf("browsers come back to %s and %s", a, b)
	}
	query := atHonest.Query()
	query.Set("state", atEvil.Query().Get("state"))
	atHonest.RawQuery = query.Encode()
	answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(atHonest.String())
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if at := victim.get(answer.Header.Get("Location")); at.status != http.StatusBadRequest {
		t.Errorf("the code of the other is taken: %d", at.status)
	}
	victim.isNobody(h)
	if given > 0 {
		t.Error("the code was given away")
	}
}

// Each of several providers brings people in, by its own path and no other.
func TestCallbacksOfSeveral(t *testing.T) {
	one, other := openProvider(t, "one"), openProvider(t, "an/other")
	h := build(t, func(c *Config) { c.Providers = []Provider{one.provider(), other.provider()} })
	for name, path := range map[string]string{"one": "/signin/callback/one", "an/other": "/signin/callback/an%2Fother"} {
		b := h.browser()
		back := parse(t, b.callback(h, name, "/back"))
		if back.EscapedPath() != path {
			t.Errorf("at %s browsers come back to %s", name, back)
		}
		if at := b.get(back.String()); at.status != http.StatusSeeOther {
			t.Errorf("%s: %d", name, at.status)
		}
	}
	for _, path := range []string{"/signin/callback", "/signin/callback/other", "/signin/callback/", "/signin/callback/an%2Fother"} {
		b := h.browser()
		back := parse(t, b.callback(h, "one", "/back"))
		if at := b.get(h.url + path + "?" + back.RawQuery); at.status == http.StatusSeeOther {
			t.Errorf("one came back to %s", path)
		}
		b.isNobody(h)
	}
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
