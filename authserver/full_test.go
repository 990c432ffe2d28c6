package authserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"porterhouse"
	"porterhouse/kv"
)

// Nobody fills the store, in which everybody's sign-ins are: neither strangers, nor
// somebody who is signed in.

// hosted is a client that anybody can publish, with a key of its own.
func hosted(id string, key jose.JSONWebKey) func(context.Context, string) (Reply, error) {
	return func(context.Context, string) (Reply, error) {
		text := must(json.Marshal(map[string]any{
			"client_id": id, "redirect_uris": []string{"https://app.example.com/callback"},
			"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(keySetOf(key)),
		}))
		return Reply{Status: http.StatusOK, Body: text}, nil
	}
}

// A client that anybody can be signs as many assertions as it likes, and each used
// one is remembered.
func TestAssertionsDoNotFillTheStore(t *testing.T) {
	const id = "https://app.example.com/client.json"
	key := jose.JSONWebKey{Key: p256(), KeyID: "one", Algorithm: "ES256"}
	d := openDesk(t, func(c *Config) { c.Fetch = hosted(id, key) })
	refused := 0
	for i := range 700 {
		_, err := d.authenticated(d.assertion(signedBy(key), map[string]any{"iss": id, "sub": id, "jti": fmt.Sprint("a", i)}), "")
		if err != nil {
			d.wantProblem(err, "temporarily_unavailable", "too often from your network")
			refused++
		}
	}
	if marks := len(must(d.store.Keys(t.Context(), "client-assertion/"))); marks > 600 || refused < 100 {
		t.Errorf("the store has %d marks, and %d assertions were refused", marks, refused)
	}
	// It recovers, and clients of the operator are not held up at all.
	d.pass(time.Second)
	if _, err := d.authenticated(d.assertion(signedBy(key), map[string]any{"iss": id, "sub": id, "jti": "later"}), ""); err != nil {
		t.Errorf("a second later: %v", err)
	}
	own, mine := proving(t, nil)
	for i := range 700 {
		if _, err := own.authenticated(own.assertion(signedBy(mine), map[string]any{"jti": fmt.Sprint("a", i)}), ""); err != nil {
			t.Fatalf("the operator's own client: %v", err)
		}
	}
}

// A day of the longest registrations that there can be leaves half of the smallest
// store to others.
func TestRegistrationsDoNotFillTheStore(t *testing.T) {
	d := openDesk(t, registering)
	longest := 0
	for _, uri := range []string{strings.Repeat("&", 900), strings.Repeat("'", 2), strings.Repeat("&", 100)} {
		for uris := "https://a.example/?" + uri; ; uris += `","https://a.example/?` + uri {
			text := `{"client_name":"` + strings.Repeat("&😀", 40) + `","redirect_uris":["` + uris + `"]}`
			r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/register", strings.NewReader(text)))
			r.Header.Set("Content-Type", "application/json")
			d.pass(time.Minute)
			id := d.send(r).field("client_id")
			if id == "" {
				break
			}
			longest = max(longest, len(registrationKey(id))+len(must(d.store.Get(t.Context(), registrationKey(id)))))
		}
	}
	const smallest, entry = 64 << 20, 200 // bytes of kv.Memory, and of an entry beside its text
	if day := (longest + entry) * mostInAnHour * int(unusedLife/time.Hour); longest < maxRegisteredURIs || day > smallest*6/10 {
		t.Errorf("a registration has up to %d bytes, and those of a day %d MiB", longest, day>>20)
	}
}

// Somebody who lets programs in all the time, by a program of their own, is stopped;
// nobody else is.
func TestOnePersonDoesNotFillTheStore(t *testing.T) {
	d, _ := openFlow(t, nil)
	request := wish()
	form := yes(d.page("mallory", request))
	given := 0
	for range 200 {
		if a := d.do(http.MethodPost, authorizePath(request), "mallory", form); strings.Contains(a.header.Get("Location"), "code=") {
			given++
		} else if back := d.sentBack(a); back.Get("error") != "temporarily_unavailable" {
			t.Fatalf("refused with %v", back)
		}
	}
	if given != 60 {
		t.Errorf("mallory agreed %d times at once", given)
	}
	d.code() // alice
	b := d.beginAs("robot")
	page := d.look(b, "mallory")
	answer := yes(page)
	if a := d.do(http.MethodPost, "/device", "mallory", answer); a.status != http.StatusTooManyRequests {
		t.Errorf("and for a device: %d %s", a.status, a.text)
	}
}

// Who may not have a document fetched now, because of what others have fetched, uses
// the one that was there; for an hour.
func TestRushForDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		all := papers(p, 100)
		must(all.get(t.Context(), paper, "192.0.2.1", nil))
		use := func() {
			for i := range 30 {
				_, _ = all.get(t.Context(), fmt.Sprint(paper, "/", i, time.Now().Unix()), "192.0.2.1", nil)
			}
		}
		time.Sleep(defaultLife)
		use()
		if got, err := all.get(t.Context(), paper, "192.0.2.1", nil); err != nil || got != "first" {
			t.Errorf("%q, %v", got, err)
		}
		time.Sleep(rush)
		use()
		if _, err := all.get(t.Context(), paper, "192.0.2.1", nil); err == nil {
			t.Error("it is used on for ever")
		}
	})
}

