package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
)

// SignIn signs a person in as a browser would (authorization code with PKCE), and
// returns the client's tokens. With a resource the access token is for it; "" asks
// for none (oidc-provider only).
func (p *Provider) SignIn(t testing.TB, client Client, person Person, resource string) Tokens {
	t.Helper()
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {client.ID}, "redirect_uri": {client.Redirect},
		"scope": {"openid email profile groups"}, "state": {rand.Text()}, "nonce": {rand.Text()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	form := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {client.Redirect}, "code_verifier": {verifier}}
	if resource != "" {
		query.Set("resource", resource)
		form.Set("resource", resource)
	}
	back := Visit(t, p.discovered(t, "authorization_endpoint")+"?"+query.Encode(), person)
	if back.Query().Get("state") != query.Get("state") || back.Query().Get("code") == "" {
		t.Fatalf("the sign-in came back with %s", back)
	}
	form.Set("code", back.Query().Get("code"))
	return p.grant(t, client, form)
}

// Visit is a person with a browser, who was sent to a provider's page: it follows
// redirects, fills in the forms of the real providers, and returns the first URL that
// is not the provider's, to which the browser is sent back.
func Visit(t testing.TB, page string, person Person) *url.URL {
	t.Helper()
	return visitWith(t, http.DefaultTransport, page, person)
}

// Visit is the same for a page with a name of this Internet. What is asked without
// TLS is on loopback, and asked there.
func (n *Internet) Visit(t testing.TB, page string, person Person) *url.URL {
	t.Helper()
	pem, err := os.ReadFile(n.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	proxy := func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme == "http" {
			return nil, nil
		}
		return url.Parse(n.Proxy)
	}
	transport := &http.Transport{Proxy: proxy, TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	return visitWith(t, transport, page, person)
}

func visitWith(t testing.TB, transport http.RoundTripper, page string, person Person) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	at, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	for range 15 {
		response, err := open(browser, at, person)
		if err != nil {
			t.Fatal(err)
		}
		text := excerpt(response.Body)
		_ = response.Body.Close() // only read
		next, err := response.Location()
		if err != nil {
			t.Fatalf("%s leads nowhere: %s\n%s", at, response.Status, text)
		}
		if next.Host != at.Host {
			return next
		}
		at = next
	}
	t.Fatalf("the sign-in does not end: at last %s", at)
	return nil
}

// open asks for a page, or answers the one form on it.
func open(browser *http.Client, at *url.URL, person Person) (*http.Response, error) {
	switch {
	case strings.HasPrefix(at.Path, "/sign-in/"): // provider.mjs
		filled := *at
		filled.RawQuery = url.Values{"person": {person.Subject}}.Encode()
		return browser.Get(filled.String())
	case strings.HasSuffix(at.Path, "/auth/local/login"): // dex
		return browser.PostForm(at.String(), url.Values{"login": {person.Email}, "password": {person.Password}})
	case strings.HasSuffix(at.Path, "/approval"): // dex, when it is to ask for consent
		return browser.PostForm(at.String(), url.Values{"req": {at.Query().Get("req")}, "approval": {"approve"}})
	}
	return browser.Get(at.String())
}

// excerpt is the beginning of a body, for a message.
func excerpt(body io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(body, 2<<10))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
