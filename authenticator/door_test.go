package authenticator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
	"porterhouse/kv"
	"porterhouse/ticket"
)

const testPath = "/3f1c2b7a9d0e4c58"

// hall is a door with real tickets, people with a token each, and a record of
// what was decided.
type hall struct {
	*Authenticator
	desk  *ticket.Desk
	clock *clock

	mu       sync.Mutex
	admitted []string
	rejected []string
	reasons  []string
	verify   func(ctx context.Context, token string) (porterhouse.Principal, error)
}

// clock is the store's, which a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// The people of the test: the token of alice is "token-of-alice", and the one with
// which she gave no more than reading "reading-of-alice".
const (
	tokenOf   = "token-of-"
	readingOf = "reading-of-"
)

func verify(_ context.Context, token string) (porterhouse.Principal, error) {
	name, ok := strings.CutPrefix(token, tokenOf)
	reader, reads := strings.CutPrefix(token, readingOf)
	switch {
	case reads:
		name = reader
	case !ok:
		return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "the token is not valid")
	}
	return porterhouse.Principal{Issuer: "test", Subject: name, User: name, Token: porterhouse.NewSecret(token), ReadOnly: reads}, nil
}

func newHall(t testing.TB, change ...func(*Config)) *hall {
	t.Helper()
	h := &hall{clock: &clock{at: time.Now()}, verify: verify}
	store, err := kv.OpenMemory(kv.MemoryConfig{Now: h.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if h.desk, err = ticket.New(ticket.Config{Store: store}); err != nil {
		t.Fatal(err)
	}
	c := Config{
		Name: "main", Cluster: "main", Path: porterhouse.NewSecret(testPath),
		Verify: func(ctx context.Context, token string) (porterhouse.Principal, error) { return h.verify(ctx, token) },
		Account: func(_ context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error) {
			if at != (porterhouse.Entry{Cluster: "main", Door: Door}) {
				return porterhouse.Account{}, fmt.Errorf("asked for %+v", at)
			}
			name, err := porterhouse.ParseUserName(who.User)
			return porterhouse.Account{User: name}, err
		},
		IsTicket: ticket.Is,
		Redeem: func(ctx context.Context, secret string, user porterhouse.UserName, queryID string) error {
			return h.desk.Redeem(ctx, secret, ticket.Claim{User: user, QueryID: queryID, Authenticator: "main"})
		},
		Admitted: h.admit,
		Rejected: h.reject,
	}
	for _, f := range change {
		f(&c)
	}
	if h.Authenticator, err = New(c); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hall) admit(a Admission, times uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !a.Who.Token.IsZero() {
		h.admitted = append(h.admitted, "a token was handed on")
	}
	h.admitted = append(h.admitted, fmt.Sprintf("%s %v ×%d", a.Account.User, a.Ticket, times))
}

func (h *hall) reject(r Rejection, times uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kind, _ := porterhouse.Explain(r.Err)
	h.rejected = append(h.rejected, fmt.Sprintf("%s %s ×%d", r.User, kind, times))
	h.reasons = append(h.reasons, r.Err.Error())
}

func (h *hall) mint(t testing.TB, user, query string) string {
	t.Helper()
	name, err := porterhouse.ParseUserName(user)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := h.desk.Mint(t.Context(), ticket.Claim{User: name, QueryID: query, Authenticator: "main"})
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal()
}

// knock asks as ClickHouse does, and returns the status.
func (h *hall) knock(t testing.TB, user, secret string, change ...func(*http.Request)) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, testPath, nil)
	r.SetBasicAuth(user, secret)
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if body := w.Body.String(); w.Code != http.StatusOK && w.Code != http.StatusNotFound && body != "" {
		t.Errorf("%d says %q", w.Code, body)
	}
	return w.Code
}

func query(id ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(QueryIDHeader)] = id }
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = values }
}

// Who is let in, and who is not.
func TestDecisions(t *testing.T) {
	synctest.Test(t, testDecisions) // where it takes no time that failures are slow
}