// Whoever looks at a page when too many documents were fetched, or a client's server is
// away, can try again there; what never works offers nothing.
func TestDocumentsAndPeople(t *testing.T) {
	answer := func() (Reply, error) { return Reply{Status: http.StatusServiceUnavailable}, nil }
	d, _ := openFlow(t, func(c *Config) {
		c.Fetch = func(context.Context, string) (Reply, error) { return answer() }
	})
	open := func(name string) (answered, porterhouse.Kind) {
		path := authorizePath(wish("client_id", "https://app.example.com/"+name))
		_, err := d.Asking(t.Context(), path, "192.0.2.1:1")
		kind, _ := porterhouse.Explain(err)
		return d.do(http.MethodGet, path, "alice", nil), kind
	}
	offers := func(a answered) bool { return strings.Contains(a.text, `class="button" href="/authorize?`) }
	if a, kind := open("away"); a.status != http.StatusServiceUnavailable || !offers(a) || kind != porterhouse.Unavailable {
		t.Errorf("a server that is away: %s, %d %s", kind, a.status, a.text)
	}
	answer = func() (Reply, error) { return Reply{}, fmt.Errorf("at 10.0.0.7: %w", ErrForbidden) }
	if a, kind := open("never"); a.status != http.StatusBadRequest || offers(a) || kind != porterhouse.Invalid || strings.Contains(a.text, "10.0.0.7") {
		t.Errorf("an address that is never asked: %s, %d %s", kind, a.status, a.text)
	}
	d.from("192.0.2.1:1")
	for range 30 {
		d.Limits.documents.take("192.0.2.1")
	}
	if a, kind := open("another"); a.status != http.StatusTooManyRequests || !offers(a) || kind != porterhouse.Limited {
		t.Errorf("too many documents: %s, %d %s", kind, a.status, a.text)
	}
}

// Who has a chooser page shown spends what their own network may, not everybody's.
func TestAskingIsLimitedByNetwork(t *testing.T) {
	const id = "https://app.example.com/client.json"
	key := jose.JSONWebKey{Key: p256(), KeyID: "one", Algorithm: "ES256"}
	good := hosted(id, key)
	d := openDesk(t, func(c *Config) {
		c.Fetch = func(ctx context.Context, url string) (Reply, error) {
			if url != id {
				return Reply{Status: http.StatusNotFound}, nil
			}
			return good(ctx, url)
		}
	})
	for i := range 40 {
		_, _ = d.Asking(t.Context(), authorizePath(wish("client_id", fmt.Sprint("https://evil.example.com/", i))), "192.0.2.1:1")
	}
	if _, err := d.Asking(t.Context(), authorizePath(wish("client_id", id, "redirect_uri", "https://app.example.com/callback")), "192.0.2.2:1"); err != nil {
		t.Errorf("somebody of another network: %v", err)
	}
}

// A yes is to the place that the page named: a client's document that names another
// one by the time that the button is pressed has none.
func TestAttackDocumentChangesAfterThePage(t *testing.T) {
	const id = "https://app.example.com/client.json"
	document := func(name, redirect string) Reply {
		return Reply{Status: http.StatusOK, Body: must(json.Marshal(map[string]any{
			"client_id": id, "client_name": name, "redirect_uris": []string{redirect}, "token_endpoint_auth_method": "none",
		}))}
	}
	published := document("An agent", "https://claude.ai/callback")
	d, _ := openFlow(t, func(c *Config) { c.Fetch = func(context.Context, string) (Reply, error) { return published, nil } })
	request := wish("client_id", id, "redirect_uri", "-")
	page := d.page("alice", request)
	if !strings.Contains(page.text, "claude.ai") {
		t.Fatalf("the page does not name the place: %s", page.text)
	}
	form := yes(page)
	for _, changed := range []Reply{document("An agent", "https://evil.example.com/callback"), document("Another agent", "https://claude.ai/callback")} {
		published = changed
		d.clients.documents.clients.kept.remove(id) // time went by, or it is another replica
		if a := d.do(http.MethodPost, authorizePath(request), "alice", form); a.status != http.StatusForbidden || a.header.Get("Location") != "" {
			t.Errorf("the browser is sent to %q: %d", a.header.Get("Location"), a.status)
		}
	}
}

// The record tells what was refused, and what did not come about after all.
func TestRecordOfWhatWasNot(t *testing.T) {
	broken := &brokenFor{}
	d, _ := openFlow(t, func(c *Config) {
		registering(c)
		broken.Store = c.Store
		c.Store = broken
	})
	request := wish()
	form := yes(d.page("alice", request))
	d.do(http.MethodPost, authorizePath(request), "alice", with(form, "answer", "cancel"))
	d.wantLast("consent", "the person said no")

	b := d.beginAs("robot")
	d.do(http.MethodPost, "/device", "alice", with(formOf(d.look(b, "alice").text), "answer", "cancel"))
	d.wantLast("consent", "the person said no")

	broken.prefix = "code/"
	d.do(http.MethodPost, authorizePath(request), "alice", form)
	d.wantLast("consent", "away")
	broken.prefix = "registration/"
	d.register(public)
	d.wantLast("register", "away")
}

// wantLast fails unless the last of an action in the record is a refusal with a text.
func (d *desk) wantLast(action, text string) {
	d.t.Helper()
	lines := d.recorded(action)
	if len(lines) == 0 || !strings.Contains(lines[len(lines)-1], `"failure"`) || !strings.Contains(lines[len(lines)-1], text) {
		d.t.Errorf("the record has %v", lines)
	}
}

// brokenFor is a store that cannot write keys with a prefix; "": all can be.
type brokenFor struct {
	kv.Store
	prefix string
}

// Put implements kv.Store.
func (b *brokenFor) Put(ctx context.Context, key string, value []byte, life time.Duration) error {
	if b.prefix != "" && strings.HasPrefix(key, b.prefix) {
		return porterhouse.Errorf(porterhouse.Unavailable, "the store is away")
	}
	return b.Store.Put(ctx, key, value, life)
}
