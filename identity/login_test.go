package identity_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// Who signs in is the same person, with the same groups and name, as who brings an
// access token of the same provider; and nothing of the token is in the Principal.
func TestSigningInIsTheSamePerson(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(logins)) {
		t.Run(kind, func(t *testing.T) {
			h := loginHouse(t, kind)
			brought, err := h.verifier(t).Verify(t.Context(), h.good())
			if err != nil {
				t.Fatal(err)
			}
			party := h.party(t, func(s *identity.Settings, c *identity.ClientSettings) {
				if s.Type == "google" { // a scope that not everybody has
					c.Scopes = []string{"profile", "email", idp.GoogleGroupsScope}
				}
			})
			who, kept := h.mustSignIn(t, party)
			if who.Key() != brought.Key() || who.User != brought.User || who.Proof != brought.Proof {
				t.Errorf("who signs in is %+v, who brings a token %+v", who, brought)
			}
			wantGroups(brought.Groups...)(t, who)
			if !who.Expires.IsZero() || !who.Token.IsZero() || who.TokenID != "" || who.Client != "" || who.Issued.IsZero() {
				t.Errorf("the principal is %+v", who)
			}
			if !party.CanRecheck(kept) {
				return
			}
			again, _, err := party.Recheck(t.Context(), who, kept)
			if err != nil || again.Key() != who.Key() || !slices.Equal(again.Groups, who.Groups) {
				t.Errorf("asked again, the provider tells of %+v, %v", again, err)
			}
		})
	}
}

// What each kind is asked for: the browser's way there.
func TestAuthorizationURL(t *testing.T) {
	for kind, want := range map[string]struct{ at, scope, prompt, accessType string }{
		"openid JWT":          {"/authorize", "openid profile email groups offline_access", "consent", ""},
		"keycloak":            {"/authorize", "openid profile email groups offline_access", "", ""},
		"okta":                {"/authorize", "openid profile email groups offline_access", "", ""},
		"auth0":               {"/authorize", "openid profile email offline_access", "", ""},
		"cognito":             {"/authorize", "openid profile email", "", ""},
		"entra v2":            {"https://login.microsoftonline.com/" + idp.Tenant + "/oauth2/v2.0/authorize", "openid profile email offline_access User.Read", "select_account", ""},
		"google access token": {"https://accounts.google.com/o/oauth2/v2/auth", "openid profile email", "select_account consent", "offline"},
		"github":              {"https://github.com/login/oauth/authorize", "read:user user:email read:org", "select_account", ""},
		"gitlab access token": {"/oauth/authorize", "openid profile email", "", ""},
		"jwt_dynamic_jwks":    {"/authorize", "openid profile email", "", ""},
	} {
		t.Run(kind, func(t *testing.T) {
			h := loginHouse(t, kind)
			party, trip := h.party(t), newTrip()
			text, err := party.AuthorizationURL(t.Context(), trip)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, want.at+"?") {
				t.Errorf("it leads to %s", text)
			}
			to, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			query := to.Query()
			for name, value := range map[string]string{
				"scope": want.scope, "prompt": want.prompt, "access_type": want.accessType, "response_type": "code", "client_id": client,
				"redirect_uri": trip.RedirectURI, "state": trip.State, "nonce": trip.Nonce, "code_challenge_method": "S256",
			} {
				if query.Get(name) != value {
					t.Errorf("%s is %q, want %q", name, query.Get(name), value)
				}
			}
			if strings.Contains(text, trip.Verifier) || len(query.Get("code_challenge")) != 43 {
				t.Errorf("the challenge is %q in %s", query.Get("code_challenge"), text)
			}
			if party.Host() != to.Host {
				t.Errorf("people are told %q", party.Host())
			}
		})
	}
}

