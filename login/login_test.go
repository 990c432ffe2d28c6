package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
)

// The whole way: sign in, use, refresh, sign out.
func TestBrowser(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	login := h.mustSignIn(g.url)
	if login.Resource != g.url+"/mcp" || login.Person != "alice@example.com?[2J" || login.Scope != "clickhouse:read offline_access" || login.Sealed {
		t.Errorf("signed in: %+v", login)
	}
	if !strings.Contains(h.said.String(), g.url+"/authorize?") || !strings.Contains(h.page, "You can close this page") {
		t.Errorf("said %s\nthe page is %s", &h.said, h.page)
	}
	first := h.token("")
	if again := h.token(g.url + "/mcp"); again != first {
		t.Error("a token that is good was refreshed")
	}
	h.later(5*time.Minute - margin)
	second := h.token(g.url)
	if second == first || g.refreshes.Load() != 1 {
		t.Errorf("after its time the token is %q, with %d refreshes", second, g.refreshes.Load())
	}
	last := g.current
	if _, err := h.SignOut(t.Context(), ""); err != nil || !slices.Contains(g.revoked, last) {
		t.Errorf("signing out: %v; revoked: %d", err, len(g.revoked))
	}
	if _, _, err := h.Token(t.Context(), ""); kindOf(err) != porterhouse.Unauthenticated {
		t.Errorf("signed out, and still: %v", err)
	}
}

// A second sign-in takes the place of the first, which ends at the server.
func TestSignInAgain(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	h.mustSignIn(g.url)
	old := g.current
	h.mustSignIn(g.url + "/mcp")
	if list, err := h.List(); err != nil || len(list) != 1 || !slices.Contains(g.revoked, old) {
		t.Errorf("logins: %v, %v; revoked: %d", list, err, len(g.revoked))
	}
}

// Where to sign in is found from any URL of the server, and in all the ways.
func TestDiscovery(t *testing.T) {
	const papers, statement = "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server"
	for name, c := range map[string]struct {
		path   string
		hidden []string
	}{
		"the server":                {"", []string{papers + "/mcp"}},
		"its MCP door":              {"/mcp", []string{papers}},
		"with a slash":              {"/mcp/", []string{papers}},
		"the server's own papers":   {"/mcp", []string{papers + "/mcp"}},
		"by the challenge":          {"/mcp", []string{papers, papers + "/mcp"}},
		"by a statement for OpenID": {"/mcp", []string{statement}},
	} {
		t.Run(name, func(t *testing.T) {
			g, h := newGate(t), newHome(t, nil)
			g.answer = func(w http.ResponseWriter, r *http.Request) bool {
				switch hidden := slices.Contains(c.hidden, r.URL.Path); {
				case hidden && name == "the server":
					fmt.Fprint(w, "<!doctype html>a page for every path")
				case hidden:
					http.NotFound(w, r)
				case r.URL.Path == "/.well-known/openid-configuration":
					g.json(w, http.StatusOK, g.statement)
				default:
					return false
				}
				return true
			}
			if login := h.mustSignIn(g.url + c.path); login.Resource != g.url+"/mcp" {
				t.Errorf("signed in at %s", login.Resource)
			}
		})
	}
}

