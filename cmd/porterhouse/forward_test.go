package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/login"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
	"porterhouse/sandbox/idp"
)

// onwardHouse is a server at which people of a real provider sign in, before a ClickHouse
// that verifies the provider's tokens.
type onwardHouse struct {
	*testing.T
	url      string // of the server
	door     string // of its door for ClickHouse's own clients
	us       idp.Client
	provider *idp.Provider
	config   Config
	log      *lockedText
	ahead    atomic.Int64 // of our clock, before that of everybody else: a time.Duration

	mu   sync.Mutex
	seen bytes.Buffer // every byte that came to ClickHouse
}

// lockedText is a log that several write.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// forClickHouse is ClickHouse, as the provider knows it.
const forClickHouse = "https://clickhouse.example.com"

func openOnwardHouse(t *testing.T, change func(*Config)) *onwardHouse {
	t.Helper()
	held := addresses{}
	address, err := held.take(0)
	if err != nil {
		t.Fatal(err)
	}
	door, err := held.take(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := held.close(); err != nil {
		t.Fatal(err)
	}
	h := &onwardHouse{T: t, url: "http://" + address, door: "http://" + door, us: idp.App, log: &lockedText{}}
	us := &h.us
	us.Redirect = h.url + "/signin/callback/corp"
	h.provider = idp.StartOIDC(t, idp.Options{Clients: []idp.Client{*us}, Exchanges: []idp.Exchange{
		{Client: us.ID, From: h.url + mcpPath, To: forClickHouse}, {Client: us.ID, From: h.door, To: forClickHouse},
	}})

	h.config = nowhere(t)
	c := &h.config
	c.Listen, c.ClickHouseHTTP.Listen = address, door
	c.Users.Name, c.Users.Domains = "{localpart}", []string{"example.com"}
	c.RemoteURLAllowHosts.Host = texts{strings.TrimPrefix(h.provider.Issuer, "http://")}
	c.TokenProcessors = map[string]ProcessorConfig{"corp": {Type: "openid", UsernameClaim: "email", ConfigurationEndpoint: h.provider.Issuer + "/.well-known/openid-configuration"}}
	c.SignIn.MasterKey = porterhouse.NewSecret(strings.Repeat("m", 32))
	c.SignIn.Providers = list[SignInProviderConfig]{{Processor: "corp", ClientID: us.ID, ClientSecret: porterhouse.NewSecret(us.Secret)}}
	c.Clusters = map[string]ClusterConfig{"main": {URL: h.clickHouse(), Access: AccessConfig{Mode: "forward", Token: &TokenConfig{Resource: forClickHouse}}}}
	if change != nil {
		change(c)
	}
	h.serve()
	return h
}

// clickHouse starts the stand-in that takes the provider's tokens before the real engine,
// and writes down what comes to it.
func (h *onwardHouse) clickHouse() string {
	h.Helper()
	real := sandbox.ForTest(h.T, sandbox.Options{})
	p, _ := fake.Named("antalya")
	p.Processor = fake.TokenProcessor{KeysURL: h.provider.Issuer + "/jwks", Issuer: h.provider.Issuer, Audience: forClickHouse, UserClaim: "name", Password: fake.Password}
	for _, person := range []string{"alice", "bob"} {
		for _, sql := range []string{"DROP USER IF EXISTS " + person, "CREATE USER " + person + " IDENTIFIED WITH sha256_password BY '" + fake.Password + "'"} {
			if err := real.Exec(h.Context(), sql); err != nil {
				h.Fatal(err)
			}
		}
	}
	s, err := fake.Start(p, real.HTTP)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := s.Close(); err != nil {
			h.Error(err)
		}
	})
	to, err := url.Parse(s.URL)
	if err != nil {
		h.Fatal(err)
	}
	onward := httputil.NewSingleHostReverseProxy(to)
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := httputil.DumpRequest(r, true)
		if err != nil {
			h.Error(err)
		}
		h.mu.Lock()
		h.seen.Write(request)
		h.mu.Unlock()
		onward.ServeHTTP(w, r)
	}))
	h.Cleanup(door.Close)
	return door.URL
}

