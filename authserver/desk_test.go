package authserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/kv"
	"porterhouse/seal"
)

// desk is a Server behind real HTTP, with a real store and record, and a clock that
// tests move. Who is signed in in a browser, its cookie "who" says.
type desk struct {
	*Server
	t      *testing.T
	url    string
	store  kv.Store
	record string // path of the audit record

	mu     sync.Mutex
	at     time.Time
	remote string // address that requests come from; "": the true one
}

const deskSecret = "the secret of a confidential client"

// openDesk starts one; change may be nil.
func openDesk(t *testing.T, change func(*Config)) *desk {
	t.Helper()
	d := &desk{t: t, at: time.Now().Truncate(time.Second)}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(w, r) }))
	t.Cleanup(web.Close)
	d.url = web.URL
	d.store = must(kv.OpenMemory(kv.MemoryConfig{Now: d.now}))
	key := must(seal.NewKey(porterhouse.NewSecret(strings.Repeat("k", seal.MinKey))))
	directory := t.TempDir()
	if err := os.Chmod(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	d.record = filepath.Join(directory, "audit.log")
	record := must(audit.Open(audit.Config{Path: d.record, Key: porterhouse.NewSecret(strings.Repeat("a", 32)), Replica: "test"}))
	t.Cleanup(func() { _ = record.Close() })
	config := Config{
		Issuer: d.url, SignIn: "/signin", Store: d.store, Key: key, Audit: record, Now: d.now,
		Resources: []Resource{{URI: d.url + "/mcp", Name: "ClickHouse", Scopes: []string{ScopeRead, ScopeWrite}}},
		Keys:      must(OpenKeys(t.Context(), KeysConfig{Store: d.store, Key: key, Now: d.now})),
		Who:       signedIn,
		Recheck:   stillThere, DeviceCodes: true,
		Clients: []ClientConfig{
			{ID: "clickhouse-client", Name: "clickhouse-client", Grants: []string{GrantDevice, GrantRefresh}, Scopes: []string{ScopeRead, ScopeWrite, ScopeOffline}},
			{ID: "other-cli", Name: "Another program", Grants: []string{GrantDevice, GrantRefresh}},
			{ID: "no-device", Name: "A web page", RedirectURIs: []string{"https://app.example.com/callback"}},
		},
	}
	if change != nil {
		change(&config)
	}
	d.Server = must(New(config))
	return d
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func (d *desk) serve(w http.ResponseWriter, r *http.Request) { d.ServeHTTP(w, d.received(r)) }

// received is a request as the outer layers of the program hand it on.
func (d *desk) received(r *http.Request) *http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.remote != "" {
		r.RemoteAddr = d.remote
	}
	r.Header.Set("X-Request-Id", "request-1")
	return r
}

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *desk) pass(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = d.at.Add(t)
}

// from makes requests come from an address.
func (d *desk) from(remote string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remote = remote
}

// signedIn is the person whose name the cookie has.
func signedIn(r *http.Request) (porterhouse.Principal, error) {
	cookie, err := r.Cookie("who")
	if err != nil {
		return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "nobody is signed in")
	}
	return personCalled(cookie.Value), nil
}

func personCalled(name string) porterhouse.Principal {
	return porterhouse.Principal{
		Issuer: "https://idp.example.com", Subject: "id of " + name, User: name + "@example.com",
		TokenID: "login of " + name, Proof: "corp", Groups: []string{"analysts"},
	}
}

// stillThere is a provider that knows everybody, as they were.
func stillThere(_ context.Context, who porterhouse.Principal) (porterhouse.Principal, error) {
	return who, nil
}

// answered is an answer, read to its end.
type answered struct {
	status int
	header http.Header
	text   string
	fields map[string]any // of a JSON object
}

// do sends a request, as the person called who; "": without a cookie. Redirects are
// not followed.
func (d *desk) do(method, path, who string, form url.Values, header ...string) answered {
	d.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = d.url + path
	}
	r := must(http.NewRequestWithContext(d.t.Context(), method, target, strings.NewReader(form.Encode())))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if who != "" {
		r.AddCookie(&http.Cookie{Name: "who", Value: who})
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return d.send(r)
}

func (d *desk) send(r *http.Request) answered {
	d.t.Helper()
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	a := answered{status: response.StatusCode, header: response.Header, text: string(must(io.ReadAll(response.Body)))}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(a.text), &a.fields); err != nil {
			d.t.Fatalf("%s: %v in %q", r.URL.Path, err, a.text)
		}
	}
	return a
}

// field is a text in a JSON answer.
func (a answered) field(name string) string {
	text, _ := a.fields[name].(string)
	return text
}

// wantOAuthError fails unless a client was refused with a code.
func (d *desk) wantOAuthError(a answered, code string) {
	d.t.Helper()
	if a.field("error") != code || a.status < 400 || a.field("access_token") != "" {
		d.t.Errorf("the answer is %d %s, want the error %s", a.status, a.text, code)
	}
}

// claims are those of the access token in an answer.
func (d *desk) claimsOf(a answered) map[string]any {
	d.t.Helper()
	parts := strings.Split(a.field("access_token"), ".")
	if a.status != http.StatusOK || len(parts) != 3 {
		d.t.Fatalf("no token: %d %s", a.status, a.text)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1])), &claims); err != nil {
		d.t.Fatal(err)
	}
	return claims
}

// recorded is what the record has of an action, as it is written.
func (d *desk) recorded(action string) []string {
	d.t.Helper()
	var lines []string
	for line := range strings.Lines(string(must(os.ReadFile(d.record)))) {
		if strings.Contains(line, fmt.Sprintf(`"action":%q`, action)) {
			lines = append(lines, line)
		}
	}
	return lines
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// formOf are the hidden fields of a page, as a browser would send them.
func formOf(page string) url.Values {
	form := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	return form
}

// inStep is a store in which callers who read at the same time have all read before
// one of them goes on.
type inStep struct {
	kv.Store
	prefix string
	read   *sync.WaitGroup
}

// readTogether lets the first many who read a key with a prefix go on together; more
// there must not be.
func readTogether(store kv.Store, prefix string, many int) kv.Store {
	read := &sync.WaitGroup{}
	read.Add(many)
	return inStep{store, prefix, read}
}

// Get implements kv.Store.
func (s inStep) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.Store.Get(ctx, key)
	if strings.HasPrefix(key, s.prefix) {
		s.read.Done()
		s.read.Wait()
	}
	return value, err
}
