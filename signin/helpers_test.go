package signin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/kv"
	"porterhouse/seal"
)

// house is a SignIn on loopback, with real providers, a real store and a real record.
type house struct {
	*SignIn
	t      *testing.T
	url    string
	clock  *clock
	record *audit.Log
	log    *lockedBuffer
	path   string // of the record
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func testKey(t testing.TB) *seal.Key {
	t.Helper()
	key, err := seal.NewKey(porterhouse.NewSecret(strings.Repeat("m", seal.MinKey)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func memory(t testing.TB, now func() time.Time) kv.Store {
	t.Helper()
	store, err := kv.OpenMemory(kv.MemoryConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func openRecord(t testing.TB, path string) *audit.Log {
	t.Helper()
	record, err := audit.Open(audit.Config{Path: path, Key: porterhouse.NewSecret(strings.Repeat("k", 32)), Replica: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = record.Close() })
	return record
}

// build makes a house; change may say otherwise before it opens.
func build(t *testing.T, change func(*Config)) *house {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	h := &house{t: t, clock: &clock{now: time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)}, log: &lockedBuffer{}}
	h.url = "http://" + server.Listener.Addr().String()
	h.path = filepath.Join(t.TempDir(), "audit", "record")
	if err := os.Mkdir(filepath.Dir(h.path), 0o700); err != nil {
		t.Fatal(err)
	}
	h.record = openRecord(t, h.path)
	c := Config{
		PublicURL: h.url,
		Store:     memory(t, h.clock.Now),
		Key:       testKey(t),
		Audit:     h.record,
		Log:       slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:       h.clock.Now,
	}
	if change != nil {
		change(&c)
	}
	if len(c.Providers) == 0 {
		c.Providers = []Provider{openProvider(t, "acme").provider()}
	}
	var err error
	if h.SignIn, err = New(c); err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = h
	server.Start()
	t.Cleanup(server.Close)
	return h
}

// records are the lines of the record with an action.
func (h *house) records(action string) []map[string]any {
	h.t.Helper()
	text, err := os.ReadFile(h.path)
	if err != nil {
		h.t.Fatal(err)
	}
	var found []map[string]any
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := map[string]any{}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			h.t.Fatalf("%v: %s", err, lines.Bytes())
		}
		if line["action"] == action {
			found = append(found, line)
		}
	}
	return found
}

// browser is one with a cookie jar that shows every redirect to the test.
type browser struct {
	*http.Client
	t *testing.T
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{t: h.t, Client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// seen is an answer as a person sees it.
type seen struct {
	status   int
	location string
	text     string
	header   http.Header
}

func (b *browser) do(r *http.Request) seen {
	b.t.Helper()
	answer, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return seen{answer.StatusCode, answer.Header.Get("Location"), string(text), answer.Header}
}

func (b *browser) get(address string) seen {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) post(address string, form url.Values, headers ...string) seen {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.do(r)
}

// depart presses a provider's button, and returns where it leads.
func (b *browser) depart(h *house, provider, returnTo string) string {
	b.t.Helper()
	at := b.post(h.url+Path, url.Values{"provider": {provider}, "return": {returnTo}})
	if at.status != http.StatusSeeOther {
		b.t.Fatalf("%d: %s", at.status, at.text)
	}
	return at.location
}

// callback goes to the provider, signs in there, and returns the URL that leads back.
func (b *browser) callback(h *house, provider, returnTo string) string {
	b.t.Helper()
	at := b.get(b.depart(h, provider, returnTo))
	if at.status != http.StatusFound {
		b.t.Fatalf("%d: %s", at.status, at.text)
	}
	return at.location
}

// signIn signs in, and returns where the browser went afterwards.
func (b *browser) signIn(h *house, returnTo string) string {
	b.t.Helper()
	at := b.get(b.callback(h, h.Providers[0].Name, returnTo))
	if at.status != http.StatusSeeOther {
		b.t.Fatalf("%d: %s", at.status, at.text)
	}
	return at.location
}

// who asks the house who this browser is, as another room would.
func (b *browser) who(h *house) (porterhouse.Principal, error) {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, h.url+"/authorize", nil)
	for _, c := range b.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	return h.Who(r)
}

func (b *browser) isSignedIn(h *house, user string) porterhouse.Principal {
	b.t.Helper()
	who, err := b.who(h)
	if err != nil || who.User != user {
		b.t.Fatalf("%q, %v: not %q", who.User, err, user)
	}
	return who
}

func (b *browser) isNobody(h *house) {
	b.t.Helper()
	if who, err := b.who(h); !is(err, porterhouse.Unauthenticated) {
		b.t.Fatalf("it is %q, %v", who.User, err)
	}
}

// testProvider is a small provider over HTTP: whoever comes is its person; a code is
// good once, with the verifier of the challenge that it was made for.
type testProvider struct {
	t    *testing.T
	name string
	url  string

	mu     sync.Mutex
	person porterhouse.Principal // who signs in next
	codes  map[string]url.Values
	asked  int
	answer error // of Recheck
}

func openProvider(t *testing.T, name string) *testProvider {
	t.Helper()
	p := &testProvider{t: t, name: name, codes: map[string]url.Values{}}
	p.person = porterhouse.Principal{Issuer: "https://" + name + ".example", Subject: "1", User: "alice@example.com", Proof: name, Groups: []string{"analysts"}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", p.serveAuthorize)
	mux.HandleFunc("POST /token", p.serveToken)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *testProvider) provider() Provider {
	return Provider{
		Name: p.name, Label: "The provider " + p.name, Host: strings.TrimPrefix(p.url, "http://"),
		Start: p.start, Finish: p.finish, Recheck: p.recheck, CanRecheck: func(k Kept) bool { return k.RefreshToken != "" },
	}
}

func (p *testProvider) start(_ context.Context, trip Trip) (string, error) {
	sum := sha256.Sum256([]byte(trip.Verifier))
	return p.url + "/authorize?" + url.Values{
		"state": {trip.State}, "nonce": {trip.Nonce}, "redirect_uri": {trip.RedirectURI}, "challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Encode(), nil
}

func (p *testProvider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	code := secret()
	p.mu.Lock()
	p.codes[code] = query
	p.mu.Unlock()
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+url.Values{"state": {query.Get("state")}, "code": {code}}.Encode(), http.StatusFound)
}

func (p *testProvider) serveToken(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := r.PostFormValue("code")
	made, found := p.codes[code]
	delete(p.codes, code)
	sum := sha256.Sum256([]byte(r.PostFormValue("verifier")))
	if !found || made.Get("challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || made.Get("nonce") != r.PostFormValue("nonce") ||
		made.Get("redirect_uri") != r.PostFormValue("redirect_uri") {
		http.Error(w, "invalid_grant", http.StatusBadRequest)
		return
	}
	if err := json.NewEncoder(w).Encode(login{Issuer: p.person.Issuer, Subject: p.person.Subject, User: p.person.User, Proof: p.person.Proof, Groups: p.person.Groups}); err != nil {
		p.t.Error(err)
	}
}

func (p *testProvider) finish(ctx context.Context, trip Trip, code, _ string) (porterhouse.Principal, Kept, error) {
	form := url.Values{"code": {code}, "verifier": {trip.Verifier}, "nonce": {trip.Nonce}, "redirect_uri": {trip.RedirectURI}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return porterhouse.Principal{}, Kept{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return porterhouse.Principal{}, Kept{}, porterhouse.Errorf(porterhouse.Unavailable, "%s is away", p.name)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return porterhouse.Principal{}, Kept{}, porterhouse.Errorf(porterhouse.Unauthenticated, "%s does not know this code", p.name)
	}
	var told login
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
		return porterhouse.Principal{}, Kept{}, err
	}
	who := told.principal()
	who.Expires = time.Time{}
	return who, Kept{RefreshToken: secret()}, nil
}

func (p *testProvider) recheck(_ context.Context, _ porterhouse.Principal, _ Kept) (porterhouse.Principal, Kept, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	return p.person, Kept{RefreshToken: secret()}, p.answer
}

// says sets what the provider answers from now on.
func (p *testProvider) says(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = err
}

func (p *testProvider) becomes(change func(*porterhouse.Principal)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.person)
}

func (p *testProvider) wasAsked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// strangerKey is another master key.
func strangerKey(t testing.TB) *seal.Key {
	t.Helper()
	key, err := seal.NewKey(porterhouse.NewSecret(strings.Repeat("s", seal.MinKey)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
