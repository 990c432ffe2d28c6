package identity_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// desk is a house that exchanges tokens, and what it has recorded.
type desk struct {
	*house
	providers *identity.Providers
	exchanger *identity.Exchanger
	verifier  *identity.Verifier

	mu      sync.Mutex
	records []error // of what came of each asking
	lost    error   // that the next record fails with
}

var forTarget = identity.Target{Resource: clickHouse, Audience: clickHouse}

// exchanging makes a desk of a house.
func exchanging(t *testing.T, h *house, target identity.Target) *desk {
	t.Helper()
	d := &desk{house: h, providers: h.providers(t)}
	d.verifier = h.verifierOf(t, d.providers, door)
	var err error
	if d.exchanger, err = identity.NewExchanger(d.config(target)); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) config(target identity.Target) identity.ExchangerConfig {
	c := identity.ExchangerConfig{
		Settings: d.settings, Target: target, Providers: d.providers, Record: d.record,
		Client: identity.ClientSettings{ClientID: client, ClientSecret: porterhouse.NewSecret(idp.App.Secret)},
	}
	if strings.HasPrefix(d.settings.Type, "jwt_") { // they have no discovery
		c.Client.TokenEndpoint = d.signer.URL + "/token"
	}
	return c
}

func (d *desk) record(_ context.Context, _ porterhouse.Principal, outcome error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = append(d.records, outcome)
	return d.lost
}

func (d *desk) recorded() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.records
}

// who is whom a token proves at the door.
func (d *desk) who(t *testing.T, token string) porterhouse.Principal {
	t.Helper()
	return mustProve(t, d.verifier, token)
}

// brings is somebody who just brought a token for us.
func (d *desk) brings(t *testing.T, p idp.Person) porterhouse.Principal {
	t.Helper()
	return d.who(t, d.mint(p, d.claims(p)))
}

// given are the claims of a sound token in exchange.
func (d *desk) given(p idp.Person) idp.Claims {
	return d.claims(p).With("aud", clickHouse).With("act", idp.Claims{"sub": client})
}

// answers lets the token endpoint give an answer to whoever asks as RFC 8693 wants it.
func (d *desk) answers(t *testing.T, answer func(asked url.Values) idp.Claims) {
	d.wire.Answer("/token", func(out http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		secret, _ = url.QueryUnescape(secret)
		if err := r.ParseForm(); err != nil || id != client || secret != idp.App.Secret {
			t.Errorf("the token endpoint is asked by %q: %v", id, err)
		}
		out.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(out).Encode(answer(r.PostForm)) // the caller may be gone
	})
}

const (
	grantOfExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	isAccess        = "urn:ietf:params:oauth:token-type:access_token"
	isJWT           = "urn:ietf:params:oauth:token-type:jwt"
	isRefresh       = "urn:ietf:params:oauth:token-type:refresh_token"
)

func sound(token string) idp.Claims {
	return idp.Claims{"access_token": token, "issued_token_type": isAccess, "token_type": "Bearer", "expires_in": 300}
}

