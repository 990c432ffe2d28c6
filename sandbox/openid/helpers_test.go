package openid

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// house is a provider on loopback with its clock in our hands, and a browser
// that follows no redirect.
type house struct {
	*Provider
	t      *testing.T
	ahead  atomic.Int64 // nanoseconds that its clock is ahead
	client *http.Client
}

const (
	callback = "http://127.0.0.1:9/callback"
	verifier = "a-verifier-that-has-at-least-forty-three-characters"
)

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	p, err := New(Config{
		Issuer: server.URL,
		People: []Person{
			{"u-1", "Alice", "alice@example.com", "An analyst.", []string{"analyst"}},
			{"u-2", "Bob <b>", "bob@example.com", "Of the support team.", nil},
		},
		Clients: []Client{
			{ID: "app", Secret: "s3cret", Name: "The App", RedirectURIs: []string{callback, callback + "?x=1"}},
			{ID: "public", RedirectURIs: []string{callback}},
		},
		Now: func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Provider = p
	return h
}

// later moves the clock.
func (h *house) later(d time.Duration) { h.ahead.Add(int64(d)) }

// request is an authorization request that works; changes are name, value pairs.
func (h *house) request(changes ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {callback}, "scope": {"openid profile email groups offline_access"},
		"state": {"st&te"}, "nonce": {"n0nce"}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	for pair := range slices.Chunk(changes, 2) {
		q.Set(pair[0], pair[1])
	}
	return q
}

// send sends a request and returns the answer with its body.
func (h *house) send(method, path string, form url.Values, header ...string) (*http.Response, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	res, err := h.client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res, string(body)
}

// choose chooses a person and returns the parameters of the redirect.
func (h *house) choose(subject string, q url.Values) url.Values {
	h.t.Helper()
	res, body := h.send("POST", "/authorize?"+q.Encode(), url.Values{"person": {subject}})
	if res.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	to, err := res.Location()
	if err != nil || !strings.HasPrefix(to.String(), callback) {
		h.t.Fatalf("redirect to %v: %v", to, err)
	}
	return to.Query()
}

// token asks for tokens as app; the error is the answer's.
func (h *house) token(form ...string) (answer, string) {
	h.t.Helper()
	values := url.Values{}
	for pair := range slices.Chunk(form, 2) {
		values.Set(pair[0], pair[1])
	}
	header := []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("app:s3cret"))}
	if values.Has("client_id") {
		header = nil
	}
	res, body := h.send("POST", "/token", values, header...)
	var all struct {
		answer
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		h.t.Fatalf("%v: %s", err, body)
	}
	if (res.StatusCode == http.StatusOK) != (all.Error == "") || res.Header.Get("Cache-Control") != "no-store" {
		h.t.Errorf("status %d, %v, for %s", res.StatusCode, res.Header, body)
	}
	return all.answer, all.Error
}

// redeem exchanges a code.
func (h *house) redeem(code string) (answer, string) {
	h.t.Helper()
	return h.token("grant_type", grantCode, "code", code, "redirect_uri", callback, "code_verifier", verifier)
}

// signIn is the whole way.
func (h *house) signIn(subject string, changes ...string) answer {
	h.t.Helper()
	tokens, no := h.redeem(h.choose(subject, h.request(changes...)).Get("code"))
	if no != "" {
		h.t.Fatal(no)
	}
	return tokens
}

// claims verifies a token with the keys that the provider publishes.
func (h *house) claims(token string) map[string]any {
	h.t.Helper()
	_, body := h.send("GET", "/jwks", nil)
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(body), &keys); err != nil {
		h.t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		h.t.Fatal(err)
	}
	payload, err := signed.Verify(keys.Key(signed.Signatures[0].Header.KeyID)[0])
	if err != nil {
		h.t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		h.t.Fatal(err)
	}
	return claims
}