// A server whose papers name anybody else gets nobody to sign in.
func TestDiscoveryRefuses(t *testing.T) {
	const evil = "https://evil.example"
	for name, c := range map[string]struct {
		change func(g *gate)
		path   string
		want   string
	}{
		"another resource":          {func(g *gate) { g.papers["resource"] = evil + "/mcp" }, "/mcp", "says that it is"},
		"a path that is a command":  {func(g *gate) { g.papers["resource"] = g.url + "/$(reboot)" }, "", "says that it is"},
		"another path":              {func(g *gate) { g.papers["resource"] = g.url + "/other" }, "/mcp", "says that it is"},
		"another issuer":            {func(g *gate) { g.papers["authorization_servers"] = []string{evil} }, "/mcp", "it takes tokens of " + evil},
		"an issuer it is not":       {func(g *gate) { g.statement["issuer"] = g.url + "/" }, "/mcp", "must be"},
		"another place to sign in":  {func(g *gate) { g.statement["authorization_endpoint"] = evil + "/authorize" }, "/mcp", "the authorization_endpoint of"},
		"another place for tokens":  {func(g *gate) { g.statement["token_endpoint"] = evil }, "/mcp", "the token_endpoint of"},
		"another for devices":       {func(g *gate) { g.statement["device_authorization_endpoint"] = evil }, "/mcp", "the device_authorization_endpoint of"},
		"another for revocation":    {func(g *gate) { g.statement["revocation_endpoint"] = evil }, "/mcp", "the revocation_endpoint of"},
		"another port":              {func(g *gate) { g.statement["token_endpoint"] = "http://127.0.0.1:1/token" }, "/mcp", "the token_endpoint of"},
		"a user in the address":     {func(g *gate) { g.statement["token_endpoint"] = strings.Replace(g.url, "//", "//u@", 1) }, "/mcp", "the token_endpoint of"},
		"an address like a command": {func(g *gate) { g.statement["authorization_endpoint"] = g.url + "/\u202eauthorize" }, "/mcp", "the authorization_endpoint of"},
		"no place for tokens":       {func(g *gate) { delete(g.statement, "token_endpoint") }, "/mcp", "the token_endpoint of"},
		"no PKCE":                   {func(g *gate) { g.statement["code_challenge_methods_supported"] = []string{"plain"} }, "/mcp", "PKCE"},
		"no Porterhouse": {func(g *gate) {
			g.answer = func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }
		}, "", "there is no Porterhouse"},
		"it sends elsewhere": {func(g *gate) {
			g.answer = func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, evil+r.URL.Path, http.StatusFound)
				return true
			}
		}, "/mcp", `sends to "https://evil.example`},
		"it is broken": {func(g *gate) {
			g.answer = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(502); return true }
		}, "/mcp", "502 Bad Gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			g, h := newGate(t), newHome(t, nil)
			c.change(g)
			_, err := h.signIn(g.url + c.path)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("answered %v, want %q", err, c.want)
			}
			if list, err := h.List(); err != nil || len(list) > 0 || h.said.Len() > 0 {
				t.Errorf("logins: %v, %v; said: %s", list, err, &h.said)
			}
		})
	}
}

// What comes back from the browser must be what was sent away with it.
func TestRedirectRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		redirect url.Values
		want     string
	}{
		"from another server": {url.Values{"iss": {"https://evil.example"}}, "came back from"},
		"from nobody":         {url.Values{"iss": nil}, "came back from"},
		"a no":                {url.Values{"code": nil, "error": {"access_denied"}, "error_description": {"\x1b[2Jno"}}, "did not agree, or are not let in: ?[2Jno"},
		"an error":            {url.Values{"code": nil, "error": {"server_error"}}, "the server refuses: server_error"},
		"no code":             {url.Values{"code": nil}, "without a code"},
		"another code":        {url.Values{"code": {"stolen"}}, "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			g, h := newGate(t), newHome(t, nil)
			g.redirect = c.redirect
			_, err := h.signIn(g.url)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("answered %q, want %q", err, c.want)
			}
			if name != "another code" && len(g.forms) > 0 {
				t.Errorf("a token was asked for with %v", g.forms)
			}
			if !strings.Contains(h.page, "Not signed in") {
				t.Errorf("the page is %s", h.page)
			}
		})
	}
}

