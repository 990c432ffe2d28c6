package authserver

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
)

func nothingThere(context.Context, string) (Reply, error) {
	return Reply{Status: http.StatusNotFound}, nil
}

func nobodysAssertion(context.Context, string) (Assertion, error) {
	return Assertion{}, errors.New("nobody's")
}

func nobodysToken(context.Context, string) (porterhouse.Principal, error) {
	return porterhouse.Principal{}, errors.New("nobody's")
}

// site is where clients have their documents: real TLS, asked by a real Outbound.
type site struct {
	*httptest.Server
	asked atomic.Int64
	serve http.HandlerFunc // nil: the good document
}

func openSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if s.serve != nil {
			s.serve(w, r)
			return
		}
		_, _ = w.Write(s.document(nil))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) id() string { return s.URL + "/client.json" }

// document is one of the client at id, with some members changed; nil takes one out.
func (s *site) document(changes map[string]any) []byte {
	all := map[string]any{
		"client_id": s.id(), "client_name": "An agent", "redirect_uris": []string{"http://127.0.0.1/callback", "https://app.example.com/callback"},
		"grant_types": []string{GrantCode, GrantRefresh}, "token_endpoint_auth_method": "none", "response_types": []string{"code"},
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return must(json.Marshal(all))
}

// outbound asks the site as the program would, but for a shorter time.
func (s *site) outbound(t *testing.T, change func(*identity.OutboundConfig)) func(*Config) {
	t.Helper()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	must(0, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	c := identity.OutboundConfig{CAFile: roots, AllowHosts: []string{"127.0.0.1"}, MaxBytes: 64 << 10, NoRedirects: true, Timeout: time.Minute}
	if change != nil {
		change(&c)
	}
	out := must(identity.NewOutbound(c))
	return func(c *Config) {
		c.Fetch = func(ctx context.Context, url string) (Reply, error) {
			reply, err := out.Get(ctx, url, nil)
			return Reply(reply), err
		}
	}
}

func (d *desk) wantProblem(err error, code, text string) {
	d.t.Helper()
	if p := problemOf(err); err == nil || p.code != code || !strings.Contains(p.text, text) {
		d.t.Errorf("want %s with %q: %v", code, text, err)
	}
}

// A client is what its document says, as far as that can be.
func TestDocument(t *testing.T) {
	s := openSite(t)
	d := openDesk(t, s.outbound(t, nil))
	c, err := d.client(t.Context(), s.id(), "")
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(s.URL, "https://")
	if c.ID != s.id() || c.Host != host || c.Known != ByDocument || c.Name != "An agent" || c.Auth != AuthNone ||
		fmt.Sprint(c.Grants) != fmt.Sprint([]string{GrantCode, GrantRefresh}) || len(c.Scopes) != 3 || len(c.RedirectURIs) != 2 {
		t.Errorf("the client is %+v", c)
	}
	if c.config != nil || c.may(GrantCredentials) || c.may(GrantExchange) {
		t.Error("the client is as trusted as one of the operator's")
	}
}

// What real clients publish is taken, with what is of no use here left out.
func TestDocumentLeniency(t *testing.T) {
	s := openSite(t)
	for name, test := range map[string]struct {
		changes map[string]any
		grants  []string
		uris    int
		shown   string
	}{
		"unknown grant types":   {map[string]any{"grant_types": []string{GrantCode, "urn:example:later", "password", GrantCredentials, GrantExchange}}, []string{GrantCode}, 2, "An agent"},
		"no grant types":        {map[string]any{"grant_types": nil}, []string{GrantCode, GrantRefresh}, 2, "An agent"},
		"no auth method":        {map[string]any{"token_endpoint_auth_method": nil}, []string{GrantCode, GrantRefresh}, 2, "An agent"},
		"a URI that cannot be":  {map[string]any{"redirect_uris": []string{"javascript:alert(1)", "myide://callback", "https://app.example.com/callback"}}, []string{GrantCode, GrantRefresh}, 1, "An agent"},
		"no name":               {map[string]any{"client_name": nil}, []string{GrantCode, GrantRefresh}, 2, strings.TrimPrefix(s.URL, "https://")},
		"a name that misleads":  {map[string]any{"client_name": "\u202eevil\n<b>Claude</b>"}, []string{GrantCode, GrantRefresh}, 2, "\ufffdevil <b>Claude</b>"},
		"members nobody knows":  {map[string]any{"logo_uri": "https://evil.example/", "software_statement": "x", "jwks": map[string]any{}}, []string{GrantCode, GrantRefresh}, 2, "An agent"},
		"a secret that is null": {map[string]any{"client_secret": json.RawMessage("null")}, []string{GrantCode, GrantRefresh}, 2, "An agent"},
		"a device alone":        {map[string]any{"grant_types": []string{GrantDevice}, "redirect_uris": nil}, []string{GrantDevice}, 0, "An agent"},
	} {
		c, err := parseDocument(s.id(), s.document(test.changes), nil)
		if err != nil || fmt.Sprint(c.Grants) != fmt.Sprint(test.grants) || len(c.RedirectURIs) != test.uris || c.Name != test.shown {
			t.Errorf("%s: %v, %+v", name, err, c)
		}
	}
}

// A document that is not the client's, or not for everybody to read, is refused.
func TestDocumentRefused(t *testing.T) {
	s := openSite(t)
	for want, changes := range map[string]map[string]any{
		"client_id is not the address":             {"client_id": "https://claude.ai/client.json"},
		"its client_id is not":                     {"client_id": nil},
		"client_id is not":                         {"client_id": s.id() + "/"},
		"has a client_secret":                      {"client_secret": "x"},
		"client_secret, which":                     {"client_secret_expires_at": 0},
		"it is none or private_key_jwt":            {"token_endpoint_auth_method": "client_secret_basic"},
		"tls_client_auth":                          {"token_endpoint_auth_method": "tls_client_auth"},
		"one of jwks and jwks_uri":                 {"token_endpoint_auth_method": "private_key_jwt"},
		"needs one of jwks":                        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://a/b", "jwks": map[string]any{"keys": []any{}}},
		"jwks_uri must be an https URL":            {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://169.254.169.254/latest"},
		"no public key":                            {"token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": "c2VjcmV0"}}}},
		"no redirect URI is left: javascript":      {"redirect_uris": []string{"javascript:alert(1)"}},
		"no redirect URI is left: it names none":   {"redirect_uris": nil},
		"no redirect URI is left: http://a.exampl": {"redirect_uris": []string{"http://a.example.com/"}},
		"the JSON of client metadata":              {"redirect_uris": "https://app.example.com/callback"},
		"more than the 20 allowed":                 {"redirect_uris": strings.Split(strings.Repeat("https://a.example.com/ ", 21), " ")},
		"more than the 5120 allowed":               {"padding": strings.Repeat("x", maxDocument)},
	} {
		if _, err := parseDocument(s.id(), s.document(changes), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
}

// A client's id must be a URL that there is one way to write, and nobody is asked
// because of another.
func TestDocumentURLs(t *testing.T) {
	for _, id := range []string{
		"http://app.example.com/client.json", "HTTPS://app.example.com/client.json", "https://App.example.com/client.json",
		"https://app.example.com", "https://app.example.com/", "https://app.example.com//", "https:///client.json",
		"https://app.example.com/client.json#x", "https://app.example.com/client.json#", "https://me@app.example.com/client.json",
		"https://claude.ai:443@evil.example/client.json", "https://app.example.com/a/../client.json", "https://app.example.com/./client.json",
		"https://app.example.com/%2e%2e/client.json", "https://app.example.com\\.evil.example/client.json", "https://app.example.com/cl ient.json",
		"https://app.example.com/\u202eclient.json", "https://app.example.com:/client.json", "https://claude.ai./client.json", "ftp://app.example.com/client.json",
		"javascript://app.example.com/%0aalert(1)", "https://app.example.com/" + strings.Repeat("a", maxClientID), "://", "https://%65vil.example/client.json",
	} {
		if _, err := checkDocumentURL(id); err == nil {
			t.Errorf("%s may be a client's id", id)
		}
	}
	for _, id := range []string{
		"https://claude.ai/oauth/mcp-oauth-client-metadata", "https://vscode.dev/oauth/client-metadata.json", "https://app.example.com:8443/c?v=1",
	} {
		if _, err := checkDocumentURL(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// What the server of a document may not do, and that its client is then nobody.
func TestDocumentServerAttacks(t *testing.T) {
	s := openSite(t)
	elsewhere := openSite(t)
	d := openDesk(t, s.outbound(t, nil))
	answer := func(status int, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}
	}
	good := s.document(nil)
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		code  string
	}{
		"redirects to itself": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/client.json" {
				http.Redirect(w, r, "/other.json", http.StatusFound)
				return
			}
			_, _ = w.Write(good)
		}, "invalid_client"},
		"redirects elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.id(), http.StatusTemporaryRedirect)
		}, "invalid_client"},
		"created":     {answer(http.StatusCreated, good), "invalid_client"},
		"not there":   {answer(http.StatusNotFound, good), "invalid_client"},
		"forbidden":   {answer(http.StatusForbidden, good), "invalid_client"},
		"broken":      {answer(http.StatusBadGateway, good), "temporarily_unavailable"},
		"too long":    {answer(http.StatusOK, s.document(map[string]any{"padding": strings.Repeat("x", maxDocument)})), "invalid_client"},
		"huge":        {answer(http.StatusOK, s.document(map[string]any{"padding": strings.Repeat("x", 1<<20)})), "temporarily_unavailable"},
		"HTML":        {answer(http.StatusOK, []byte("<html>")), "invalid_client"},
		"another's":   {answer(http.StatusOK, elsewhere.document(nil)), "invalid_client"},
		"nothing":     {answer(http.StatusOK, nil), "invalid_client"},
		"deep":        {answer(http.StatusOK, []byte(strings.Repeat("[", 5000))), "invalid_client"},
		"hangs up":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "temporarily_unavailable"},
		"two answers": {answer(http.StatusOK, append(append([]byte{}, good...), good...)), "invalid_client"},
	} {
		s.serve = test.serve
		_, err := d.client(t.Context(), s.id(), "")
		d.wantProblem(err, test.code, strings.TrimPrefix(s.URL, "https://"))
		if t.Failed() {
			t.Fatal(name)
		}
		d.pass(2 * time.Second) // so that the limit is not what refuses
	}
	if elsewhere.asked.Load() != 0 {
		t.Error("a redirect was followed")
	}
	s.serve = nil
	if _, err := d.client(t.Context(), s.id(), ""); err != nil {
		t.Errorf("errors were kept: %v", err)
	}
}