// serve runs the server until the test ends.
func (h *onwardHouse) serve() {
	h.Helper()
	p, err := openProcess(h.config, slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) })
	if err != nil {
		h.Fatal(err)
	}
	s, err := listen(h.config, p)
	if err != nil {
		h.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	h.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			h.Errorf("the server ended with %v", err)
		}
	})
}

// signIn takes a person's browser through all pages, and returns it with the token of
// ours that a client got.
func (h *onwardHouse) signIn(person idp.Person) (visitor, string) {
	h.Helper()
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	redirect := "http://127.0.0.1:" + clientPort + "/callback"
	v := newVisitor(h.T)
	page, at, _ := v.send(http.MethodGet, h.url+"/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {login.ClientID}, "redirect_uri": {redirect}, "scope": {"clickhouse:read"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode(), "")
	_, at, _ = v.press(page, at, "provider", "corp")
	page, at, _ = v.send(http.MethodGet, at.String()+"?person="+person.Subject, "") // the provider's page
	_, _, back := v.press(page, at, "answer", "agree")
	status, tokens := postForm(h.T, h.url+"/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {login.ClientID}, "code": {back.Query().Get("code")},
		"redirect_uri": {redirect}, "code_verifier": {verifier},
	})
	access, _ := tokens["access_token"].(string)
	if status != http.StatusOK || access == "" {
		h.Fatalf("/token: %d %v", status, tokens)
	}
	return v, access
}

// ask asks at the MCP door, and returns what the tool says.
func (h *onwardHouse) ask(token, sql string) string {
	h.Helper()
	const era = "2026-07-28"
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{
		"name": "query", "arguments": map[string]any{"sql": sql},
		"_meta": map[string]any{"io.modelcontextprotocol/protocolVersion": era, "io.modelcontextprotocol/clientInfo": map[string]any{"name": "test", "version": "1"}, "io.modelcontextprotocol/clientCapabilities": map[string]any{}},
	}})
	if err != nil {
		h.Error(err)
	}
	return h.post(h.url+mcpPath, body, map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + token,
		"MCP-Protocol-Version": era, "Mcp-Method": "tools/call", "Mcp-Name": "query",
	})
}

// post returns the status and the text of an answer, and "" where there is none, which fails
// the test. Any goroutine may call it.
func (h *onwardHouse) post(to string, body []byte, fields map[string]string) string {
	h.Helper()
	r, err := http.NewRequestWithContext(h.Context(), http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		h.Error(err)
		return ""
	}
	for name, value := range fields {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		h.Error(err)
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.Error(err)
	}
	return fmt.Sprint(response.StatusCode, " ", string(text))
}

func (h *onwardHouse) wants(answer, want string) {
	h.Helper()
	if !strings.Contains(answer, want) {
		h.Errorf("the answer is %s\nwithout %q", answer, want)
	}
}

// bytesSeen is all that has come to ClickHouse.
func (h *onwardHouse) bytesSeen() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen.String()
}

// tokensSeen are the tokens among that.
func (h *onwardHouse) tokensSeen() map[string]bool {
	sent := map[string]bool{}
	for _, line := range strings.Split(h.bytesSeen(), "\r\n") {
		if token, is := strings.CutPrefix(line, "Authorization: Bearer "); is {
			sent[token] = true
		}
	}
	return sent
}

const whoAmI = "SELECT 'I am ' || currentUser() AS who"