func testDecisions(t *testing.T) {
	h := newHall(t)
	aliceTicket, long := h.mint(t, "alice", "q1"), strings.Repeat("x", 16<<10)
	for name, test := range map[string]struct {
		user, secret string
		change       func(*http.Request)
		want         int
	}{
		"token":                         {"alice", tokenOf + "alice", nil, 200},
		"token of another":              {"bob", tokenOf + "alice", nil, 401},
		"token that only reads":         {"alice", readingOf + "alice", nil, 401},
		"another case":                  {"Alice", tokenOf + "alice", nil, 401},
		"a space more":                  {"alice ", tokenOf + "alice", nil, 401},
		"a look-alike":                  {"аlice", tokenOf + "alice", nil, 401}, // Cyrillic
		"unknown token":                 {"alice", "other", nil, 401},
		"no secret":                     {"alice", "", nil, 401},
		"no user":                       {"", tokenOf + "alice", nil, 401},
		"nobody":                        {"", tokenOf, nil, 401},
		"NUL":                           {"alice\x00", tokenOf + "alice", nil, 401},
		"colon in the name":             {"alice:x", tokenOf + "alice", nil, 401},
		"colon in the secret":           {"alice", tokenOf + "alice:x", nil, 401},
		"long token":                    {long[:100], tokenOf + long[:100], nil, 200},
		"token too long":                {"alice", strings.Repeat("x", maxAuthorization), nil, 401},
		"no header":                     {"", "", header("Authorization"), 401},
		"Bearer":                        {"", "", header("Authorization", "Bearer "+tokenOf+"alice"), 401},
		"not base64":                    {"", "", header("Authorization", "Basic ???"), 401},
		"two headers":                   {"", "", header("Authorization", "Basic YTpi", "Basic YTpi"), 401},
		"ticket":                        {"alice", aliceTicket, query("q1"), 200},
		"ticket of another":             {"bob", aliceTicket, query("q1"), 401},
		"ticket of another query":       {"alice", aliceTicket, query("q2"), 401},
		"ticket, query not forwarded":   {"alice", aliceTicket, nil, 401},
		"ticket, query empty":           {"alice", aliceTicket, query(""), 401},
		"ticket, two queries":           {"alice", aliceTicket, query("q1", "q1"), 401},
		"ticket, query in other header": {"alice", aliceTicket, header("X-Clickhouse-Query-Id", "q1"), 401},
	} {
		if test.change == nil {
			test.change = func(*http.Request) {}
		}
		if got := h.knock(t, test.user, test.secret, test.change); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	for _, reason := range h.reasons {
		if strings.Contains(reason, tokenOf) || strings.Contains(reason, aliceTicket) {
			t.Errorf("a secret is in the record: %s", reason)
		}
	}
}

// What could be read in two ways, or is too long, is not verified at all.
func TestNotVerified(t *testing.T) {
	h := newHall(t)
	h.verify = func(ctx context.Context, _ string) (porterhouse.Principal, error) {
		return verify(ctx, tokenOf+"alice")
	}
	for _, secret := range []string{"x:token", "token:", strings.Repeat("x", maxAuthorization)} {
		if got := h.knock(t, "alice", secret); got != http.StatusUnauthorized {
			t.Errorf("%.20q: %d", secret, got)
		}
	}
}

// A ticket is never shown to those who verify tokens, who may ask others about it.
func TestTicketIsNoToken(t *testing.T) {
	h := newHall(t)
	h.verify = func(context.Context, string) (porterhouse.Principal, error) {
		t.Error("a ticket was verified as a token")
		return porterhouse.Principal{}, errors.New("no")
	}
	secret := h.mint(t, "alice", "q")
	h.knock(t, "alice", secret, query("q"))
	h.knock(t, "alice", secret, query("other"))
	h.knock(t, "alice", secret+"x", query("q"))
}

// Whoever does not know the path sees a server that has nothing, whatever is asked.
func TestUnknownPath(t *testing.T) {
	h := newHall(t)
	server := httptest.NewServer(h)
	defer server.Close()
	none := httptest.NewServer(http.NotFoundHandler())
	defer none.Close()
	ask := func(base, method, path string, body io.Reader) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, base+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("alice", tokenOf+"alice")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text) + response.Header.Get("WWW-Authenticate") + response.Header.Get("Cache-Control")
	}
	for _, test := range []struct {
		method, path string
		body         io.Reader
	}{
		{"GET", "/", nil}, {"GET", testPath[:10], nil}, {"GET", testPath + "/", nil}, {"GET", "/" + testPath, nil}, {"GET", strings.ToUpper(testPath), nil},
		{"POST", testPath, nil}, {"HEAD", testPath, nil}, {"GET", testPath, strings.NewReader("body")}, {"POST", testPath, strings.NewReader("body")},
	} {
		code, text := ask(server.URL, test.method, test.path, test.body)
		wantCode, want := ask(none.URL, "GET", "/", nil)
		if test.method == "HEAD" {
			want = ""
		}
		if code != wantCode || text != want {
			t.Errorf("%s %s: %d %q", test.method, test.path, code, text)
		}
	}
	if code, _ := ask(server.URL, "GET", testPath, nil); code != http.StatusOK {
		t.Errorf("with the path: %d", code)
	}
}

