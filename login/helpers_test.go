package login

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gate is a server on the wire: it does what a Porterhouse does, as far as a client
// can tell, and what change makes of its answers.
type gate struct {
	t        *testing.T
	url      string
	resource string // that tokens are asked for

	mu        sync.Mutex
	codes     map[string]url.Values // code ─▶ the authorization request
	current   string                // the refresh token that is good
	used      map[string]bool       // those that were; a second use ends all
	agreed    bool                  // somebody has typed the device's code
	refreshes atomic.Int32
	revoked   []string
	forms     []url.Values // of /token

	papers, statement map[string]any // changed before use
	redirect          url.Values     // what the redirect says instead
	answer            func(w http.ResponseWriter, r *http.Request) bool
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{t: t, codes: map[string]url.Values{}, used: map[string]bool{}, redirect: url.Values{}}
	mux := http.NewServeMux()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.answer == nil || !g.answer(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	g.url, g.resource = server.URL, server.URL+"/mcp"
	g.papers = map[string]any{"resource": g.url + "/mcp", "authorization_servers": []string{g.url}}
	g.statement = map[string]any{
		"issuer": g.url, "authorization_endpoint": g.url + "/authorize", "token_endpoint": g.url + "/token",
		"device_authorization_endpoint": g.url + "/device_authorization", "revocation_endpoint": g.url + "/revoke",
		"code_challenge_methods_supported": []string{"S256"},
	}
	mux.HandleFunc("GET /.well-known/oauth-protected-resource", g.write(&g.papers))
	mux.HandleFunc("GET /.well-known/oauth-protected-resource/mcp", g.write(&g.papers))
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", g.write(&g.statement))
	mux.HandleFunc("GET /papers", g.write(&g.papers))
	mux.HandleFunc("GET /authorize", g.authorize)
	mux.HandleFunc("POST /device_authorization", g.device)
	mux.HandleFunc("POST /token", g.token)
	mux.HandleFunc("POST /revoke", g.revoke)
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+g.url+`/papers", scope="clickhouse:read"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	return g
}

func (g *gate) write(document *map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { g.json(w, http.StatusOK, *document) }
}

func (g *gate) json(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		g.t.Error(err)
	}
}

func (g *gate) refuse(w http.ResponseWriter, code string) {
	g.json(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": "because \x1b[31m" + code})
}

// authorize agrees to everything that is asked rightly.
func (g *gate) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	to, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || to.Hostname() != "127.0.0.1" || to.Path != "/callback" || q.Get("client_id") != ClientID ||
		q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("resource") != g.resource {
		g.t.Errorf("the request is %v", q)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	code := rand.Text()
	g.codes[code] = q
	answer := url.Values{"code": {code}, "state": q["state"], "iss": {g.url}}
	maps.Copy(answer, g.redirect)
	to.RawQuery = answer.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

func (g *gate) device(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("client_id") != ClientID || r.FormValue("resource") != g.url+"/mcp" {
		g.t.Errorf("the device asks with %v", r.Form)
	}
	answer := map[string]any{
		"device_code": "device", "user_code": "BCDF-GHJK\x1b[2J", "verification_uri": g.url + "/device",
		"verification_uri_complete": g.url + "/device?user_code=BCDF-GHJK", "expires_in": 60, "interval": 1,
	}
	g.json(w, http.StatusOK, answer)
}

// token is strict about what is used twice.
func (g *gate) token(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	refresh := r.FormValue("refresh_token")
	g.forms = append(g.forms, r.Form)
	switch r.FormValue("grant_type") {
	case "authorization_code":
		asked, ok := g.codes[r.FormValue("code")]
		delete(g.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if !ok || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || asked.Get("redirect_uri") != r.FormValue("redirect_uri") {
			g.refuse(w, "invalid_grant")
			return
		}
	case "refresh_token":
		g.refreshes.Add(1)
		if g.used[refresh] {
			g.current = "" // the family ends
		}
		if refresh == "" || refresh != g.current {
			g.refuse(w, "invalid_grant")
			return
		}
		g.used[refresh] = true
	default:
		if !g.agreed {
			g.agreed = true
			g.refuse(w, "authorization_pending")
			return
		}
	}
	g.current = "phr_" + rand.Text()
	g.json(w, http.StatusOK, map[string]any{
		"access_token": rand.Text() + "." + aliceClaims + ".signature", "token_type": "Bearer", "expires_in": 300, "refresh_token": g.current, "scope": "clickhouse:read offline_access",
	})
}

// aliceClaims are what the server's tokens say, with something for the terminal.
var aliceClaims = base64.RawURLEncoding.EncodeToString([]byte(`{"name":"alice@example.com\u001b[2J"}`))

func (g *gate) revoke(_ http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.revoked = append(g.revoked, r.FormValue("token"))
	if r.FormValue("token") == g.current {
		g.current = ""
	}
}

// home is a person's logins, with the clock in our hands and a browser that goes
// wherever it is sent.
type home struct {
	*Logins
	t     *testing.T
	ahead atomic.Int64
	said  strings.Builder
	page  string // the last page in the browser
}

func newHome(t *testing.T, keys Keyring) *home { return newHomeAt(t, t.TempDir()+"/porterhouse", keys) }

func newHomeAt(t *testing.T, dir string, keys Keyring) *home {
	t.Helper()
	h := &home{t: t}
	l, err := New(Config{Dir: dir, Keyring: keys, Now: func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	h.Logins = l
	return h
}

func (h *home) later(d time.Duration) { h.ahead.Add(int64(d)) }

// browse follows a link to its end, in the background, as a browser does.
func (h *home) browse(wait *sync.WaitGroup) func(string) error {
	return func(link string) error {
		wait.Go(func() {
			res, err := http.Get(link)
			if err != nil {
				h.t.Error(err)
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				h.t.Error(err)
			}
			h.page = string(body)
		})
		return nil
	}
}

// signIn signs in with a browser.
func (h *home) signIn(given string) (Login, error) {
	h.t.Helper()
	var wait sync.WaitGroup
	defer wait.Wait()
	return h.InBrowser(h.t.Context(), given, Options{Say: &h.said, Browse: h.browse(&wait), Wait: 30 * time.Second})
}

// mustSignIn signs in, or ends the test.
func (h *home) mustSignIn(given string) Login {
	h.t.Helper()
	login, err := h.signIn(given)
	if err != nil {
		h.t.Fatal(err)
	}
	return login
}

// token is an access token that must be had.
func (h *home) token(given string) string {
	h.t.Helper()
	token, _, err := h.Token(h.t.Context(), given)
	if err != nil {
		h.t.Fatal(err)
	}
	return token.Reveal()
}

// pocket is a keyring.
type pocket struct {
	mu     sync.Mutex
	secret string
	err    error // that it always gives
}

func (p *pocket) Get() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return "", p.err
	}
	if p.secret == "" {
		return "", ErrNoSecret
	}
	return p.secret, nil
}

func (p *pocket) Set(secret string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secret = secret
	return p.err
}