// Somebody who does not know the state gets nothing and spoils nothing.
func TestStrangersAtTheCallback(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	var statuses []int
	visit := func(base *url.URL, host, path string, q url.Values) {
		r, err := http.NewRequest(http.MethodGet, base.Scheme+"://"+base.Host+path+"?"+q.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		statuses = append(statuses, res.StatusCode)
	}
	stranger := func(link string) error {
		u, err := url.Parse(link)
		if err != nil {
			return err
		}
		back, err := url.Parse(u.Query().Get("redirect_uri"))
		if err != nil {
			return err
		}
		state := u.Query().Get("state")
		visit(back, back.Host, "/callback", url.Values{"code": {"x"}, "iss": {g.url}, "state": {"wrong"}})
		visit(back, back.Host, "/callback", url.Values{"code": {"x"}, "iss": {g.url}, "state": {""}})
		visit(back, back.Host, "/callback", url.Values{"code": {"x"}, "iss": {g.url}})
		visit(back, back.Host, "/callback", url.Values{"code": {"x"}, "iss": {g.url}, "state": {state, state}})
		visit(back, "evil.example", "/callback", url.Values{"code": {"x"}, "iss": {g.url}, "state": {state}})
		visit(back, back.Host, "/", url.Values{"code": {"x"}, "iss": {g.url}, "state": {state}})
		res, err := http.Get(link) // the right one
		if err != nil {
			return err
		}
		res.Body.Close()
		visit(back, back.Host, "/callback", url.Values{"code": {"x"}, "iss": {g.url}, "state": {state}})
		return nil
	}
	if _, err := h.InBrowser(t.Context(), g.url, Options{Say: &h.said, Browse: stranger}); err != nil {
		t.Fatal(err)
	}
	if want := []int{400, 400, 400, 400, 404, 404, 400}; !slices.Equal(statuses, want) || len(g.forms) != 1 {
		t.Errorf("the strangers were answered %v, want %v; %d codes were tried", statuses, want, len(g.forms))
	}
}

// Whoever closes the page while the code is exchanged has signed in all the same.
func TestPageIsClosedAtOnce(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	asked, closed := make(chan bool), make(chan bool)
	g.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			close(asked)
			<-closed
			time.Sleep(100 * time.Millisecond) // until that has come through
		}
		return false
	}
	ctx, cancel := context.WithCancel(t.Context())
	browse := func(link string) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
		go func() {
			if response, err := http.DefaultClient.Do(request); err == nil {
				_ = response.Body.Close()
			}
			close(closed)
		}()
		go func() { <-asked; cancel() }()
		return err
	}
	if _, err := h.InBrowser(t.Context(), g.url, Options{Say: &h.said, Browse: browse, Wait: 30 * time.Second}); err != nil {
		t.Error(err)
	}
	h.token(g.url)
}

// Nobody waits for ever, and a browser that does not open is no obstacle.
func TestNobodyComesBack(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	none := func(string) error { return errors.New("no display") }
	_, err := h.InBrowser(t.Context(), g.url, Options{Say: &h.said, Browse: none, Wait: time.Millisecond})
	if kindOf(err) != porterhouse.Unauthenticated || !strings.Contains(h.said.String(), "--device") {
		t.Errorf("answered %v, said %s", err, &h.said)
	}
}

// Without a browser here: the code is shown, and typed elsewhere.
func TestDevice(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	login, err := h.ByDevice(t.Context(), g.url, Options{Say: &h.said, Scope: "clickhouse:read"})
	if err != nil {
		t.Fatal(err)
	}
	if said := h.said.String(); !strings.Contains(said, g.url+"/device?user_code=BCDF-GHJK") || strings.Contains(said, "\x1b") {
		t.Errorf("said %q", said)
	}
	if h.token(login.Resource) == "" || len(g.forms) != 2 {
		t.Errorf("asked %d times", len(g.forms))
	}
}

// A page to type the code at is the server's own, and pauses are not endless.
func TestDeviceRefuses(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"another server's page": {"verification_uri": "https://evil.example/device"},
		"no code":               {"device_code": ""},
		"time backwards":        {"interval": -1},
		"for ever":              {"interval": 1 << 40},
	} {
		t.Run(name, func(t *testing.T) {
			g, h := newGate(t), newHome(t, nil)
			g.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/device_authorization" {
					return false
				}
				answer := map[string]any{"device_code": "d", "user_code": "u", "verification_uri": g.url + "/device", "interval": 1}
				for name, value := range change {
					answer[name] = value
				}
				g.json(w, http.StatusOK, answer)
				return true
			}
			if _, err := h.ByDevice(t.Context(), g.url, Options{Say: &h.said}); err == nil || h.said.Len() > 0 || len(g.forms) > 0 {
				t.Errorf("answered %v, said %s", err, &h.said)
			}
		})
	}
	g, h := newGate(t), newHome(t, nil)
	delete(g.statement, "device_authorization_endpoint")
	if _, err := h.ByDevice(t.Context(), g.url, Options{Say: &h.said}); kindOf(err) != porterhouse.Invalid {
		t.Errorf("without a device flow: %v", err)
	}
}

