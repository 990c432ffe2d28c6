package identity_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// assertions are trusted of the provider of h.
func (h *house) assertions(t *testing.T, changes ...func(*identity.Settings)) *identity.Assertions {
	t.Helper()
	s := h.settings
	for _, change := range changes {
		change(&s)
	}
	a, err := identity.NewAssertions([]identity.Settings{s}, ourIssuer, h.providers(t))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const assertedClient = "https://claude.ai/client"

// A person whom the provider asserts is the same who signs in there.
func TestAssertion(t *testing.T) {
	h := openIDHouse(t)
	signedIn, _ := h.mustSignIn(t, h.party(t))
	claims := h.signer.IDJAG(h.person, ourIssuer, assertedClient).With("resource", "https://door.example.com/mcp").With("scope", "clickhouse:read offline_access")
	told, err := h.assertions(t, func(s *identity.Settings) {
		s.RequiredScopes, s.ClientIDs, s.ExpectedTyp = []string{"of access tokens"}, []string{"of theirs"}, "JWT"
	}).Verify(t.Context(), h.signer.Sign(claims, idp.IDJAGType))
	if err != nil {
		t.Fatal(err)
	}
	if told.Who.Key() != signedIn.Key() || told.Who.User != signedIn.User || !slices.Equal(told.Who.Groups, signedIn.Groups) || told.Who.Proof != signedIn.Proof {
		t.Errorf("asserted is %+v, signed in was %+v", told.Who, signedIn)
	}
	if told.ID != claims["jti"] || told.Client != assertedClient || told.Resource != "https://door.example.com/mcp" || !slices.Equal(told.Scopes, []string{"clickhouse:read", "offline_access"}) {
		t.Errorf("it says %+v", told)
	}
	if end := told.Who.Expires; end.Before(h.clock.Now().Add(5*time.Minute-time.Second)) || end.After(h.clock.Now().Add(10*time.Minute)) {
		t.Errorf("it ends at %s", end)
	}
}

// Whatever is not exactly an assertion for us, by a provider that is trusted with
// them, proves nobody.
func TestAssertionAttacks(t *testing.T) {
	h := openIDHouse(t)
	stranger := idp.NewKey(t, "RS256")
	good := h.signer.IDJAG(h.person, ourIssuer, assertedClient)
	tokens := map[string]string{
		"an access token":              h.good(),
		"an ID token":                  h.signer.Sign(good),
		"at+jwt":                       h.signer.Sign(good, idp.Claims{"typ": "at+jwt"}),
		"another spelling of the type": h.signer.Sign(good, idp.Claims{"typ": "OAuth-ID-JAG+JWT"}),
		"a key of somebody else":       (&idp.Key{ID: h.signer.Key().ID, Algorithm: "RS256", Private: stranger.Private}).Sign(good, idp.IDJAGType),
		"HS256 with the public key":    byPublicKey(h, good, idp.IDJAGType),
		"alg none":                     h.signer.Sign(good, idp.IDJAGType, idp.Claims{"alg": "none"}),
		"no JWT":                       "opaque",
		"too long":                     strings.Repeat("x", 17<<10),
	}
	now := h.clock.Now()
	for name, change := range map[string]idp.Claims{
		"for another server": {"aud": "https://other.example.com"}, "for two servers": {"aud": []string{ourIssuer, "https://other.example.com"}}, "for the door": {"aud": door.Audiences[0]},
		"for us with a slash": {"aud": ourIssuer + "/"}, "for nobody": {"aud": nil}, "of another issuer": {"iss": "https://evil.example.com"}, "of no issuer": {"iss": nil},
		"without id": {"jti": nil}, "with an id that cannot be kept": {"jti": strings.Repeat("x", 200)}, "without client": {"client_id": nil}, "client that is a list": {"client_id": []string{"a"}},
		"expired": {"exp": now.Add(-2 * time.Minute).Unix()}, "without end": {"exp": nil}, "without beginning": {"iat": nil}, "of the future": {"iat": now.Add(5 * time.Minute).Unix(), "exp": now.Add(10 * time.Minute).Unix()},
		"for a year": {"exp": now.Add(365 * day).Unix()}, "about nobody": {"sub": nil}, "bound to a key": {"cnf": idp.Claims{"jkt": "x"}}, "an event": {"events": idp.Claims{}}, "of a demo": {"porterhouse_demo": true},
		"for two resources": {"resource": []string{"https://a.example.com", "https://b.example.com"}}, "resource that is a number": {"resource": 1},
	} {
		claims := good
		for claim, value := range change {
			claims = claims.With(claim, value)
		}
		tokens[name] = h.signer.Sign(claims, idp.IDJAGType)
	}
	a := h.assertions(t, func(s *identity.Settings) { s.AllowNoExpiration, s.AllowAnyAudience = true, true })
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		t.Run(name, func(t *testing.T) {
			told, err := a.Verify(t.Context(), tokens[name])
			wantRefusal(t, told.Who, err, no401, tokens[name])
		})
	}
}

// The processor's rules hold for people who are asserted.
func TestRulesHoldForAssertions(t *testing.T) {
	h := openIDHouse(t)
	token := h.signer.Sign(h.signer.IDJAG(h.person, ourIssuer, assertedClient), idp.IDJAGType)
	for name, change := range map[string]func(*identity.Settings){
		"domain": func(s *identity.Settings) { s.AllowedDomains = []string{"corp.example"} },
		"group":  func(s *identity.Settings) { s.AllowedGroups = []string{"directors"} },
		"claims": func(s *identity.Settings) { s.Claims = `{"department":"sales"}` },
	} {
		told, err := h.assertions(t, change).Verify(t.Context(), token)
		t.Run(name, func(t *testing.T) { wantRefusal(t, told.Who, err, no403, token) })
	}
	h.wire.Down()
	_, err := h.assertions(t).Verify(t.Context(), token)
	wantAwayAtLogin(t, err)
}

// Who cannot vouch is told at the start.
func TestAssertionsAreChecked(t *testing.T) {
	for name, test := range map[string]struct {
		kind   string
		issuer string
		change func(*identity.Settings)
	}{
		"no issuer of ours":   {"openid JWT", "", nil},
		"no issuer of theirs": {"jwt_dynamic_jwks", ourIssuer, func(s *identity.Settings) { s.ExpectedIssuer = "" }},
		"a shared secret":     {"jwt_static_key HS256", ourIssuer, nil},
		"GitHub":              {"github", ourIssuer, nil},
		"Google":              {"google ID token", ourIssuer, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := kinds[test.kind](t)
			if test.change != nil {
				test.change(&h.settings)
			}
			if _, err := identity.NewAssertions([]identity.Settings{h.settings}, test.issuer, h.providers(t)); err == nil {
				t.Error("it is accepted")
			}
		})
	}
	var none porterhouse.Principal
	told, err := (&identity.Assertions{}).Verify(t.Context(), "x.y.z")
	if err == nil || told.Who.Key() != none.Key() {
		t.Error("trusted by nobody, and still believed")
	}
}
