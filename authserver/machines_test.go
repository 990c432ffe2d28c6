package authserver

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
)

// machines is a desk with programs that prove themselves with deskSecret, and a
// provider that knows the token "good".
func machines(t *testing.T, change func(*Config)) *desk {
	t.Helper()
	secret := porterhouse.NewSecret(deskSecret)
	return openDesk(t, func(c *Config) {
		c.Clients = append(c.Clients,
			ClientConfig{ID: "etl", Secret: secret, Grants: []string{GrantCredentials}, Scopes: []string{ScopeRead, ScopeWrite},
				User: "etl", Groups: []string{"loaders"}},
			ClientConfig{ID: "nobody", Secret: secret, Grants: []string{GrantCredentials}},
			ClientConfig{ID: "portal", Secret: secret, Grants: []string{GrantExchange, GrantAssertion}, Exchange: exchange(c)},
			ClientConfig{ID: "agent", Secret: secret, Grants: []string{GrantAssertion}},
		)
		c.Assertion = assertions(c)
		if change != nil {
			change(c)
		}
	})
}

// exchange knows the token "good", of alice, for ten more minutes, and "brief", for one.
func exchange(c *Config) func(context.Context, string) (porterhouse.Principal, error) {
	return func(_ context.Context, token string) (porterhouse.Principal, error) {
		who := personCalled("alice")
		switch token {
		case "good":
			who.Expires = c.Now().Add(10 * time.Minute)
		case "brief":
			who.Expires = c.Now().Add(time.Minute)
		case "outage":
			return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unavailable, "the provider is away")
		default:
			return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "the token of Mallory's application has the audience mallory")
		}
		return who, nil
	}
}

// assertions reads "client resource scopes id", with - for nothing, as an assertion about alice.
func assertions(c *Config) func(context.Context, string) (Assertion, error) {
	return func(_ context.Context, jwt string) (Assertion, error) {
		said := strings.Split(strings.ReplaceAll(jwt, "-", ""), " ")
		switch {
		case jwt == "outage":
			return Assertion{}, porterhouse.Errorf(porterhouse.Unavailable, "the provider is away")
		case len(said) != 4:
			return Assertion{}, porterhouse.Errorf(porterhouse.Unauthenticated, "the signature is Mallory's")
		}
		a := Assertion{Who: personCalled("alice"), Client: said[0], Resource: said[1], Scopes: strings.FieldsFunc(said[2], func(r rune) bool { return r == ',' }), ID: said[3]}
		a.Expires = c.Now().Add(time.Minute)
		if a.ID == "long" {
			a.Expires = c.Now().Add(24 * time.Hour)
		}
		a.Who.Expires = a.Expires
		return a, nil
	}
}

