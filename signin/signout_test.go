package signin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// Signing out ends this browser's session, and what programs have goes on.
func TestSignOut(t *testing.T) {
	h, _, b, who := recheckable(t, nil)
	other := h.browser()
	other.signIn(h, "")
	h.isStill(who)
	if at := b.get(h.url + OutPath); at.status != http.StatusOK || !strings.Contains(at.text, "alice@example.com") || !strings.Contains(at.text, "Programs that you gave access go on") {
		t.Errorf("%d: %s", at.status, at.text)
	}
	if at := b.post(h.url+OutPath, nil); at.status != http.StatusSeeOther || at.location != OutPath {
		t.Fatalf("%d: %s", at.status, at.text)
	}
	b.isNobody(h)
	if at := b.get(h.url + OutPath); !strings.Contains(at.text, "Nobody is signed in here") {
		t.Error(at.text)
	}
	other.isSignedIn(h, "alice@example.com")
	h.isStill(who)
	if got := h.records("signout"); len(got) != 1 || got[0]["given"] != who.TokenID {
		t.Errorf("the record: %v", got)
	}
}

// A copy of the cookie is worth nothing after signing out.
func TestSignOutEndsCopies(t *testing.T) {
	h, _, b, _ := recheckable(t, nil)
	copied := h.browser()
	address, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	copied.Jar.SetCookies(address, b.Jar.Cookies(address))
	b.post(h.url+OutPath, nil)
	copied.isNobody(h)
	if keys, err := h.Store.Keys(t.Context(), ""); err != nil || len(keys) != 1 || !strings.HasPrefix(keys[0], tripStore) {
		t.Errorf("a login that nobody asked for is left: %v, %v", keys, err)
	}
}

// With all programs: nothing that the sign-in gave can be renewed.
func TestSignOutEverywhere(t *testing.T) {
	h, _, b, who := recheckable(t, nil)
	h.isStill(who)
	if at := b.post(h.url+OutPath, url.Values{"everywhere": {"yes"}}); at.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", at.status, at.text)
	}
	b.isNobody(h)
	h.fails(who, porterhouse.Unauthenticated)
}

// Nobody can be signed out as well.
func TestSignOutOfNobody(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	if at := b.post(h.url+OutPath, nil); at.status != http.StatusSeeOther {
		t.Errorf("%d: %s", at.status, at.text)
	}
	if len(h.records("signout")) != 0 {
		t.Error("it is recorded")
	}
}

// A record that cannot be written keeps nobody signed in.
func TestSignOutWithoutRecord(t *testing.T) {
	h, _, b, _ := recheckable(t, nil)
	if err := h.record.Close(); err != nil {
		t.Fatal(err)
	}
	b.post(h.url+OutPath, nil)
	b.isNobody(h)
}

// A session ends twelve hours after the sign-in, however much it is used.
func TestSessionEnds(t *testing.T) {
	h, _, b, who := recheckable(t, nil)
	h.isStill(who)
	for range 11 {
		h.clock.move(time.Hour)
		b.isSignedIn(h, "alice@example.com")
	}
	h.clock.move(time.Hour)
	b.isNobody(h)
	h.isStill(who)
}
