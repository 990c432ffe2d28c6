package identity_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// rule is what every kind of processor must keep, where its tokens have something
// that the rule is about.
type rule struct {
	name     string
	about    string                   // claims that the kind must tell
	settings func(*identity.Settings) // changed; nil: as they are
	person   func(*idp.Person)        // whose the token is; nil: the house's own
	claims   func(*house, idp.Claims) idp.Claims
	header   idp.Claims
	want     porterhouse.Kind // of the refusal; "": accepted
	check    func(*testing.T, porterhouse.Principal)
}

// set changes one claim; "nil" leaves it out.
func set(name string, value any) func(*house, idp.Claims) idp.Claims {
	return func(_ *house, c idp.Claims) idp.Claims { return c.With(name, value) }
}

// moment changes a claim to a time from now.
func moment(name string, from time.Duration) func(*house, idp.Claims) idp.Claims {
	return func(h *house, c idp.Claims) idp.Claims { return c.With(name, h.clock.Now().Add(from).Unix()) }
}

func wantGroups(groups ...string) func(*testing.T, porterhouse.Principal) {
	return func(t *testing.T, who porterhouse.Principal) {
		t.Helper()
		if !slices.Equal(who.Groups, groups) {
			t.Errorf("groups %q, want %q", who.Groups, groups)
		}
	}
}

const (
	no401 = porterhouse.Unauthenticated
	no403 = porterhouse.Refused
)