// asProgram asks for a token as a client that proves itself.
func (d *desk) asProgram(client, grant string, more ...string) answered {
	d.t.Helper()
	form := url.Values{"grant_type": {grant}, "client_id": {client}, "client_secret": {deskSecret}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return d.do("POST", "/token", "", form)
}

// A program is who the operator says it is, vouched for by nobody but us.
func TestClientCredentials(t *testing.T) {
	d := machines(t, nil)
	a := d.asProgram("etl", GrantCredentials)
	claims := d.claimsOf(a)
	vouched, _ := claims["idp"].(map[string]any)
	if vouched["iss"] != d.url || vouched["sub"] != "etl" || vouched["processor"] != "clients" || claims["name"] != "etl" {
		t.Errorf("the token says %v", claims)
	}
	if a.field("refresh_token") != "" || claims["scope"] != ScopeRead+" "+ScopeWrite || claims["client_id"] != "etl" {
		t.Errorf("given %s", a.text)
	}
	if narrow := d.asProgram("etl", GrantCredentials, "scope", ScopeRead); narrow.field("scope") != ScopeRead {
		t.Errorf("fewer scopes: %s", narrow.text)
	}
	if lenient := d.asProgram("etl", GrantCredentials, "scope", "openid clickhouse:read offline_access"); lenient.field("scope") != ScopeRead || lenient.field("refresh_token") != "" {
		t.Errorf("asked for what programs have no use for: %s", lenient.text)
	}
	d.wantOAuthError(d.asProgram("nobody", GrantCredentials), "unauthorized_client")
	d.wantOAuthError(d.asProgram("portal", GrantCredentials), "unauthorized_client")
	d.wantOAuthError(d.asProgram("etl", GrantCredentials, "client_secret", "wrong"), "invalid_client")
}

// Grants without a person are for clients that prove themselves, whatever a client's
// own registration says.
func TestPublicClientsCannotBeMachines(t *testing.T) {
	d := machines(t, nil)
	public := Client{ID: "public", Auth: AuthNone, Scopes: []string{ScopeRead}, config: &ClientConfig{
		User: "root", Exchange: exchange(&d.Config),
	}}
	registered := Client{ID: "registered", Auth: AuthBasic, Scopes: []string{ScopeRead}}
	form := url.Values{"subject_token": {"good"}, "subject_token_type": {typeJWT}, "assertion": {"public - - 1"}}
	for _, test := range []struct {
		grant  grant
		client Client
	}{
		{credentialsGrant(d.Server), public}, {exchangeGrant(), public}, {assertionGrant(d.Server), public},
		{credentialsGrant(d.Server), registered}, {exchangeGrant(), registered},
	} {
		_, err := test.grant.run(t.Context(), &tokenRequest{client: test.client, form: form})
		if p := problemOf(err); p.code != "unauthorized_client" {
			t.Errorf("%s of %s: %v", test.grant.name, test.client.ID, err)
		}
	}
}

// A token of the provider becomes one of ours, which ends no later, and no refresh
// token comes with it.
func TestTokenExchange(t *testing.T) {
	d := machines(t, nil)
	for token, life := range map[string]float64{"good": 300, "brief": 60} {
		a := d.asProgram("portal", GrantExchange, "subject_token", token, "subject_token_type", typeAccessToken, "scope", ScopeRead)
		claims := d.claimsOf(a)
		if a.field("issued_token_type") != typeAccessToken || a.field("refresh_token") != "" || a.fields["expires_in"] != life || claims["name"] != "alice@example.com" || claims["client_id"] != "portal" {
			t.Errorf("%s: %s %v", token, a.text, claims)
		}
		if end := d.now().Add(time.Duration(life) * time.Second).Unix(); claims["exp"] != float64(end) {
			t.Errorf("%s ends at %v, want %d", token, claims["exp"], end)
		}
	}
	if n := len(d.recorded("exchange")); n != 2 {
		t.Errorf("the record has %d exchanges", n)
	}
}

// A token of another application opens nothing, and neither does anything that is not
// exactly what is understood.
func TestTokenExchangeRefused(t *testing.T) {
	d := machines(t, nil)
	good := []string{"subject_token", "good", "subject_token_type", typeJWT}
	for name, test := range map[string]struct {
		more []string
		want string
	}{
		"another application's token":   {[]string{"subject_token", "of mallory's application"}, "invalid_request"},
		"no token":                      {[]string{"subject_token", ""}, "invalid_request"},
		"a token of a megabyte":         {[]string{"subject_token", strings.Repeat("x", maxSubjectToken+1)}, "invalid_request"},
		"no type":                       {[]string{"subject_token_type", ""}, "invalid_request"},
		"another type":                  {[]string{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"},
		"a refresh token":               {[]string{"subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
		"for a refresh token":           {[]string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
		"with an actor":                 {[]string{"actor_token", "x"}, "invalid_request"},
		"with an actor's type":          {[]string{"actor_token_type", typeJWT}, "invalid_request"},
		"for a resource that is not us": {[]string{"resource", "https://elsewhere.example.com/mcp"}, "invalid_target"},
		"for more than the client may":  {[]string{"scope", ScopeWrite}, "invalid_scope"},
		"while the provider is away":    {[]string{"subject_token", "outage"}, "temporarily_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			a := d.asProgram("portal", GrantExchange, append(append([]string{}, good...), test.more...)...)
			d.wantOAuthError(a, test.want)
			if strings.Contains(a.text, "mallory") {
				t.Errorf("the client learns why: %s", a.text)
			}
		})
	}
	d.wantOAuthError(d.asProgram("agent", GrantExchange, good...), "unauthorized_client")
	d.wantOAuthError(d.asProgram("etl", GrantExchange, good...), "unauthorized_client")
	if n := len(d.recorded("exchange")); n != 0 {
		t.Errorf("the record has %d exchanges", n)
	}
}

// An assertion gives its client a token once.
func TestIdentityAssertion(t *testing.T) {
	d := machines(t, nil)
	a := d.asProgram("agent", GrantAssertion, "assertion", "agent "+d.url+"/mcp clickhouse:read,chat 1")
	claims := d.claimsOf(a)
	if claims["name"] != "alice@example.com" || claims["scope"] != ScopeRead || claims["aud"] != d.url+"/mcp" || claims["client_id"] != "agent" || a.field("refresh_token") != "" {
		t.Errorf("given %s %v", a.text, claims)
	}
	if a.fields["expires_in"] != float64(300) {
		t.Errorf("the token ends with the assertion: %s", a.text)
	}
	d.claimsOf(d.asProgram("agent", GrantAssertion, "assertion", "agent - - 2"))
}

// Who may change data, and whom nobody has asked for it, reads.
func TestIdentityAssertionWritesWhenAsked(t *testing.T) {
	d := machines(t, func(c *Config) {
		c.Clients = append(c.Clients, ClientConfig{
			ID: "writer", Grants: []string{GrantAssertion}, Secret: porterhouse.NewSecret(deskSecret), Scopes: []string{ScopeRead, ScopeWrite},
		})
	})
	both := ScopeRead + " " + ScopeWrite
	for _, test := range []struct{ assertion, scope, want string }{
		{"writer - - 1", "", ScopeRead},
		{"writer - - 2", "openid", ScopeRead},
		{"writer - - 3", both, both},
		{"writer - clickhouse:read,clickhouse:write 4", "", both},
		{"writer - clickhouse:read,clickhouse:write 5", ScopeRead, ScopeRead},
	} {
		a := d.asProgram("writer", GrantAssertion, "assertion", test.assertion, "scope", test.scope)
		if a.field("scope") != test.want {
			t.Errorf("%q with %q gives %d %s", test.assertion, test.scope, a.status, a.text)
		}
	}
}

// An assertion for one resource gives no token for another.
func TestIdentityAssertionIsForItsResource(t *testing.T) {
	d := machines(t, func(c *Config) {
		c.Resources = append(c.Resources, Resource{URI: c.Issuer + "/second", Name: "Second", Scopes: []string{ScopeRead}})
	})
	assertion := func(id string) string { return "agent " + d.url + "/second - " + id }
	if claims := d.claimsOf(d.asProgram("agent", GrantAssertion, "assertion", assertion("1"))); claims["aud"] != d.url+"/second" {
		t.Errorf("the token is for %v", claims["aud"])
	}
	d.wantOAuthError(d.asProgram("agent", GrantAssertion, "assertion", assertion("2"), "resource", d.url+"/mcp"), "invalid_target")
}

// Assertions that give nothing.
func TestIdentityAssertionRefused(t *testing.T) {
	d := machines(t, nil)
	for name, test := range map[string]struct{ assertion, want string }{
		"nobody's signature":    {"forged", "invalid_grant"},
		"for another client":    {"portal - - 1", "invalid_grant"},
		"for no client":         {"- - - 2", "invalid_grant"},
		"for another resource":  {"agent https://elsewhere.example.com - 3", "invalid_target"},
		"for other scopes":      {"agent - chat.read 4", "invalid_scope"},
		"for more than we give": {"agent - clickhouse:write 5", "invalid_scope"},
		"without an id":         {"agent - - -", "invalid_grant"},
		"for a day":             {"agent - - long", "invalid_grant"},
		"none":                  {"", "invalid_request"},
		"of a megabyte":         {strings.Repeat("x", maxIdentityAssertion+1), "invalid_request"},
		"while nobody can tell": {"outage", "temporarily_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			d.wantOAuthError(d.asProgram("agent", GrantAssertion, "assertion", test.assertion), test.want)
		})
	}
	d.wantOAuthError(d.asProgram("etl", GrantAssertion, "assertion", "etl - - 6"), "unauthorized_client")
}

// An assertion is used once: by whoever comes first of many, at any replica, and
// not again until long after its end.
func TestIdentityAssertionReplay(t *testing.T) {
	d := machines(t, nil)
	var given atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if d.asProgram("agent", GrantAssertion, "assertion", "agent - - once").status == http.StatusOK {
				given.Add(1)
			}
		})
	}
	wg.Wait()
	if given.Load() != 1 {
		t.Errorf("one assertion gave %d tokens", given.Load())
	}
	replay := Assertion{Who: personCalled("alice"), ID: "once", Expires: d.now().Add(time.Minute)}
	for range 10 {
		d.pass(time.Minute)
		if err := useOnce(t.Context(), d.Config, replay); err == nil {
			t.Fatalf("%v after its end, it gives another", d.now().Sub(replay.Expires))
		}
	}
	d.claimsOf(d.asProgram("agent", GrantAssertion, "assertion", "agent - - twice"))
}

// A request that is refused for its own sake does not use the assertion up.
func TestRefusedAssertionIsNotUsed(t *testing.T) {
	d := machines(t, nil)
	d.wantOAuthError(d.asProgram("agent", GrantAssertion, "assertion", "agent - - 1", "client_secret", "wrong"), "invalid_client")
	d.wantOAuthError(d.asProgram("portal", GrantAssertion, "assertion", "agent - - 1"), "invalid_grant")
	d.claimsOf(d.asProgram("agent", GrantAssertion, "assertion", "agent - - 1"))
}

// Where no provider is trusted with assertions, none is looked at.
func TestNoAssertionsAreTrusted(t *testing.T) {
	d := openDesk(t, nil)
	client := Client{ID: "agent", Auth: AuthKey, Scopes: []string{ScopeRead}}
	_, err := assertionGrant(d.Server).run(t.Context(), &tokenRequest{client: client, form: url.Values{"assertion": {"agent - - 1"}}})
	if p := problemOf(err); p.code != "unsupported_grant_type" {
		t.Errorf("an assertion is looked at: %v", err)
	}
}