// When nobody can tell, ClickHouse is told so, at once; that is no failure of the user.
func TestNobodyCanTell(t *testing.T) {
	h := newHall(t)
	for name, err := range map[string]error{
		"away": porterhouse.Errorf(porterhouse.Unavailable, "away"), "late": context.DeadlineExceeded, "bug": errors.New("bug"),
	} {
		h.verify = func(context.Context, string) (porterhouse.Principal, error) { return porterhouse.Principal{}, err }
		if got := h.knock(t, "alice", "t"); got != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", name, got)
		}
	}
	if s := h.Stats(); s != (Stats{Failed: 3}) || len(h.failures.counted) != 0 {
		t.Errorf("stats: %+v, failures: %v", s, h.failures.counted)
	}
}

// A slow identity provider is given up before ClickHouse gives us up.
func TestSlowVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		h.verify = func(ctx context.Context, _ string) (porterhouse.Principal, error) {
			<-ctx.Done()
			return porterhouse.Principal{}, ctx.Err()
		}
		start := time.Now()
		if got := h.knock(t, "alice", "t"); got != http.StatusServiceUnavailable || time.Since(start) != timeout {
			t.Errorf("%d after %v", got, time.Since(start))
		}
	})
}

// An answer has one bound for all of it, also where its decision took long already.
func TestSlowRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		for range freeFailures + 10 {
			h.knock(t, "alice", "guess")
		}
		h.verify = func(ctx context.Context, _ string) (porterhouse.Principal, error) {
			time.Sleep(timeout - time.Millisecond)
			return porterhouse.Principal{}, refuse("late")
		}
		start := time.Now()
		if got := h.knock(t, "alice", "guess"); got != http.StatusUnauthorized || time.Since(start) != timeout {
			t.Errorf("%d after %v", got, time.Since(start))
		}
	})
}

// However many wrong secrets come in her name, Alice is let in with the right one,
// and at once; the wrong ones become slow.
func TestNobodyLocksAliceOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		start := time.Now()
		for range 100 {
			if got := h.knock(t, "alice", "guess"); got != http.StatusUnauthorized {
				t.Fatal(got)
			}
			before := time.Now()
			if got := h.knock(t, "alice", tokenOf+"alice"); got != http.StatusOK || time.Since(before) != 0 {
				t.Fatalf("alice: %d after %v", got, time.Since(before))
			}
		}
		if took := time.Since(start); took < 30*time.Second {
			t.Errorf("100 guesses took %v", took)
		}
		secret := h.mint(t, "alice", "q")
		if got := h.knock(t, "alice", secret, query("q")); got != http.StatusOK {
			t.Errorf("alice's ticket: %d", got)
		}
		time.Sleep(failureTime)
		before := time.Now()
		if h.knock(t, "alice", "guess"); time.Since(before) != 0 {
			t.Errorf("a minute later a failure takes %v", time.Since(before))
		}
	})
}

// Answers that wait are bounded, and so is what is counted.
func TestFailuresAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		for i := range 2 * maxCounted {
			h.failures.pause(h.config.Now(), fmt.Sprint("user ", i))
		}
		if n := len(h.failures.counted); n != maxCounted {
			t.Errorf("%d are counted", n)
		}
		time.Sleep(failureTime)
		for range freeFailures {
			h.knock(t, "alice", "guess")
		}
		var all sync.WaitGroup
		for range 2 * maxPaused {
			all.Go(func() { h.knock(t, "alice", "guess") })
		}
		synctest.Wait()
		if n := h.failures.paused.Load(); n != maxPaused {
			t.Errorf("%d answers wait", n)
		}
		all.Wait()
	})
}