var rules = []rule{
	{name: "a sound token"},

	{name: "expired", about: "exp", claims: moment("exp", -2*time.Minute), want: no401},
	{name: "expired within the leeway", about: "exp", claims: moment("exp", -30*time.Second)},
	{name: "expired, without leeway", about: "exp", settings: func(s *identity.Settings) { s.VerifierLeeway = -1 }, claims: moment("exp", -time.Second), want: no401},
	{name: "without an end", about: "exp", claims: set("exp", nil), want: no401},
	{name: "without an end, allowed", about: "exp", settings: func(s *identity.Settings) { s.AllowNoExpiration = true }, claims: set("exp", nil)},
	{name: "not yet valid", about: "nbf", claims: moment("nbf", 2*time.Minute), want: no401},
	{name: "not yet valid within the leeway", about: "nbf", claims: moment("nbf", 30*time.Second)},
	{name: "issued in the future", about: "iat", claims: moment("iat", 2*time.Minute), want: no401},
	{name: "issued in the future within the leeway", about: "iat", claims: moment("iat", 30*time.Second)},

	{name: "another issuer", about: "iss", claims: set("iss", "https://evil.example.com"), want: no401},
	{name: "no issuer", about: "iss exp", claims: set("iss", nil), want: no401},
	{name: "an issuer with a slash too much or too few", about: "iss", claims: func(_ *house, c idp.Claims) idp.Claims {
		if bare, ok := strings.CutSuffix(c["iss"].(string), "/"); ok {
			return c.With("iss", bare)
		}
		return c.With("iss", c["iss"].(string)+"/")
	}, want: no401},
	{name: "an issuer in upper case", about: "iss", claims: func(_ *house, c idp.Claims) idp.Claims {
		return c.With("iss", strings.ToUpper(c["iss"].(string)))
	}, want: no401},

	{name: "for somebody else", about: "aud", claims: set("aud", "https://other.example.com/mcp"), want: no401},
	{name: "for several, us among them", about: "aud", claims: func(_ *house, c idp.Claims) idp.Claims {
		return c.With("aud", []any{"https://other.example.com/mcp", first(c["aud"])})
	}},
	{name: "for several, without us", about: "aud", claims: set("aud", []string{"https://a.example.com", "https://b.example.com"}), want: no401},
	{name: "for nobody", about: "aud", claims: set("aud", nil), want: no401},
	{name: "for nobody, as a list", about: "aud", claims: set("aud", []string{}), want: no401},
	{name: "for somebody whose name begins as ours", about: "aud", claims: func(_ *house, c idp.Claims) idp.Claims { return c.With("aud", first(c["aud"])+"/x") }, want: no401},
	{name: "for somebody else, allowed", about: "aud", settings: func(s *identity.Settings) { s.AllowAnyAudience = true }, claims: set("aud", "https://other.example.com/mcp")},
	{name: "by way of another client", about: "aud typ", settings: func(s *identity.Settings) { s.ClientIDs = []string{"another client"} }, want: no401},

	{name: "a typ of something else", about: "typ", header: idp.Claims{"typ": "logout+jwt"}, want: no401},
	{name: "no typ", about: "typ", header: idp.Claims{"typ": nil}},
	{name: "not the expected typ", about: "typ", settings: func(s *identity.Settings) { s.ExpectedTyp = "at+jwt" }, want: no401},
	{name: "the expected typ", about: "typ", settings: func(s *identity.Settings) { s.ExpectedTyp = "at+jwt" }, header: idp.Claims{"typ": "at+jwt"}},

	{name: "a subject that is missing", about: "sub typ", claims: set("sub", nil), want: no401},
	{name: "a subject that is empty", about: "sub", claims: set("sub", ""), want: no401},
	{name: "a subject that is a number", about: "sub", claims: set("sub", 17), want: no401},

	{name: "a claim that is required", settings: func(s *identity.Settings) { s.Claims = `{"department":{"name":"sales"}}` }, want: no403},
	{name: "a claim that is required and there", about: "typ", settings: func(s *identity.Settings) { s.Claims = `{"department":{"name":"sales"}}` },
		claims: set("department", map[string]any{"name": "sales", "floor": 3})},
	{name: "a scope that is required", settings: func(s *identity.Settings) { s.RequiredScopes = []string{"clickhouse.admin"} }, want: no403},
	{name: "a scope that is required and there", about: "scope typ", settings: func(s *identity.Settings) { s.RequiredScopes = []string{"groups"} }, claims: set("scope", "openid groups")},
	{name: "a scope that only begins so", about: "scope typ", settings: func(s *identity.Settings) { s.RequiredScopes = []string{"group"} }, claims: set("scope", "openid groups"), want: no403},

	{name: "another domain", about: "email", settings: func(s *identity.Settings) { s.AllowedDomains = []string{"corp.example"} }, want: no403},
	{name: "a domain that is allowed", about: "email", settings: func(s *identity.Settings) { s.AllowedDomains = []string{"Example.com"} }},
	{name: "a domain that ends so", about: "email", settings: func(s *identity.Settings) { s.AllowedDomains = []string{"ample.com"} }, want: no403},
	{name: "an e-mail address that nobody verified", about: "email", settings: func(s *identity.Settings) { s.EmailVerified = true },
		person: func(p *idp.Person) { p.Unverified = true }, want: no403},
	{name: "a domain of an address that nobody verified", about: "email", settings: func(s *identity.Settings) { s.AllowedDomains = []string{"outside.example"} },
		person: func(p *idp.Person) { p.Unverified, p.Email = true, "alice@outside.example" }, want: no403},
	{name: "an e-mail address that is verified", about: "email", settings: func(s *identity.Settings) { s.EmailVerified = true }},
	{name: "email_verified as a text", about: "email typ", settings: func(s *identity.Settings) { s.EmailVerified = true }, claims: set("email_verified", "true"), want: no403},
	{name: "email_verified as a number", about: "email typ", settings: func(s *identity.Settings) { s.EmailVerified = true }, claims: set("email_verified", 1), want: no403},

	{name: "a group that is required", settings: func(s *identity.Settings) { s.AllowedGroups = []string{"directors"} }, want: no403},
	{name: "one group, as a text", about: "groups typ", claims: set("groups", "analysts"), check: wantGroups("analysts")},
	{name: "many groups, up to the limit", about: "groups typ", settings: func(s *identity.Settings) { s.GroupLimit = 2 }, claims: set("groups", []string{"a", "b", "c", "d"}), check: wantGroups("a", "b")},
	{name: "no groups", about: "groups typ", claims: set("groups", []string{}), check: wantGroups()},
	{name: "groups that are numbers", about: "groups typ", claims: set("groups", []int{1, 2}), want: no401},
	{name: "a display name that is SQL", about: "typ", claims: set("name", "'; DROP USER alice; --")},
}

// first is the first audience.
func first(aud any) string {
	switch aud := aud.(type) {
	case []string:
		return aud[0]
	case string:
		return aud
	}
	return ""
}

// Every rule holds for every kind of processor.
func TestConformance(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(name, func(t *testing.T) {
			h := kinds[name](t)
			for _, r := range rules {
				if h.tell(r.about) {
					t.Run(r.name, func(t *testing.T) { h.keeps(t, r) })
				}
			}
		})
	}
}