func TestAddress(t *testing.T) {
	for given, want := range map[string]string{
		"porterhouse.example.com":              "https://porterhouse.example.com",
		"https://Porterhouse.example.com/":     "https://porterhouse.example.com",
		"https://porterhouse.example.com/mcp/": "https://porterhouse.example.com/mcp",
		"127.0.0.1:8080":                       "http://127.0.0.1:8080",
		"localhost:8080/mcp":                   "http://localhost:8080/mcp",
		"http://[::1]:8080":                    "http://[::1]:8080",
		"http://porterhouse.example.com":       "",
		"http://127.0.0.1.evil.example":        "",
		"ftp://porterhouse.example.com":        "",
		"https://a@porterhouse.example.com":    "",
		"https://porterhouse.example.com?a":    "",
		"https://porterhouse.example.com/#a":   "",
		"https://":                             "",
		"":                                     "",
	} {
		at, err := address(given)
		if want == "" && err == nil || want != "" && (err != nil || at.String() != want) {
			t.Errorf("%q is %v, %v; want %q", given, at, err, want)
		}
	}
}

// Which login is meant, when there are several.
func TestWhichLogin(t *testing.T) {
	g, other, h := newGate(t), newGate(t), newHome(t, nil)
	if _, err := h.Resource(""); kindOf(err) != porterhouse.Unauthenticated {
		t.Errorf("with no login: %v", err)
	}
	h.mustSignIn(g.url)
	if at, err := h.Resource(""); err != nil || at != g.url+"/mcp" {
		t.Errorf("with one: %v, %v", at, err)
	}
	h.mustSignIn(other.url)
	if _, err := h.Resource(""); err == nil || !strings.Contains(err.Error(), g.url) || !strings.Contains(err.Error(), other.url) {
		t.Errorf("with two: %v", err)
	}
	if at, err := h.Resource(other.url); err != nil || at != other.url+"/mcp" {
		t.Errorf("by name: %v, %v", at, err)
	}
	if _, err := h.Resource("https://elsewhere.example"); kindOf(err) != porterhouse.Unauthenticated {
		t.Errorf("elsewhere: %v", err)
	}
}

// A login for something else than the MCP door has its name, and is found by it.
func TestResource(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	const clickhouse = "https://clickhouse.example.com:8443"
	g.resource = clickhouse
	var wait sync.WaitGroup
	defer wait.Wait()
	login, err := h.InBrowser(t.Context(), g.url, Options{Say: &h.said, Browse: h.browse(&wait), Resource: clickhouse})
	if err != nil || login.Resource != clickhouse || g.forms[0].Get("resource") != clickhouse {
		t.Fatalf("signed in: %+v, %v, with %v", login, err, g.forms)
	}
	h.token(clickhouse)
	g.current = ""
	h.later(time.Hour)
	_, _, err = h.Token(t.Context(), "")
	if want := "run porterhouse login " + g.url + " --resource " + clickhouse; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("it ended with %v, want %q", err, want)
	}
	for _, none := range []string{"clickhouse", "https://a b", "https://\u202e"} {
		if _, err := h.InBrowser(t.Context(), g.url, Options{Say: &h.said, Resource: none}); kindOf(err) != porterhouse.Invalid {
			t.Errorf("for %q: %v", none, err)
		}
	}
}

func kindOf(err error) porterhouse.Kind {
	if err == nil {
		return ""
	}
	kind, _ := porterhouse.Explain(err)
	return kind
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{Dir: "porterhouse"}); err == nil {
		t.Error("a directory that depends on where one stands")
	}
	if _, err := os.Stat("porterhouse"); err == nil {
		t.Error("it was made")
	}
}
