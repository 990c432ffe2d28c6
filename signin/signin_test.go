package signin

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/kv"
)

const asked = "/authorize?client_id=https%3A%2F%2Fclient.example%2Fc.json&state=a%2Fb%26c&scope=clickhouse%3Aread"

// A person signs in, is who the provider says, and comes back to where they wanted.
func TestSignIn(t *testing.T) {
	for name, open := range map[string]func(*Config){
		"memory": nil,
		"file": func(c *Config) {
			store, err := kv.OpenFile(filepath.Join(t.TempDir(), "kv", "store"), kv.FileConfig{Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			c.Store = store
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t, open)
			b := h.browser()
			b.isNobody(h)
			if page := b.get(h.url + returning(asked)); page.status != http.StatusOK || !strings.Contains(page.text, "The provider acme") ||
				!strings.Contains(page.text, `value="`+strings.ReplaceAll(asked, "&", "&amp;")+`"`) {
				t.Fatalf("%d: %s", page.status, page.text)
			}
			if at := b.signIn(h, asked); at != asked {
				t.Errorf("it went to %s", at)
			}
			who := b.isSignedIn(h, "alice@example.com")
			if who.Proof != "acme" || who.Key() != "https://acme.example\x001" || !slices.Equal(who.Groups, []string{"analysts"}) ||
				who.TokenID == "" || !who.Issued.Equal(h.clock.Now()) || !who.Expires.Equal(h.clock.Now().Add(90*day)) {
				t.Errorf("%+v", who)
			}
			if got := h.records("signin"); len(got) != 1 || got[0]["given"] != who.TokenID || got[0]["user"] != who.User {
				t.Errorf("the record: %v", got)
			}
		})
	}
}

// Groups that a provider did not tell are not the same as none.
func TestGroupsAreKeptAsTold(t *testing.T) {
	p := openProvider(t, "acme")
	h := build(t, func(c *Config) { c.Providers = []Provider{p.provider()} })
	for _, groups := range [][]string{nil, {}, {"a", "b"}} {
		p.becomes(func(who *porterhouse.Principal) { who.Groups = groups })
		b := h.browser()
		b.signIn(h, "")
		if got := b.isSignedIn(h, "alice@example.com").Groups; !slices.Equal(got, groups) || (got == nil) != (groups == nil) {
			t.Errorf("%#v became %#v", groups, got)
		}
	}
}

// What the store holds is neither a session that could be used, nor readable, nor
// good in another place.
func TestStoreTellsNothing(t *testing.T) {
	h := build(t, nil)
	alice, bob := h.browser(), h.browser()
	alice.signIn(h, "")
	bob.signIn(h, "")
	keys, err := h.Store.Keys(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{"alice", "analysts", "acme", "refresh_token"}
	for _, c := range slices.Concat(alice.Jar.Cookies(address), bob.Jar.Cookies(address)) {
		secrets = append(secrets, c.Value)
	}
	sealed := map[string][]byte{}
	for _, key := range keys {
		value, err := h.Store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		sealed[key] = value
		for _, hidden := range secrets {
			if hidden != "" && strings.Contains(key+string(value), hidden) {
				t.Errorf("%s holds %q", key, hidden)
			}
		}
	}
	for _, prefix := range []string{loginStore, sessionStore} { // one in the place of the other
		var of []string
		for key := range sealed {
			if strings.HasPrefix(key, prefix) {
				of = append(of, key)
			}
		}
		if len(of) != 2 {
			t.Fatalf("%s: %v", prefix, of)
		}
		was := sealed[of[0]]
		if err := h.Store.Put(t.Context(), of[0], sealed[of[1]], time.Hour); err != nil {
			t.Fatal(err)
		}
		_, first := alice.who(h)
		_, second := bob.who(h)
		if (first == nil) == (second == nil) {
			t.Errorf("%s: %v and %v: one of them should be nobody", prefix, first, second)
		}
		if err := h.Store.Put(t.Context(), of[0], was, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
}

// Nothing secret is in the log or the record.
func TestLogTellsNothing(t *testing.T) {
	h := build(t, nil)
	b := h.browser()
	back := b.callback(h, "acme", asked)
	b.get(back)
	b.get(back)
	b.get(back + "x")
	b.get(h.url + CallbackOf("acme") + "?state=guess-1&code=guess-2&error=guess-3")
	query, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	hidden := []string{query.Query().Get("state"), query.Query().Get("code"), "guess-"}
	for _, c := range b.Jar.Cookies(address) {
		hidden = append(hidden, c.Value)
	}
	for _, text := range hidden {
		if strings.Contains(h.log.String(), text) {
			t.Errorf("the log has %q", text)
		}
	}
}

// Over https the cookies are ones that no other host can set and no script can read.
func TestCookies(t *testing.T) {
	h := build(t, func(c *Config) { c.PublicURL = "https://porterhouse.example" })
	r := httptest.NewRequest(http.MethodPost, "/signin", strings.NewReader("provider=acme"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	trip := w.Result().Cookies()[0]
	if !strings.HasPrefix(trip.Name, "__Host-porterhouse-trip-") || !trip.Secure || !trip.HttpOnly || trip.Path != "/" || trip.Domain != "" ||
		trip.SameSite != http.SameSiteLaxMode || trip.MaxAge != 600 {
		t.Errorf("the trip: %v", trip)
	}
	w = httptest.NewRecorder()
	p := h.providers["acme"]
	who := porterhouse.Principal{Issuer: "i", Subject: "s", User: "u", Proof: "acme"}
	if err := (&visit{h.SignIn, w, httptest.NewRequest(http.MethodGet, "/", nil)}).letIn(p, who, Kept{}); err != nil {
		t.Fatal(err)
	}
	session := w.Result().Cookies()[0]
	if session.Name != "__Host-porterhouse-session" || !session.Secure || !session.HttpOnly || session.MaxAge != 0 || session.SameSite != http.SameSiteLaxMode {
		t.Errorf("the session: %v", session)
	}
}

// A configuration that cannot work is refused at the start.
func TestConfig(t *testing.T) {
	good := build(t, nil).Config
	for name, change := range map[string]func(*Config){
		"http elsewhere":   func(c *Config) { c.PublicURL = "http://porterhouse.example" },
		"a path":           func(c *Config) { c.PublicURL = "https://porterhouse.example/x" },
		"a user":           func(c *Config) { c.PublicURL = "https://u@porterhouse.example" },
		"no URL":           func(c *Config) { c.PublicURL = "" },
		"no store":         func(c *Config) { c.Store = nil },
		"no key":           func(c *Config) { c.Key = nil },
		"no record":        func(c *Config) { c.Audit = nil },
		"no provider":      func(c *Config) { c.Providers = nil },
		"a provider twice": func(c *Config) { c.Providers = append(slices.Clone(c.Providers), c.Providers[0]) },
		"no name": func(c *Config) {
			c.Providers = []Provider{{Start: c.Providers[0].Start, Finish: c.Providers[0].Finish}}
		},
		"no finish":       func(c *Config) { c.Providers = []Provider{{Name: "a", Start: c.Providers[0].Start}} },
		"half a recheck":  func(c *Config) { p := c.Providers[0]; p.CanRecheck = nil; c.Providers = []Provider{p} },
		"a negative life": func(c *Config) { c.Lifetimes.Idle = -1 },
		"no grace":        func(c *Config) { c.Lifetimes.Fresh, c.Lifetimes.Grace = time.Hour, time.Minute },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