func (h *house) keeps(t *testing.T, r rule) {
	person := h.person
	if r.person != nil {
		r.person(&person)
	}
	claims := h.claims(person)
	if r.claims != nil {
		claims = r.claims(h, claims)
	}
	token := h.mint(person, claims, r.header)
	who, err := h.verifier(t, r.settings).Verify(t.Context(), token)
	if r.want != "" {
		wantRefusal(t, who, err, r.want, token)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.check != nil {
		r.check(t, who)
	}
	if who.Issuer != h.issuer || who.Subject == "" || who.User == "" || who.Proof != "the-processor" || who.Token.Reveal() != token {
		t.Errorf("the principal is %+v", who)
	}
	if end := who.Expires; !end.IsZero() && !end.After(h.clock.Now()) {
		t.Errorf("the proof ended at %s", end)
	}
}

// wantRefusal wants nobody proved, an error of that kind, and not a bit of the
// token in it.
func wantRefusal(t testing.TB, who porterhouse.Principal, err error, want porterhouse.Kind, token string) {
	t.Helper()
	if err == nil || who.Issuer+who.Subject+who.User+who.Token.Reveal() != "" || who.Groups != nil {
		t.Fatalf("the token proved %+v, %v", who, err)
	}
	var typed *porterhouse.Error
	if kind, public := porterhouse.Explain(err); kind != want || public == "" || !errors.As(err, &typed) {
		t.Errorf("refused as %s, want %s: %v", kind, want, err)
	}
	wantNoToken(t, err.Error(), token)
}

// wantNoToken wants no secret part of the token in the text: none of an opaque one,
// and of a JWT neither payload nor signature.
func wantNoToken(t testing.TB, text, token string) {
	t.Helper()
	for part := range strings.SplitSeq(token, ".") {
		if len(part) >= 20 && strings.Contains(text, part[:20]) {
			t.Errorf("a part of the token is in the error: %s", text)
		}
	}
}

// What a sound token says of the person arrives, of every kind.
func TestPrincipals(t *testing.T) {
	for name, want := range map[string]porterhouse.Principal{
		"jwt_static_key HS256": {Subject: "u-1001", User: "u-1001", Client: client, Groups: idp.Alice.Groups},
		"jwt_static_key RS256": {Subject: "u-1001", User: "u-1001", Client: client, Groups: idp.Alice.Groups},
		"jwt_static_jwks":      {Subject: "u-1001", User: "u-1001", Client: client, Groups: idp.Alice.Groups},
		"jwt_dynamic_jwks":     {Subject: "u-1001", User: "u-1001", Client: client, Groups: idp.Alice.Groups},
		"openid JWT":           {Subject: "u-1001", User: "u-1001", Client: client, Groups: idp.Alice.Groups},
		"openid introspection": {Subject: "u-1001", User: "u-1001", Client: client, Groups: idp.Alice.Groups},
		"keycloak":             {Subject: "u-1001", User: "alice", Client: client, Groups: idp.Alice.Groups},
		"okta":                 {Subject: "u-1001", User: "alice@example.com", Client: client, Groups: idp.Alice.Groups},
		"auth0":                {Subject: "auth0|u-1001", User: "auth0|u-1001", Client: client, Groups: idp.Alice.Groups},
		"cognito":              {Subject: "u-1001", User: "alice", Client: client, Groups: idp.Alice.Groups},
		"entra v2":             {Subject: "u-1001@" + idp.Tenant, User: "alice@example.com", Client: client, Groups: idp.Alice.Groups},
		"azure v1":             {Subject: "u-1001@" + idp.Tenant, User: "alice@example.com", Client: client, Groups: idp.Alice.Groups},
		"google access token":  {Subject: "u-1001", User: "alice@example.com", Client: client, Groups: idp.Alice.Groups},
		"google ID token":      {Subject: "u-1001", User: "alice@example.com", Client: client},
		"github":               {Subject: "583231", User: "octo", Client: client, Groups: idp.Octo.Groups},
		"gitlab access token":  {Subject: "4711", User: "octo", Client: client, Groups: octo.Groups},
		"gitlab ID token":      {Subject: "4711", User: "octo", Client: client, Groups: octo.Groups},
	} {
		t.Run(name, func(t *testing.T) {
			h := kinds[name](t)
			token := h.good()
			who, err := h.verifier(t).Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if who.Issuer != h.issuer || who.Subject != want.Subject || who.User != want.User || who.Client != want.Client {
				t.Errorf("the principal is %+v, want %+v", who, want)
			}
			wantGroups(want.Groups...)(t, who)
			if who.TokenID == "" || who.Issued.IsZero() || strings.Contains(token, who.TokenID) {
				t.Errorf("token id %q, issued %s", who.TokenID, who.Issued)
			}
		})
	}
}
