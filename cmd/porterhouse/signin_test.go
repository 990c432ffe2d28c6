package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/login"
)

// serveSignIn runs a server at which people sign in at the demo's provider, and
// returns its URL.
func serveSignIn(t *testing.T, change func(*Config)) (string, *server) {
	t.Helper()
	provider, err := openDemoProvider()
	if err != nil {
		t.Fatal(err)
	}
	c := nowhere(t)
	c.demo = true
	c.Users.Name, c.Users.Domains = "{localpart}", []string{"example.com"}
	provider.configure(&c)
	c.SignIn.MasterKey = porterhouse.NewSecret(strings.Repeat("m", 32))
	if change != nil {
		change(&c)
	}
	p, err := openProcess(c, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s, err := listen(c, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := provider.join(s); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return "http://" + s.address(), s
}

// visitor is a browser that keeps cookies and fills in the one form of a page.
type visitor struct {
	t    *testing.T
	http *http.Client
}

func newVisitor(t *testing.T) visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// send sends a request and follows redirects as long as they stay with us and the
// provider: it returns the page, where it is, and where the last redirect leads.
func (v visitor) send(method, address, form string) (page string, at, away *url.URL) {
	v.t.Helper()
	for range 10 {
		r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form))
		if err != nil {
			v.t.Fatal(err)
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
		}
		response, err := v.http.Do(r)
		if err != nil {
			v.t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			v.t.Fatal(err)
		}
		next, err := response.Location()
		if err != nil {
			return string(text), r.URL, nil
		}
		if next.Port() == clientPort {
			return "", r.URL, next
		}
		method, address, form = http.MethodGet, next.String(), ""
	}
	v.t.Fatalf("the redirects do not end: at last %s", address)
	return "", nil, nil
}

// clientPort is where nobody listens: there a browser's journey ends.
const clientPort = "9"

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	formField  = regexp.MustCompile(`<input type="(?:hidden|checkbox)" name="([^"]*)" value="([^"]*)"`)
)

// press sends the form of a page with the button name=value.
func (v visitor) press(page string, at *url.URL, name, value string) (string, *url.URL, *url.URL) {
	v.t.Helper()
	action := formAction.FindStringSubmatch(page)
	if action == nil || !strings.Contains(page, `name="`+name+`" value="`+value+`"`) {
		v.t.Fatalf("at %s there is no button %s=%s:\n%s", at, name, value, page)
	}
	form := url.Values{name: {value}}
	for _, field := range formField.FindAllStringSubmatch(page, -1) {
		form.Set(unescape(field[1]), unescape(field[2]))
	}
	to, err := at.Parse(unescape(action[1]))
	if err != nil {
		v.t.Fatal(err)
	}
	return v.send(http.MethodPost, to.String(), form.Encode())
}

func unescape(text string) string {
	return strings.NewReplacer("&amp;", "&", "&#34;", `"`, "&#43;", "+", "&#39;", "'").Replace(text)
}

// postForm posts a form as a program does, and reads the JSON of the answer.
func postForm(t *testing.T, address string, form url.Values) (int, map[string]any) {
	t.Helper()
	response, err := http.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// signInAs takes the command line's way through all pages, as a person of the demo, for
// a token for resource; "": the default.
func signInAs(t *testing.T, server, person, scope, resource string) map[string]any {
	t.Helper()
	tokens, _ := signInReading(t, server, person, scope, resource)
	return tokens
}

// signInReading is signInAs by somebody who keeps the consent page.
func signInReading(t *testing.T, server, person, scope, resource string) (tokens map[string]any, consent string) {
	t.Helper()
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	redirect := "http://127.0.0.1:" + clientPort + "/callback"
	request := url.Values{
		"response_type": {"code"}, "client_id": {login.ClientID}, "redirect_uri": {redirect}, "scope": {scope},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	if resource != "" {
		request.Set("resource", resource)
	}
	v := newVisitor(t)
	page, at, _ := v.send(http.MethodGet, server+"/authorize?"+request.Encode(), "")
	page, at, _ = v.press(page, at, "provider", demoProcessor)
	consent, at, _ = v.press(page, at, "person", person)
	_, _, back := v.press(consent, at, "answer", "agree")
	if back == nil || back.Query().Get("code") == "" || back.Query().Get("iss") != server {
		t.Fatalf("the sign-in came back with %s", back)
	}
	status, tokens := postForm(t, server+"/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {login.ClientID}, "code": {back.Query().Get("code")},
		"redirect_uri": {redirect}, "code_verifier": {verifier},
	})
	if status != http.StatusOK {
		t.Fatalf("/token: %d %v", status, tokens)
	}
	return tokens, consent
}

// knock asks the MCP door to begin, and returns its status.
func knock(t *testing.T, server, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+mcpPath,
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode, response.Header.Get("WWW-Authenticate")
}

// A client that knows nothing but the URL: where to sign in, what to ask for, the
// chooser, the provider, the consent, and a token that opens the door.
func TestSigningIn(t *testing.T) {
	server, s := serveSignIn(t, nil)
	if status, challenge := knock(t, server, "x"); status != http.StatusUnauthorized || !strings.Contains(challenge, `scope="clickhouse:read"`) {
		t.Errorf("without a token: %d %s", status, challenge)
	}
	_, body, _ := fetch(t, server+metadataPath+mcpPath)
	if want := `"authorization_servers":["` + server + `"],"bearer_methods_supported":["header"],"scopes_supported":["clickhouse:read"]`; !strings.Contains(body, want) {
		t.Errorf("the metadata is %s", body)
	}
	if _, body, _ := fetch(t, server+"/.well-known/oauth-authorization-server"); !strings.Contains(body, `"issuer":"`+server+`"`) {
		t.Errorf("the authorization server says %s", body)
	}
	tokens := signInAs(t, server, "alice", "clickhouse:read offline_access", "")
	access, _ := tokens["access_token"].(string)
	if status, challenge := knock(t, server, access); status != http.StatusOK {
		t.Errorf("with the token: %d %s", status, challenge)
	}
	status, again := postForm(t, server+"/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {login.ClientID}, "refresh_token": {tokens["refresh_token"].(string)}})
	if status != http.StatusOK || again["access_token"] == "" {
		t.Errorf("refreshed: %d %v", status, again)
	}
	who, err := s.process.generation.Load().mcp[mcpPath].verifier.Verify(t.Context(), access)
	if err != nil || who.User != "alice@example.com" || who.Proof != demoProcessor || who.Client != login.ClientID || !who.ReadOnly {
		t.Errorf("the token is of %+v, %v", who, err)
	}
	_, metrics, _ := fetch(t, server+"/metrics")
	for _, want := range []string{"porterhouse_signin_signed_in_total 1", "porterhouse_authserver_tokens_total 2", `porterhouse_http_requests_total{code="200",door="authserver",method="post"} 2`} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("/metrics has no %s", want)
		}
	}
}