// Of many decisions of one kind the first is told at once, the others with their
// number; nothing is lost, and what is kept is bounded.
func TestFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		for range 1000 {
			h.knock(t, "alice", tokenOf+"alice")
		}
		h.knock(t, "bob", tokenOf+"alice")
		h.knock(t, "bob", tokenOf+"alice")
		if got := fmt.Sprint(h.admitted, h.rejected); got != "[alice false ×1] [bob unauthenticated ×1]" {
			t.Errorf("at once: %s", got)
		}
		time.Sleep(foldTime)
		h.knock(t, "alice", tokenOf+"alice")
		h.Flush()
		h.Flush()
		if got := fmt.Sprint(h.admitted, h.rejected); got != "[alice false ×1 alice false ×999 alice false ×1] [bob unauthenticated ×1 bob unauthenticated ×1]" {
			t.Errorf("in the end: %s", got)
		}
		for i := range 3 * maxFolded {
			name := fmt.Sprint("user", i)
			h.knock(t, name, tokenOf+name)
		}
		if n := len(h.Authenticator.admitted.kinds); n > maxFolded+1 {
			t.Errorf("%d kinds are kept", n)
		}
		h.Flush()
		if s := h.Stats(); s != (Stats{Tokens: 1001 + 3*maxFolded, Refused: 2}) {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no name":          func(c *Config) { c.Name = "" },
		"no cluster":       func(c *Config) { c.Cluster = "" },
		"no path":          func(c *Config) { c.Path = porterhouse.Secret{} },
		"short path":       func(c *Config) { c.Path = porterhouse.NewSecret("/short") },
		"path with a dot":  func(c *Config) { c.Path = porterhouse.NewSecret("/../0123456789abcdef") },
		"no Verify":        func(c *Config) { c.Verify = nil },
		"no Account":       func(c *Config) { c.Account = nil },
		"half of tickets":  func(c *Config) { c.IsTicket = nil },
		"other half":       func(c *Config) { c.Redeem = nil },
		"no Admitted":      func(c *Config) { c.Admitted = nil },
		"no Rejected":      func(c *Config) { c.Rejected = nil },
		"name of settings": func(c *Config) { c.Settings = map[string]string{"read only": "1"} },
	} {
		c := newHall(t).config
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	bare := newHall(t, func(c *Config) { c.Path = porterhouse.NewSecret(testPath[1:]) })
	if got := bare.knock(t, "alice", tokenOf+"alice"); got != http.StatusOK {
		t.Errorf("a path without a slash: %d", got)
	}
}

func TestClickHouseConfig(t *testing.T) {
	for _, test := range [][2]string{
		{"", "http://host" + testPath}, {"1a", "http://host" + testPath}, {"a><b", "http://host" + testPath},
		{"porterhouse", ""}, {"porterhouse", "host" + testPath}, {"porterhouse", "ftp://host" + testPath}, {"porterhouse", "http://host/"},
	} {
		if text, err := ClickHouseConfig(test[0], test[1]); err == nil {
			t.Errorf("%q: %s", test, text)
		}
	}
	text, err := ClickHouseConfig("porterhouse", "https://host/0123456789abcdef?a&b</uri>")
	if err != nil || strings.Count(text, "</uri>") != 1 || !strings.Contains(text, "?a&amp;b&lt;/uri&gt;") {
		t.Errorf("%s, %v", text, err)
	}
	page, err := os.ReadFile("../doc/authenticator.md")
	if err != nil {
		t.Fatal(err)
	}
	if text, err = ClickHouseConfig("porterhouse", "https://gateway.example.com:8444/THE-SECRET-PATH"); err != nil || !strings.Contains(string(page), text) {
		t.Errorf("doc/authenticator.md has another file than\n%s, %v", text, err)
	}
}

// What a decision costs beside the verification itself.
func BenchmarkAuthenticate(b *testing.B) {
	h := newHall(b)
	b.Run("token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if h.knock(b, "alice", tokenOf+"alice") != http.StatusOK {
				b.Fatal("refused")
			}
		}
	})
	b.Run("ticket", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if h.knock(b, "alice", h.mint(b, "alice", "q"), query("q")) != http.StatusOK {
				b.Fatal("refused")
			}
			h.clock.pass(time.Millisecond) // the store forgets what was redeemed
		}
	})
}