// A server that does not answer costs its own clients some time, and nobody else's.
func TestSlowDocument(t *testing.T) {
	s, quick := openSite(t), openSite(t)
	release := make(chan struct{})
	defer close(release)
	s.serve = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush() // the head at once, and then nothing
		<-release
	}
	slow := s.outbound(t, func(c *identity.OutboundConfig) { c.Timeout = 100 * time.Millisecond })
	d := openDesk(t, func(c *Config) {
		fast := &Config{}
		quick.outbound(t, nil)(fast)
		slow(c)
		waits := c.Fetch
		c.Fetch = func(ctx context.Context, url string) (Reply, error) {
			if url == quick.id() {
				return fast.Fetch(ctx, url)
			}
			return waits(ctx, url)
		}
	})
	_, err := d.client(t.Context(), s.id(), "")
	d.wantProblem(err, "temporarily_unavailable", "cannot be fetched")
	if _, err := d.client(t.Context(), quick.id(), ""); err != nil {
		t.Error(err)
	}
}

// Documents at addresses that are nobody's on the internet are not asked for, by
// number or by a name that leads there (what DNS rebinding comes to), nor the keys.
func TestDocumentAtPrivateAddress(t *testing.T) {
	s := openSite(t)
	d := openDesk(t, s.outbound(t, func(c *identity.OutboundConfig) { c.AllowHosts = nil }))
	port := must(url.Parse(s.URL)).Port()
	for _, id := range []string{
		s.id(), "https://localhost:" + port + "/client.json", "https://[::1]:" + port + "/client.json", "https://[::ffff:127.0.0.1]:" + port + "/client.json",
		"https://0.0.0.0:" + port + "/client.json", "https://2130706433:" + port + "/client.json", "https://169.254.169.254/latest/meta-data",
		"https://10.0.0.1/client.json",
	} {
		_, err := d.client(t.Context(), id, "")
		d.wantProblem(err, "temporarily_unavailable", "cannot be fetched")
		if err != nil && strings.Contains(problemOf(err).text, "special") {
			t.Errorf("%s: the client is told what is at that address: %v", id, err)
		}
		_, err = d.clients.documents.keysOf(t.Context(), Client{keysAt: id}, "", nil)
		d.wantProblem(err, "temporarily_unavailable", "cannot be fetched")
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("it was asked %d times", n)
	}
}

