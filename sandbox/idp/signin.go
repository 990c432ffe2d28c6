package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
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
	back := browse(t, p.discovered(t, "authorization_endpoint")+"?"+query.Encode(), client.Redirect, person)
	if back.Query().Get("state") != query.Get("state") || back.Query().Get("code") == "" {
		t.Fatalf("the sign-in came back with %s", back)
	}
	form.Set("code", back.Query().Get("code"))
	return p.grant(t, client, form)
}

// browse follows the pages of a sign-in until one leads to redirect, which it returns.
func browse(t testing.TB, page, redirect string, person Person) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for range 10 {
		response, err := browser.Get(page)
		if err != nil {
			t.Fatal(err)
		}
		text := excerpt(response.Body)
		_ = response.Body.Close() // only read
		next, err := response.Location()
		if err != nil {
			t.Fatalf("%s leads nowhere: %s\n%s", page, response.Status, text)
		}
		if page = next.String(); strings.HasPrefix(page, redirect) {
			return next
		}
		if strings.HasPrefix(next.Path, "/sign-in/") { // the form of provider.mjs
			page += "?person=" + url.QueryEscape(person.Subject)
		}
	}
	t.Fatalf("the sign-in does not end: at last %s", page)
	return nil
}

// excerpt is the beginning of a body, for a message.
func excerpt(body io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(body, 2<<10))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
