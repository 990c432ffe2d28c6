package idp

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// Provider is an OpenID provider that runs as a process of its own.
type Provider struct {
	Issuer  string
	Options Options // as it was started
	program *program
}

// StartOIDC starts npm's oidc-provider. An access token of it is opaque, and a JWT
// when the client asked for a resource, which then is its audience.
func StartOIDC(t testing.TB, o Options) *Provider {
	t.Helper()
	o = o.withDefaults()
	script := filepath.Join(root(t), "sandbox", "idp", "npm", "provider.mjs")
	p, issuer := startProgram(t, config(o), node(t), script)
	return &Provider{Issuer: issuer, Options: o, program: p}
}

// StartDex starts dex. Its access tokens are JWTs with the client as audience.
// Never refresh one: a refresh some seconds after the first stops the whole server
// (dexidp/dex#4209).
func StartDex(t testing.TB, o Options) *Provider {
	t.Helper()
	o = o.withDefaults()
	p, issuer := startProgram(t, config(o), filepath.Join(root(t), "build", "dex"))
	return &Provider{Issuer: issuer, Options: o, program: p}
}

// config is o as the programs read it.
func config(o Options) any {
	return struct {
		Lifetime  int
		People    []Person
		Clients   []Client
		Exchanges []Exchange
	}{int(o.Lifetime.Seconds()), o.People, o.Clients, append([]Exchange{}, o.Exchanges...)}
}

// SetPeople changes who the provider knows, and what it says of them in tokens,
// introspection and userinfo from now on (oidc-provider only).
func (p *Provider) SetPeople(t testing.TB, people ...Person) {
	t.Helper()
	p.change(t, map[string]any{"People": people})
}

// Rotate makes a new signing key; the old ones are still published (oidc-provider only).
func (p *Provider) Rotate(t testing.TB) {
	t.Helper()
	p.change(t, map[string]any{"Rotate": true})
}

// DropKeys makes a new signing key and publishes no other (oidc-provider only).
func (p *Provider) DropKeys(t testing.TB) {
	t.Helper()
	p.change(t, map[string]any{"Rotate": true, "Drop": true})
}

func (p *Provider) change(t testing.TB, what any) {
	t.Helper()
	if answer, err := p.program.tell(what); err != nil || answer != "DONE" {
		t.Fatalf("the provider answers %q, %v\n%s", answer, err, p.program.log)
	}
}

// Stop ends the provider, as an outage does; it does not come back.
func (p *Provider) Stop(t testing.TB) {
	t.Helper()
	if err := p.program.in.Close(); err != nil {
		t.Fatal(err)
	}
	_, _ = p.program.out.ReadString('\n') // until it is gone: an error is what we wait for
}

// Tokens are what a client gets for a person who signed in.
type Tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
}

// Password gets tokens for a person by the password grant (dex only).
func (p *Provider) Password(t testing.TB, client Client, person Person) Tokens {
	t.Helper()
	return p.grant(t, client, url.Values{
		"grant_type": {"password"}, "username": {person.Email}, "password": {person.Password},
		"scope": {"openid email profile groups"},
	})
}

// Revoke takes a token back, as its client does (RFC 7009; oidc-provider only). A JWT lives on.
func (p *Provider) Revoke(t testing.TB, client Client, token string) {
	t.Helper()
	form := url.Values{"token": {token}, "client_id": {client.ID}, "client_secret": {client.Secret}}
	response, err := http.PostForm(p.discovered(t, "revocation_endpoint"), form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("revocation: %s\n%s", response.Status, excerpt(response.Body))
	}
}

// Robot gets a token for the client itself; resource may be "" (oidc-provider only).
func (p *Provider) Robot(t testing.TB, client Client, resource string) Tokens {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"query"}}
	if resource != "" {
		form.Set("resource", resource)
	}
	return p.grant(t, client, form)
}

// grant asks the token endpoint.
func (p *Provider) grant(t testing.TB, client Client, form url.Values) Tokens {
	t.Helper()
	endpoint := p.discovered(t, "token_endpoint")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// RFC 6749, 2.3.1: both are form-encoded first.
	request.SetBasicAuth(url.QueryEscape(client.ID), url.QueryEscape(client.Secret))
	var tokens Tokens
	ask(t, http.DefaultClient, request, &tokens)
	return tokens
}

// discovered returns an entry of the discovery document.
func (p *Provider) discovered(t testing.TB, name string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	ask(t, http.DefaultClient, request, &document)
	address, ok := document[name].(string)
	if !ok {
		t.Fatalf("the discovery document has no %s", name)
	}
	return address
}

// ask sends request and decodes the answer, a JSON document with status 200.
func ask(t testing.TB, client *http.Client, request *http.Request, answer any) {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", request.URL, response.Status, excerpt(response.Body))
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		t.Fatalf("%s: %v", request.URL, err)
	}
}