// Who signs in here is the same person at ClickHouse, by a token of the provider that is
// for ClickHouse: ours never goes there, and no token is in the log or the record.
func TestPeopleWhoSignInGoOn(t *testing.T) {
	h := openOnwardHouse(t, nil)
	_, alice := h.signIn(idp.Alice)
	_, bob := h.signIn(idp.Bob)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { h.wants(h.ask(alice, whoAmI), "I am alice") })
		all.Go(func() { h.wants(h.ask(bob, whoAmI), "I am bob") })
	}
	all.Wait()
	record, err := os.ReadFile(h.config.Audit.File)
	if err != nil {
		t.Fatal(err)
	}
	h.log.mu.Lock()
	written := h.log.text.String() + string(record)
	h.log.mu.Unlock()
	sent := h.tokensSeen()
	if len(sent) != 2 {
		t.Errorf("ClickHouse saw %d tokens of two people", len(sent))
	}
	for token := range sent {
		if strings.Contains(written, token) || strings.Contains(written, strings.Split(token, ".")[2]) {
			t.Error("a token is in the log, or in the record")
		}
	}
	for _, ours := range []string{alice, bob} {
		if strings.Contains(h.bytesSeen(), ours) || strings.Contains(h.bytesSeen(), strings.Split(ours, ".")[2]) {
			t.Error("a token of ours came to ClickHouse")
		}
	}
}

// A token that is about to end is not used any more: the provider is asked for the next.
func TestTokensThatGoOnAreRenewed(t *testing.T) {
	h := openOnwardHouse(t, func(c *Config) { c.AuthServer.AccessToken = 10 * time.Minute })
	_, alice := h.signIn(idp.Alice)
	for _, want := range []struct {
		after  time.Duration
		tokens int
	}{{0, 1}, {8 * time.Minute, 1}, {9*time.Minute + 40*time.Second, 2}} {
		h.ahead.Store(int64(want.after))
		h.wants(h.ask(alice, whoAmI), "I am alice")
		if got := len(h.tokensSeen()); got != want.tokens {
			t.Errorf("after %v ClickHouse has seen %d tokens, not %d", want.after, got, want.tokens)
		}
	}
}

// With the sign-in all ends at once, although the client's token and the one for
// ClickHouse last on.
func TestSigningOutStopsWhatGoesOn(t *testing.T) {
	h := openOnwardHouse(t, nil)
	browser, alice := h.signIn(idp.Alice)
	h.wants(h.ask(alice, whoAmI), "I am alice")
	page, at, _ := browser.send(http.MethodGet, h.url+"/signin/out", "")
	browser.press(page, at, "everywhere", "yes")
	before := len(h.bytesSeen())
	h.wants(h.ask(alice, whoAmI), "sign in again")
	if len(h.bytesSeen()) != before {
		t.Error("ClickHouse was asked")
	}
}

// A provider that knows the person no more ends it, and one that is away says nothing
// about anybody.
func TestProviderThatGivesNoToken(t *testing.T) {
	h := openOnwardHouse(t, nil)
	_, alice := h.signIn(idp.Alice)
	_, bob := h.signIn(idp.Bob)
	h.provider.SetPeople(t, idp.Bob)
	h.wants(h.ask(alice, whoAmI), "sign in again")
	h.provider.SetPeople(t, idp.Alice, idp.Bob)
	h.wants(h.ask(alice, whoAmI), "this sign-in has ended")
	h.provider.Stop(t)
	h.wants(h.ask(bob, whoAmI), "cannot be asked for the token that ClickHouse needs")
	if strings.Contains(h.bytesSeen(), "I am") {
		t.Error("ClickHouse was asked")
	}
}

// Without a word about it nobody is asked for a token, and who signed in is refused by name.
func TestWhoSignedInWithoutAToken(t *testing.T) {
	h := openOnwardHouse(t, func(c *Config) {
		main := c.Clusters["main"]
		main.Access.Token = nil
		c.Clusters["main"] = main
	})
	_, alice := h.signIn(idp.Alice)
	h.wants(h.ask(alice, whoAmI), "yours is not one that it could verify")
}

