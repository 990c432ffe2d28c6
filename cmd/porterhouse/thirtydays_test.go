package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/login"
	"porterhouse/sandbox"
	"porterhouse/sandbox/openid"
)

// What the rooms do together when days go by: a server as serve makes it, and a
// provider, with one clock that a test moves. Everything else is real.

// longRun is such a server, and who is signed in there.
type longRun struct {
	*testing.T
	url      string
	process  setup
	provider *openid.Provider

	since time.Time
	gone  atomic.Int64 // nanoseconds since then
	away  atomic.Bool  // the provider breaks every connection
	asked atomic.Int64 // how often its token endpoint was

	access, refresh string
}

const accessLife = 5 * time.Minute // of our access tokens, without a word about it

func (l *longRun) now() time.Time       { return l.since.Add(time.Duration(l.gone.Load())) }
func (l *longRun) wait(d time.Duration) { l.gone.Add(int64(d)) }

// startLongRun runs the server of a configuration in which people sign in at a provider.
func startLongRun(t *testing.T, change func(*Config)) *longRun {
	t.Helper()
	l := &longRun{T: t, since: time.Now().Truncate(time.Second)}
	place, err := openDemoProvider()
	if err != nil {
		t.Fatal(err)
	}
	c := nowhere(t)
	c.demo, c.KV.Memory = true, true
	c.Users.Name, c.Users.Domains = "{localpart}", []string{"example.com"}
	place.configure(&c)
	c.SignIn.MasterKey = porterhouse.NewSecret(strings.Repeat("m", 32))
	if change != nil {
		change(&c)
	}
	if l.process, err = openProcess(c, slog.New(slog.DiscardHandler), l.now); err != nil {
		t.Fatal(err)
	}
	s, err := listen(c, l.process)
	if err != nil {
		t.Fatal(err)
	}
	l.url = "http://" + s.address()
	l.startProvider(place, redirectURI(s.config, demoProcessor))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return l
}

// startProvider runs the provider, which can go away and come back.
func (l *longRun) startProvider(at *demoProvider, redirect string) {
	l.Helper()
	var people []openid.Person
	for _, p := range sandbox.People() {
		people = append(people, openid.Person{Subject: p.Account, Name: p.Name, Email: p.Email, Groups: p.Groups})
	}
	var err error
	l.provider, err = openid.New(openid.Config{
		Issuer: at.issuer(), People: people, Now: l.now, Clients: []openid.Client{{ID: demoClient, RedirectURIs: []string{redirect}}},
	})
	if err != nil {
		l.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			l.asked.Add(1)
		}
		if l.away.Load() {
			panic(http.ErrAbortHandler)
		}
		l.provider.ServeHTTP(w, r)
	})}
	go func() { _ = s.Serve(at) }() // it ends by being closed
	l.Cleanup(func() { _ = s.Close() })
}

// signIn signs Alice in, and returns what the consent page said.
func (l *longRun) signIn() (consent string) {
	l.Helper()
	tokens, consent := signInReading(l.T, l.url, "alice", "clickhouse:read offline_access", "")
	l.take(tokens)
	return consent
}

// take keeps the tokens of an answer.
func (l *longRun) take(answer map[string]any) {
	l.Helper()
	access, _ := answer["access_token"].(string)
	refresh, _ := answer["refresh_token"].(string)
	if access == "" || refresh == "" || refresh == l.refresh {
		l.Fatalf("after %v there are no new tokens in %v", l.now().Sub(l.since), answer)
	}
	l.access, l.refresh = access, refresh
}

// renew asks for new tokens, which there must be.
func (l *longRun) renew() {
	l.Helper()
	status, answer := l.tryRenew()
	if status != http.StatusOK {
		l.Fatalf("after %v the answer to a refresh is %d %v", l.now().Sub(l.since), status, answer)
	}
	l.take(answer)
}