// The operator may say whose documents count, and may have none at all.
func TestDocumentHosts(t *testing.T) {
	s := openSite(t)
	d := openDesk(t, func(c *Config) {
		s.outbound(t, nil)(c)
		c.AllowClientHosts = []string{"claude.ai"}
	})
	_, err := d.client(t.Context(), s.id(), "")
	d.wantProblem(err, "invalid_client", "not allowed here")
	_, err = openDesk(t, nil).client(t.Context(), s.id(), "")
	d.wantProblem(err, "invalid_client", "ask its operator")
	if s.asked.Load() != 0 {
		t.Error("the document was asked for")
	}
}

// One client cannot become another: neither by registering, nor by a document.
func TestKindsOfClientsDoNotMeet(t *testing.T) {
	s := openSite(t)
	d := openDesk(t, func(c *Config) {
		everything(c)
		s.outbound(t, nil)(c)
		c.Clients = append(c.Clients, ClientConfig{ID: s.id(), Name: "Pinned", RedirectURIs: []string{"https://pinned.example.com/"}})
	})
	c, err := d.client(t.Context(), s.id(), "")
	if err != nil || c.Known != ByOperator || c.Name != "Pinned" || s.asked.Load() != 0 {
		t.Errorf("the operator's client is %+v, %v", c, err)
	}
	for _, wanted := range []string{"clickhouse-client", s.id(), s.URL + "/other.json"} {
		a := d.register(map[string]any{"client_id": wanted, "redirect_uris": []string{"http://127.0.0.1/"}, "token_endpoint_auth_method": "none"})
		if id := a.field("client_id"); a.status != http.StatusCreated || !strings.HasPrefix(id, registrationPrefix) || id == wanted {
			t.Errorf("somebody registered as %s: %d %s", wanted, a.status, a.text)
		}
	}
	must(0, d.store.Put(t.Context(), "registration/"+s.URL+"/other.json", []byte(`{"name":"x","grants":["authorization_code"]}`), 0))
	_, err = d.client(t.Context(), s.URL+"/other.json", "")
	d.wantProblem(err, "invalid_client", "client_id is not the address")
}

func (d *desk) register(metadata map[string]any) answered {
	d.t.Helper()
	r := must(http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+"/register", strings.NewReader(string(must(json.Marshal(metadata))))))
	r.Header.Set("Content-Type", "application/json")
	return d.send(r)
}
