package authserver

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Nothing of a device is told to somebody who is not signed in, who is away to sign
// in comes back to the same code, and the place to sign in learns of no device either.
func TestDevicePageOfNobody(t *testing.T) {
	d := openDesk(t, nil)
	b := d.beginAs("clickhouse-client")
	for _, a := range []answered{
		d.do("GET", b.page, "", nil),
		d.do("POST", "/device", "", url.Values{"user_code": {b.user}, "answer": {"agree"}}),
	} {
		if a.status != http.StatusSeeOther || strings.Contains(a.text, "clickhouse-client") {
			t.Errorf("nobody is answered %d %s", a.status, a.text)
		}
		if want := "/signin?return=" + url.QueryEscape("/device?user_code="+b.user); a.header.Get("Location") != want {
			t.Errorf("nobody is sent to %s, want %s", a.header.Get("Location"), want)
		}
	}
	if asking, err := d.Asking(t.Context(), "/device?user_code="+b.user, ""); asking != nil || err != nil {
		t.Errorf("the place to sign in learns of %v, %v", asking, err)
	}
	d.wantOAuthError(d.poll(b, "clickhouse-client"), "authorization_pending")
}

// Before the right code, the page shows nothing of any device; whether a code is
// wrong, answered or too old looks the same.
func TestDevicePageOfWrongCodes(t *testing.T) {
	d := openDesk(t, nil)
	waiting, done := d.beginAs("clickhouse-client"), d.beginAs("clickhouse-client")
	d.say(done, "alice", "agree")
	wrong := func(name, code string) {
		a := d.do("GET", "/device?user_code="+url.QueryEscape(code), "bob", nil)
		if a.status != http.StatusBadRequest || strings.Contains(a.text, "clickhouse-client</bdi>") || strings.Contains(a.text, `name="consent"`) || strings.Contains(a.text, "<script>") {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	wrong("half right", replaceLast(waiting.user))
	wrong("all wrong", "BBBB-BBBB")
	wrong("answered", done.user)
	wrong("no code", "<script>")
	d.pass(5 * time.Minute)
	wrong("half right, which keeps the code in the store", replaceLast(waiting.user))
	d.pass(5 * time.Minute)
	wrong("too old", waiting.user)
}

// replaceLast is a code of which only the last letter is wrong.
func replaceLast(code string) string {
	last := "B"
	if strings.HasSuffix(code, last) {
		last = "C"
	}
	return code[:len(code)-1] + last
}

// Whoever tries codes is stopped: by person, from wherever they come.
func TestDeviceGuessingByPerson(t *testing.T) {
	d := openDesk(t, nil)
	b := d.beginAs("clickhouse-client")
	for i := range 10 {
		d.from(fmt.Sprintf("192.0.2.%d:1000", i))
		if a := d.do("GET", "/device?user_code=BBBB-BBBB", "mallory", nil); a.status != http.StatusBadRequest {
			t.Fatalf("guess %d: %d", i+1, a.status)
		}
	}
	d.from("192.0.2.99:1000")
	for _, code := range []string{"BBBB-BBBB", b.user} {
		if a := d.do("GET", "/device?user_code="+code, "mallory", nil); a.status != http.StatusTooManyRequests {
			t.Errorf("one guess more, %s: %d", code, a.status)
		}
	}
	if a := d.look(b, "alice"); a.status != http.StatusOK {
		t.Errorf("another person is refused, too: %d", a.status)
	}
}

// And by network, whoever they say they are.
func TestDeviceGuessingByNetwork(t *testing.T) {
	d := openDesk(t, nil)
	b := d.beginAs("clickhouse-client")
	for i := range 60 {
		d.from(fmt.Sprintf("[2001:db8::%x]:1000", i+1))
		if a := d.do("GET", "/device?user_code=BBBB-BBBB", fmt.Sprintf("mallory%d", i), nil); a.status != http.StatusBadRequest {
			t.Fatalf("guess %d: %d", i+1, a.status)
		}
	}
	if a := d.look(b, "another"); a.status != http.StatusTooManyRequests {
		t.Errorf("one guess more: %d", a.status)
	}
	d.from("[2001:db8:0:1::1]:1000")
	if a := d.look(b, "alice"); a.status != http.StatusOK {
		t.Errorf("another network is refused, too: %d", a.status)
	}
}

// A code of which half was guessed a few times is dead: the right one opens nothing.
func TestDeviceCodeDiesOfGuessing(t *testing.T) {
	for guesses, want := range map[int]int{maxWrongHalves - 1: http.StatusOK, maxWrongHalves: http.StatusBadRequest} {
		d := openDesk(t, nil)
		b := d.beginAs("clickhouse-client")
		for range guesses {
			d.do("GET", "/device?user_code="+replaceLast(b.user), "mallory", nil)
		}
		if a := d.look(b, "alice"); a.status != want {
			t.Errorf("after %d wrong halves: %d, want %d", guesses, a.status, want)
		}
	}
}

// The page says what a person needs to see through phishing: the code, the client,
// when and from where it was asked, and that it is not where they are.
func TestDevicePageWarns(t *testing.T) {
	d := openDesk(t, nil)
	d.from("203.0.113.9:1000")
	b := d.beginAs("clickhouse-client")
	d.pass(3 * time.Minute)
	for remote, elsewhere := range map[string]bool{"192.0.2.1:1000": true, "203.0.113.9:2000": false} {
		d.from(remote)
		page := d.look(b, "alice").text
		for _, want := range []string{b.user, "Did you start this yourself", "clickhouse-client", "3 minutes ago", "203.0.113.9", "alice@example.com"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not say %q: %s", want, page)
			}
		}
		if strings.Contains(page, "not in the network that you come from") != elsewhere {
			t.Errorf("from %s, the page says of the network: %v", remote, !elsewhere)
		}
	}
}

// A yes counts only when this person was shown this code's page, and sent from it.
func TestDeviceConsentForgery(t *testing.T) {
	d := openDesk(t, nil)
	b, other := d.beginAs("clickhouse-client"), d.beginAs("clickhouse-client")
	yes := func(form url.Values, with ...string) url.Values {
		form.Set("answer", "agree")
		for i := 0; i < len(with); i += 2 {
			form.Set(with[i], with[i+1])
		}
		return form
	}
	own := formOf(d.look(b, "alice").text)
	tests := map[string]struct {
		form   url.Values
		header []string
	}{
		"no proof":               {yes(url.Values{"user_code": {b.user}}), nil},
		"an empty proof":         {yes(url.Values{"user_code": {b.user}, "consent": {""}}), nil},
		"another person's proof": {yes(formOf(d.look(b, "mallory").text)), nil},
		"another code's proof":   {yes(formOf(d.look(other, "alice").text), "user_code", b.user), nil},
		"another site's page":    {yes(url.Values{"user_code": own["user_code"], "consent": own["consent"]}), []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.com"}},
	}
	for name, test := range tests {
		a := d.do("POST", "/device", "alice", test.form, test.header...)
		if a.status < 400 || strings.Contains(a.text, "Done.") {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
		d.wantOAuthError(d.poll(b, "clickhouse-client"), "authorization_pending")
	}
	if a := d.do("GET", "/device?"+yes(own).Encode(), "alice", nil); strings.Contains(a.text, "Done.") {
		t.Error("a link is enough to agree")
	}
	if a := d.do("POST", "/device", "alice", yes(own), "Sec-Fetch-Site", "same-origin"); a.status != http.StatusOK {
		t.Errorf("the person's own yes: %d %s", a.status, a.text)
	}
}

// Of two people who answer for one code, the first does; the second cannot take it
// over, or take it back.
func TestDeviceCodeIsAnsweredOnce(t *testing.T) {
	for first, second := range map[string]string{"agree": "cancel", "cancel": "agree"} {
		d := openDesk(t, nil)
		b := d.beginAs("clickhouse-client")
		late := formOf(d.look(b, "mallory").text)
		d.say(b, "alice", first)
		late.Set("answer", second)
		if a := d.do("POST", "/device", "mallory", late); a.status < 400 {
			t.Errorf("%s after %s: %d %s", second, first, a.status, a.text)
		}
		a := d.poll(b, "clickhouse-client")
		if first == "cancel" {
			d.wantOAuthError(a, "access_denied")
			if lines := d.recorded("consent"); len(lines) != 1 || !strings.Contains(lines[0], "the person said no") || !strings.Contains(lines[0], "alice@example.com") {
				t.Errorf("the record of a no: %q", lines)
			}
		} else if claims := d.claimsOf(a); claims["name"] != "alice@example.com" {
			t.Errorf("the token is of %v", claims["name"])
		}
	}
}

// Of two who answer at the very same time, one does, and the other is told.
func TestDeviceAnswersRace(t *testing.T) {
	d := openDesk(t, nil)
	b := d.beginAs("clickhouse-client")
	people := []string{"alice", "mallory"}
	var forms []url.Values
	for _, who := range people {
		form := formOf(d.look(b, who).text)
		form.Set("answer", "agree")
		forms = append(forms, form)
	}
	d.devices.store = readTogether(d.store, "device/", len(people))
	var done atomic.Int32
	var wg sync.WaitGroup
	for i, who := range people {
		wg.Go(func() {
			if a := d.do("POST", "/device", who, forms[i]); strings.Contains(a.text, "Done.") {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 {
		t.Errorf("%d of two were told that they let it in", done.Load())
	}
	if n := len(d.recorded("consent")); n != 3 {
		t.Errorf("the record has %d lines: want two who agreed, and that one of them was too late", n)
	}
}

// No record, no yes.
func TestDeviceConsentIsRecordedFirst(t *testing.T) {
	d := openDesk(t, nil)
	b := d.beginAs("clickhouse-client")
	form := formOf(d.look(b, "alice").text)
	form.Set("answer", "agree")
	if err := d.Audit.Close(); err != nil {
		t.Fatal(err)
	}
	if a := d.do("POST", "/device", "alice", form); a.status != http.StatusServiceUnavailable {
		t.Errorf("without a record: %d %s", a.status, a.text)
	}
	d.wantOAuthError(d.poll(b, "clickhouse-client"), "authorization_pending")
}

// What a client calls itself, and where its requests come from, are text.
func TestDevicePageInjection(t *testing.T) {
	d := openDesk(t, func(c *Config) {
		c.Clients = append(c.Clients, ClientConfig{ID: "evil", Name: "<img src=x onerror=alert(1)>\u202egnp.exe", Grants: []string{GrantDevice}})
	})
	b := d.beginAs("evil")
	for name, a := range map[string]answered{"who asks": d.look(b, "alice"), "done": d.say(b, "alice", "agree")} {
		if a.status != http.StatusOK || strings.Contains(a.text, "<img") || strings.Contains(a.text, "\u202e") {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
		policy := a.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "form-action 'self'") || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the headers are %v", name, a.header)
		}
	}
}

// The store holds neither code: who reads it can use none.
func TestDeviceCodesAreHashed(t *testing.T) {
	d := openDesk(t, nil)
	b := d.beginAs("clickhouse-client")
	code, _ := parseUserCode(b.user)
	for _, key := range must(d.store.Keys(t.Context(), "")) {
		if all := key + string(must(d.store.Get(t.Context(), key))); strings.Contains(all, b.device) || strings.Contains(all, code) || strings.Contains(all, code[:userCodeHalf]) || strings.Contains(all, hex.EncodeToString([]byte(code[:userCodeHalf]))) {
			t.Errorf("the store has a code: %s", all)
		}
	}
}