// The rules of the processor hold for who signs in.
func TestRulesHoldForWhoSignsIn(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*identity.Settings)
		want   porterhouse.Kind // "": they come in
	}{
		{"a domain that is allowed", func(s *identity.Settings) { s.AllowedDomains = []string{"example.com"} }, ""},
		{"another domain", func(s *identity.Settings) { s.AllowedDomains = []string{"corp.example"} }, no403},
		{"a group that is needed and there", func(s *identity.Settings) { s.AllowedGroups = []string{"staff"} }, ""},
		{"a group that is needed", func(s *identity.Settings) { s.AllowedGroups = []string{"directors"} }, no403},
		{"a claim that is needed", func(s *identity.Settings) { s.Claims = `{"department":"sales"}` }, no403},
		{"a scope that is needed is asked for", func(s *identity.Settings) { s.RequiredScopes = []string{"clickhouse"} }, ""},
		{"a typ that access tokens must have", func(s *identity.Settings) { s.ExpectedTyp = "at+jwt" }, ""},
		{"clients whose access tokens are let in", func(s *identity.Settings) { s.ClientIDs = []string{"claude"} }, ""},
		{"a name that the ID token has not", func(s *identity.Settings) { s.UsernameClaim = "login" }, no401},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := openIDHouse(t)
			who, _, err := h.signIn(t, h.party(t, func(s *identity.Settings, _ *identity.ClientSettings) { test.change(s) }))
			if test.want != "" {
				wantRefusal(t, who, err, test.want, "")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A scope that the rules need and the provider does not grant keeps people out.
func TestScopesThatAreNotGranted(t *testing.T) {
	h := openIDHouse(t)
	h.signer.TamperAnswer(func(answer idp.Claims) idp.Claims { return answer.With("scope", "openid") })
	who, _, err := h.signIn(t, h.party(t, func(s *identity.Settings, _ *identity.ClientSettings) { s.RequiredScopes = []string{"clickhouse"} }))
	wantRefusal(t, who, err, no403, "")
}

// What an ID token does not tell, userinfo does, of the same subject.
func TestGroupsOfUserinfo(t *testing.T) {
	h := openIDHouse(t)
	h.signer.IDTokens = func(p idp.Person, c string) idp.Claims {
		return h.signer.IDToken(p, c).With("groups", nil).With("email", nil)
	}
	who, _ := h.mustSignIn(t, h.party(t))
	wantGroups(idp.Alice.Groups...)(t, who)
}

// The access token that comes with an ID token tells groups, if it is the provider's,
// for the same person and by way of us; else it is passed over.
func TestGroupsOfAccessTokens(t *testing.T) {
	stranger := idp.NewKey(t, "RS256")
	for name, test := range map[string]struct {
		sign   *idp.Key // nil: the provider's
		change idp.Claims
		want   []string
	}{
		"as it should be":         {nil, nil, idp.Alice.Groups},
		"for any audience":        {nil, idp.Claims{"aud": "https://an.api.example.com"}, idp.Alice.Groups},
		"of another client":       {nil, idp.Claims{"azp": "another"}, nil},
		"of no client":            {nil, idp.Claims{"azp": nil}, nil},
		"of another person":       {nil, idp.Claims{"sub": idp.Bob.Subject}, nil},
		"of another issuer":       {nil, idp.Claims{"iss": "https://evil.example.com"}, nil},
		"of the past":             {nil, idp.Claims{"exp": 1}, nil},
		"no access token":         {nil, idp.Claims{"typ": "ID"}, nil},
		"by a key of nobody here": {stranger, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := loginHouse(t, "keycloak")
			i := h.signer
			i.AccessTokens = func(p idp.Person, c, _ string) string {
				claims := i.Keycloak(p, "account", c)
				for claim, value := range test.change {
					claims = claims.With(claim, value)
				}
				if test.sign != nil {
					return test.sign.Sign(claims, idp.Claims{"kid": i.Key().ID})
				}
				return i.Sign(claims)
			}
			who, _ := h.mustSignIn(t, h.party(t))
			if !slices.Equal(who.Groups, test.want) {
				t.Errorf("groups %q, want %q", who.Groups, test.want)
			}
		})
	}
}

// People in too many groups for a token are asked for at Graph, by the token of the
// sign-in itself, or on its behalf where it is for another API.
func TestEntraOverageAtSignIn(t *testing.T) {
	for _, scopes := range [][]string{nil, {"profile", "offline_access", "api://" + idp.API + "/Query.Run"}} {
		t.Run(strings.Join(scopes, " "), func(t *testing.T) {
			h := loginHouse(t, "entra v2")
			e := h.signer
			plain := e.IDTokens
			e.IDTokens = func(p idp.Person, c string) idp.Claims { return idp.Overage(plain(p, c)) }
			if scopes != nil {
				e.AccessTokens = func(p idp.Person, c, _ string) string { return h.mint(p, h.claims(p)) }
			}
			who, _ := h.mustSignIn(t, h.party(t, func(_ *identity.Settings, c *identity.ClientSettings) { c.Scopes = scopes }))
			wantGroups(idp.Alice.Groups...)(t, who)
		})
	}
}

// Without secret we are a public client; a provider that wants the secret in the form gets it there.
func TestWaysToSayWhoWeAre(t *testing.T) {
	h := openIDHouse(t)
	h.signer.Options.Clients = []idp.Client{{ID: client, Redirect: idp.App.Redirect}}
	h.mustSignIn(t, h.party(t, func(_ *identity.Settings, c *identity.ClientSettings) { c.ClientSecret = porterhouse.Secret{} }))

	h = openIDHouse(t)
	discovery := h.signer.Discovery().With("token_endpoint_auth_methods_supported", []string{"client_secret_post"})
	h.signer.AnswerJSON("/.well-known/openid-configuration", 200, discovery)
	h.mustSignIn(t, h.party(t))
	if n := h.signer.Asked("/token"); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
}

// What cannot work is told at the start.
func TestRelyingPartyIsChecked(t *testing.T) {
	for name, test := range map[string]struct {
		kind   string
		change func(*identity.Settings, *identity.ClientSettings)
		want   string
	}{
		"no client":         {"openid JWT", func(_ *identity.Settings, c *identity.ClientSettings) { c.ClientID = "" }, "client_id"},
		"no endpoints":      {"jwt_dynamic_jwks", func(_ *identity.Settings, c *identity.ClientSettings) { c.TokenEndpoint = "" }, "token_endpoint"},
		"no issuer":         {"jwt_dynamic_jwks", func(s *identity.Settings, _ *identity.ClientSettings) { s.ExpectedIssuer = "" }, "expected_issuer"},
		"GitHub's secret":   {"github", func(_ *identity.Settings, c *identity.ClientSettings) { c.ClientSecret = porterhouse.Secret{} }, "client_secret"},
		"names of programs": {"keycloak", func(s *identity.Settings, _ *identity.ClientSettings) { s.UsernameClaim = "azp" }, "for programs"},
		"our own network": {"openid JWT", func(_ *identity.Settings, c *identity.ClientSettings) {
			c.TokenEndpoint = "https://169.254.169.254/token"
		}, "special-use"},
		"without TLS": {"openid JWT", func(_ *identity.Settings, c *identity.ClientSettings) {
			c.AuthorizationEndpoint = "http://idp.example.com/"
		}, "not https"},
	} {
		t.Run(name, func(t *testing.T) {
			h := loginHouse(t, test.kind)
			s, c := h.settings, identity.ClientSettings{ClientID: client, ClientSecret: porterhouse.NewSecret("x"), AuthorizationEndpoint: "https://idp.example.com/a", TokenEndpoint: "https://idp.example.com/t"}
			test.change(&s, &c)
			if _, err := identity.NewRelyingParty(s, c, h.providers(t)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