func (l *longRun) tryRenew() (int, map[string]any) {
	l.Helper()
	return postForm(l.T, l.url+"/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {login.ClientID}, "refresh_token": {l.refresh}})
}

// wantNoMore tries to refresh, and wants to hear an error of OAuth.
func (l *longRun) wantNoMore(status int, code string) {
	l.Helper()
	if got, answer := l.tryRenew(); got != status || answer["error"] != code {
		l.Errorf("after %v a refresh has the answer %d %v, want %d %s", l.now().Sub(l.since), got, answer, status, code)
	}
}

// wantOpen wants the MCP door to be open for the access token, or closed, as its
// verifier says.
func (l *longRun) wantOpen(want bool) {
	l.Helper()
	who, err := l.process.generation.Load().mcp[mcpPath].verifier.Verify(l.Context(), l.access)
	kind, _ := porterhouse.Explain(err)
	switch {
	case want && (err != nil || who.User != "alice@example.com" || who.Proof != demoProcessor || who.Client != login.ClientID):
		l.Errorf("after %v the access token is of %+v, %v", l.now().Sub(l.since), who, err)
	case !want && (err == nil || kind != porterhouse.Unauthenticated):
		l.Errorf("after %v the access token is still good, or %v", l.now().Sub(l.since), err)
	}
}

// wantDoor knocks at the MCP door itself.
func (l *longRun) wantDoor(status int) {
	l.Helper()
	if got, challenge := knock(l.T, l.url, l.access); got != status {
		l.Errorf("after %v the MCP door answers %d %s, want %d", l.now().Sub(l.since), got, challenge, status)
	}
}

// outlive waits until an access token that was just given has ended, and not a second longer.
func (l *longRun) outlive() {
	l.Helper()
	l.wait(accessLife - time.Second)
	l.wantOpen(true)
	l.wait(time.Second)
	l.wantOpen(false)
}

// signedBy is the key that signed the access token.
func (l *longRun) signedBy() string {
	l.Helper()
	first, _, _ := strings.Cut(l.access, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	var header struct{ Kid string }
	if err != nil || json.Unmarshal(text, &header) != nil || header.Kid == "" {
		l.Fatalf("the access token has the header %q", text)
	}
	return header.Kid
}

// Thirty days of a client that comes back each hour: the person signs in once, the
// provider is asked each time, no access token lives longer than five minutes, and
// that the signing key changes meanwhile is not noticed.
func TestThirtyDays(t *testing.T) {
	l := startLongRun(t, func(c *Config) { c.AuthServer.RotateKeys = 20 * 24 * time.Hour })
	if page := l.signIn(); !strings.Contains(page, "Your identity provider is asked again all the while.") {
		t.Errorf("the consent page does not say how long it is for:\n%s", page)
	}
	l.wantDoor(http.StatusOK)
	keys := map[string]bool{}
	const hours = 30 * 24
	for range hours {
		l.outlive()
		l.wait(time.Hour - accessLife)
		l.renew()
		keys[l.signedBy()] = true
	}
	l.wantDoor(http.StatusOK)
	l.outlive()
	l.wantDoor(http.StatusUnauthorized)
	if asked := l.asked.Load(); asked != 1+hours {
		t.Errorf("the provider was asked %d times, want the sign-in and each of %d hours", asked, hours)
	}
	if len(keys) != 2 {
		t.Errorf("%d keys have signed, want one for twenty days and the next", len(keys))
	}
}

// The provider lets somebody in no more: the next refresh ends it for good, and the
// access token that is still out dies in its own time.
func TestProviderRefusesLater(t *testing.T) {
	l := startLongRun(t, nil)
	l.signIn()
	for range 48 {
		l.wait(time.Hour)
		l.renew()
	}
	l.disable("alice", true)
	l.wait(2 * time.Minute)
	l.wantNoMore(http.StatusBadRequest, "invalid_grant")
	l.wait(accessLife - 2*time.Minute - time.Second)
	l.wantOpen(true)
	l.wait(time.Second)
	l.wantOpen(false)
	l.wantDoor(http.StatusUnauthorized)
	l.disable("alice", false) // comes back, and has to sign in again
	l.wait(time.Hour)
	l.wantNoMore(http.StatusBadRequest, "invalid_grant")
}

func (l *longRun) disable(person string, disabled bool) {
	l.Helper()
	if err := l.provider.Disable(l.Context(), person, disabled); err != nil {
		l.Fatal(err)
	}
}

// An outage of the provider is no refusal: its last yes counts for recheck_grace, and
// then clients are told to wait. What they hold is good when it is back.
func TestProviderIsAway(t *testing.T) {
	l := startLongRun(t, func(c *Config) { c.SignIn.RecheckGrace = 3 * time.Hour })
	l.signIn()
	l.wait(time.Hour)
	l.renew() // the last yes
	l.away.Store(true)
	for range 3 {
		l.wait(time.Hour)
		l.renew()
	}
	l.outlive()
	for range 24 {
		l.wantNoMore(http.StatusServiceUnavailable, "temporarily_unavailable")
		l.wait(time.Hour)
	}
	l.wantOpen(false)
	l.away.Store(false)
	l.renew()
	l.wantOpen(true)
	for range 24 {
		l.wait(time.Hour)
		l.renew()
	}
}

// Whoever was refused during an outage is refused when it is over.
func TestProviderComesBackWithANo(t *testing.T) {
	l := startLongRun(t, nil)
	l.signIn()
	l.away.Store(true)
	l.disable("alice", true)
	for range 3 {
		l.wait(time.Hour)
		l.renew()
	}
	l.away.Store(false)
	l.wait(time.Hour)
	l.wantNoMore(http.StatusBadRequest, "invalid_grant")
	l.wait(accessLife)
	l.wantOpen(false)
}

// A provider that gives nothing to ask it again with: the sign-in ends after
// session_without_recheck, no access token lives longer, and the person was told so.
func TestProviderCannotBeAsked(t *testing.T) {
	const life = 8 * time.Hour
	l := startLongRun(t, func(c *Config) {
		c.SignIn.Providers[0].Scopes = texts{"openid", "profile", "email"} // no offline_access
		c.SignIn.SessionWithoutRecheck = life
	})
	page := l.signIn()
	ends := l.since.Add(life).UTC().Format(time.RFC3339)
	for _, want := range []string{`until <time datetime="` + ends + `">`, "Your sign-in ends then, and cannot be renewed without you."} {
		if !strings.Contains(page, want) {
			t.Errorf("the consent page does not say %q:\n%s", want, page)
		}
	}
	for range 7 {
		l.wait(time.Hour)
		l.renew()
	}
	l.wait(58 * time.Minute)
	l.renew() // has two minutes left, and no more
	l.wait(2*time.Minute - time.Second)
	l.wantOpen(true)
	l.wait(time.Second)
	l.wantOpen(false)
	l.wantNoMore(http.StatusBadRequest, "invalid_grant")
	if asked := l.asked.Load(); asked != 1 {
		t.Errorf("the provider was asked %d times, want once, at the sign-in", asked)
	}
}

// A client's tokens are taken back: there are no more, and the one that is out ends
// within its own life.
func TestRevokedLater(t *testing.T) {
	l := startLongRun(t, nil)
	l.signIn()
	for range 24 {
		l.wait(time.Hour)
		l.renew()
	}
	response, err := http.PostForm(l.url+"/revoke", url.Values{"client_id": {login.ClientID}, "token": {l.refresh}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("/revoke: %s", response.Status)
	}
	l.wantNoMore(http.StatusBadRequest, "invalid_grant")
	l.wait(accessLife - time.Second)
	l.wantOpen(true)
	l.wait(time.Second)
	l.wantOpen(false)
	l.wantNoMore(http.StatusBadRequest, "invalid_grant")
}

// However faithfully a client comes back: session_longest is the end. And one that
// does not come back is forgotten after session_idle.
func TestLongestAndIdle(t *testing.T) {
	l := startLongRun(t, func(c *Config) { c.SignIn.SessionLongest, c.SignIn.SessionIdle = 10*24*time.Hour, 3*24*time.Hour })
	l.signIn()
	for range 4 {
		l.wait(60 * time.Hour)
		if l.now().Sub(l.since) < 10*24*time.Hour {
			l.renew()
		}
	}
	l.wantNoMore(http.StatusBadRequest, "invalid_grant")
	l.signIn()
	l.wait(3*24*time.Hour - time.Second)
	l.renew()
	l.wait(3 * 24 * time.Hour)
	l.wantNoMore(http.StatusBadRequest, "invalid_grant")
}