// What is said of such tokens has to have a meaning.
func TestMistakesAboutTokensThatGoOn(t *testing.T) {
	const people = "sign_in: {master_key: env:AUDIT_KEY, providers: {processor: corp, client_id: us, client_secret: env:SIGN_IN_SECRET}}\n"
	const github = "sign_in: {master_key: env:AUDIT_KEY, providers: {processor: gh, client_id: us, client_secret: env:SIGN_IN_SECRET}}\n" +
		"token_processors: {gh: {type: github, organization: acme, client_ids: [app], client_secret: env:SIGN_IN_SECRET}}\n"
	const knownProcessor = "token_processors: {known: {type: keycloak, base_url: 'https://idp.example.com/realms/main', introspection_client_id: us, introspection_client_secret: hush}}\n" +
		"remote_url_allow_hosts: {host: idp.example.com}\n"
	weak := []string{"as it is", "nobody signs in, and any token goes on", "one name for both"}
	for _, test := range []struct{ name, access, more, problem string }{
		{"by resource", "mode: forward, token: {resource: 'https://ch.example.com'}", aProcessor + people, ""},
		{"by scope", "mode: forward, token: {scope: 'api://ch/.default', audience: 'api://ch'}", aProcessor + people, ""},
		{"as it is", "mode: forward, token: {allow_any_audience: true}", aProcessor + people, ""},
		{"for nobody", "mode: forward, token: {scope: 'api://ch/.default'}", aProcessor + people, "access.token: say whom the token has to be for"},
		{"for one and for all", "mode: forward, token: {audience: x, allow_any_audience: true}", aProcessor + people, "one of the two"},
		{"in another mode", "mode: auto, token: {resource: 'https://ch.example.com'}", aProcessor + people, "with access.mode forward, and here it is auto"},
		{"nobody signs in", "mode: forward, token: {resource: 'https://ch.example.com'}", aProcessor, "nobody can sign in here, and no token that people bring is exchanged"},
		{"nobody signs in, and any token goes on", "mode: forward, token: {allow_any_audience: true}", aProcessor, ""},
		{"one name for both", "mode: forward, token: {audience: ch}", aProcessor + "resources: {mcp: {audiences: [ch]}}\n", ""},
		{"nobody signs in, and tokens are looked at", "mode: forward, token: {audience: ch}", aProcessor, ""},
		{"exchanged, as the client that asks about tokens", "mode: forward, token: {audience: ch, exchange: known}", knownProcessor, ""},
		{"exchanged, as the client where people sign in", "mode: forward, token: {resource: 'https://ch.example.com', exchange: [corp]}", aProcessor + people, ""},
		{"exchanged, as nobody", "mode: forward, token: {audience: ch, exchange: corp}", aProcessor, "introspection_client_id and introspection_client_secret"},
		{"exchanged at nobody's", "mode: forward, token: {audience: ch, exchange: none}", aProcessor, `access.token.exchange: there is no token processor "none"`},
		{"exchanged twice", "mode: forward, token: {audience: ch, exchange: [known, known]}", knownProcessor, "there twice"},
		{"exchanged for nobody", "mode: forward, token: {scope: x, exchange: known}", knownProcessor, "whom the token has to be for"},
		{"exchanged and as it is", "mode: forward, token: {allow_any_audience: true, exchange: known}", knownProcessor, "go on as they are"},
		{"exchanged at GitHub", "mode: forward, token: {audience: x, exchange: gh}", strings.SplitAfter(github, "\n")[1], "GitHub does not exchange tokens"},
		{"exchanged in another mode", "mode: auto, token: {audience: ch, exchange: known}", knownProcessor, "with access.mode forward"},
		{"no URI", "mode: forward, token: {resource: clickhouse}", aProcessor + people, "absolute URI"},
		{"with a fragment", "mode: forward, token: {resource: 'https://ch.example.com/#x'}", aProcessor + people, "absolute URI"},
		{"for us", "mode: forward, token: {resource: 'http://127.0.0.1:8080/mcp'}", aProcessor + people, "is this server itself"},
		{"at GitHub", "mode: forward, token: {audience: x}", github, "GitHub gives tokens for GitHub alone"},
	} {
		c, _, err := load(t, test.more+oneCluster("access: {"+test.access+"}"))
		switch {
		case test.problem == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: the error is %v, want %q", test.name, err, test.problem)
		case test.problem == "" && slices.ContainsFunc(c.weakenings(), func(s string) bool { return strings.Contains(s, "access.token") }) != slices.Contains(weak, test.name):
			t.Errorf("%s: the start tells %q", test.name, c.weakenings())
		}
	}
}