// npm's oidc-provider changes a token for us into one for ClickHouse, of the same person,
// for a client that may, and for nothing else.
func TestExchangeAtOIDCProvider(t *testing.T) {
	provider := idp.StartOIDC(t, idp.Options{Exchanges: []idp.Exchange{{Client: client, From: door.Audiences[0], To: clickHouse}}})
	h := realHouse(t, provider)
	d := exchanging(t, h, forTarget)
	who := d.who(t, provider.SignIn(t, idp.App, idp.Alice, door.Audiences[0]).Access)
	if len(who.Audience) != 1 || who.Audience[0] != door.Audiences[0] {
		t.Fatalf("the token is for %q", who.Audience)
	}
	token, err := d.exchanger.Token(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	s := h.settings
	s.ExpectedAudience = []string{clickHouse}
	h.settings = s
	there := mustProve(t, h.verifier(t), token.Reveal())
	if there.Key() != who.Key() || there.User != who.User || token.Equal(who.Token.Reveal()) {
		t.Errorf("the token in exchange is of %+v", there)
	}
	again, err := d.exchanger.Token(t.Context(), who)
	if err != nil || !again.Equal(token.Reveal()) || len(d.recorded()) != 1 {
		t.Errorf("it is asked for again: %v, %d times", err, len(d.recorded()))
	}

	elsewhere := exchanging(t, h, identity.Target{Resource: "https://else.example.com", Audience: "https://else.example.com"})
	_, err = elsewhere.exchanger.Token(t.Context(), who) // invalid_target
	wantRefusal(t, porterhouse.Principal{}, err, porterhouse.Refused, who.Token.Reveal())
	fresh := exchanging(t, h, forTarget)
	provider.SetPeople(t, idp.Bob)
	_, err = fresh.exchanger.Token(t.Context(), who) // invalid_request: the person is gone
	wantRefusal(t, porterhouse.Principal{}, err, porterhouse.Refused, who.Token.Reveal())
	provider.Stop(t)
	bob := who
	bob.Subject, bob.Token = "u-1002", porterhouse.NewSecret("another")
	_, err = fresh.exchanger.Token(t.Context(), bob)
	wantAwayAtLogin(t, err)
	if got := fresh.exchanger.Stats(); got != (identity.ExchangeStats{Refused: 1, Failed: 1}) || len(fresh.recorded()) != 2 {
		t.Errorf("counted %+v, recorded %v", got, fresh.recorded())
	}
}

// An opaque token is exchanged like any other, at the provider that was asked about it.
func TestExchangeOfOpaqueTokens(t *testing.T) {
	provider := idp.StartOIDC(t, idp.Options{Exchanges: []idp.Exchange{{Client: client, From: "x", To: clickHouse}}})
	h := realHouse(t, provider)
	h.settings.AllowIDTokens = false
	h.settings.IntrospectionClientID, h.settings.IntrospectionClientSecret = client, porterhouse.NewSecret(idp.App.Secret)
	d := exchanging(t, h, forTarget)
	who := d.who(t, provider.SignIn(t, idp.App, idp.Alice, "").Access)
	token, err := d.exchanger.Token(t.Context(), who)
	if err != nil || strings.Count(token.Reveal(), ".") != 2 {
		t.Fatalf("%v", err)
	}
}

// The request is that of the provider's kind, and its answer is understood.
func TestExchangeOfEachKind(t *testing.T) {
	standard := map[string]string{"grant_type": grantOfExchange, "subject_token_type": isAccess, "requested_token_type": isAccess}
	with := func(more map[string]string) map[string]string {
		for name, value := range standard {
			more[name] = value
		}
		return more
	}
	for name, test := range map[string]struct {
		kind   string
		target identity.Target
		want   map[string]string
	}{
		"by resource":          {"openid JWT", identity.Target{Resource: clickHouse, Audience: clickHouse}, with(map[string]string{"resource": clickHouse})},
		"by audience":          {"openid JWT", identity.Target{Audience: clickHouse}, with(map[string]string{"audience": clickHouse})},
		"by both, and a scope": {"openid JWT", identity.Target{Resource: "https://r.example.com", Audience: clickHouse, Scope: "query"}, with(map[string]string{"resource": "https://r.example.com", "audience": clickHouse, "scope": "query"})},
		"Keycloak":             {"keycloak", identity.Target{Resource: clickHouse, Audience: clickHouse}, with(map[string]string{"audience": clickHouse})},
		"Auth0":                {"auth0", identity.Target{Audience: clickHouse}, with(map[string]string{"audience": clickHouse})},
	} {
		t.Run(name, func(t *testing.T) {
			d := exchanging(t, kinds[test.kind](t), test.target)
			who := d.brings(t, idp.Alice)
			gives := d.mint(idp.Alice, d.given(idp.Alice))
			d.answers(t, func(asked url.Values) idp.Claims {
				if asked.Get("subject_token") != who.Token.Reveal() {
					t.Error("another token is exchanged")
				}
				asked.Del("subject_token")
				for name := range asked {
					if asked.Get(name) != test.want[name] || len(asked[name]) != 1 {
						t.Errorf("asked with %s=%q, not %q", name, asked[name], test.want[name])
					}
				}
				if len(asked) != len(test.want) {
					t.Errorf("asked with %v, not %v", asked, test.want)
				}
				return sound(gives)
			})
			if token, err := d.exchanger.Token(t.Context(), who); err != nil || !token.Equal(gives) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Entra has no exchange by RFC 8693: a token is asked for on behalf of whoever brought one.
func TestExchangeOnBehalfAtEntra(t *testing.T) {
	const api = "0c7cf7bf-9a07-4a34-a38b-6f7c7f7d8a11"
	d := exchanging(t, entraV1(t), identity.Target{Scope: "api://" + api + "/.default", Audience: api})
	who := d.brings(t, idp.Alice)
	token, err := d.exchanger.Token(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	s := d.settings
	s.ExpectedAudience = []string{api}
	d.settings = s
	if there := mustProve(t, d.house.verifier(t), token.Reveal()); there.Key() != who.Key() {
		t.Errorf("the token is of %q, not of %q", there.Key(), who.Key())
	}
	for code, want := range map[string]porterhouse.Kind{"invalid_grant": porterhouse.Refused, "interaction_required": porterhouse.Refused, "invalid_resource": porterhouse.Refused, "invalid_client": porterhouse.Unavailable} {
		other := exchanging(t, d.house, identity.Target{Scope: "api://" + api + "/.default", Audience: api})
		d.wire.AnswerJSON("/"+idp.Tenant+"/oauth2/v2.0/token", http.StatusBadRequest, idp.Claims{"error": code, "error_description": "AADSTS65001: consent for " + who.Token.Reveal()})
		_, err := other.exchanger.Token(t.Context(), who)
		if wantRefusal(t, porterhouse.Principal{}, err, want, who.Token.Reveal()); !strings.Contains(err.Error(), "AADSTS65001") {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// What no provider could give, or nobody should want, is refused at the start.
func TestExchangeThatCannotBe(t *testing.T) {
	h := openIDHouse(t)
	d := exchanging(t, h, forTarget)
	of := func(kind string) func(*identity.ExchangerConfig) {
		return func(c *identity.ExchangerConfig) { c.Settings = kinds[kind](t).settings }
	}
	for want, change := range map[string]func(*identity.ExchangerConfig){
		"GitHub does not exchange":  of("github"),
		"GitLab does not exchange":  of("gitlab access token"),
		"Google does not exchange":  of("google access token"),
		"Cognito does not exchange": of("cognito"),
		"one audience":              of("okta"),
		"by its scope":              of("entra v2"),
		"token_endpoint":            of("jwt_dynamic_jwks"),
		"whom the token":            func(c *identity.ExchangerConfig) { c.Target.Audience = "" },
		"as they are":               func(c *identity.ExchangerConfig) { c.Target.AllowAnyAudience = true },
		"has to know who":           func(c *identity.ExchangerConfig) { c.Client.ClientSecret = porterhouse.Secret{} },
		"who exchanges":             func(c *identity.ExchangerConfig) { c.Client.ClientID = "" },
		"no Record":                 func(c *identity.ExchangerConfig) { c.Record = nil },
		"not https":                 func(c *identity.ExchangerConfig) { c.Client.TokenEndpoint = "http://idp.example.com/token" },
	} {
		c := d.config(forTarget)
		change(&c)
		if _, err := identity.NewExchanger(c); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.Settings.Name) {
			t.Errorf("%v: not %q", err, want)
		}
	}
	who := d.brings(t, idp.Alice)
	who.Proof = "another"
	if _, err := d.exchanger.Token(t.Context(), who); err == nil || h.wire.Asked("/token") != 0 {
		t.Errorf("a token of another processor: %v", err)
	}
}
