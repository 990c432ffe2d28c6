package identity

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

// openidAt is a processor with that provider, and its clock.
func openidAt(t *testing.T, i *idp.Issuer, change func(*Settings)) (*Verifier, *clock) {
	t.Helper()
	c := newClock()
	c.now = time.Now()
	i.Now = c.Now
	s := Settings{Name: "corp", Type: "openid", ConfigurationEndpoint: i.URL + wellKnown}
	if change != nil {
		change(&s)
	}
	o := outbound(t, nil, OutboundConfig{})
	p, err := NewProviders(ProvidersConfig{Outbound: o, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	processors, err := NewProcessors([]Settings{s}, testResource, p)
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(Config{Processors: processors})
	if err != nil {
		t.Fatal(err)
	}
	return v, c
}

func TestDiscovery(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	v, _ := openidAt(t, i, nil)
	for range 3 {
		who, err := v.Verify(t.Context(), i.Sign(i.Claims(idp.Alice, testAudience)))
		if err != nil || who.Issuer != i.URL || who.Subject != idp.Alice.Subject {
			t.Fatalf("proved %+v, %v", who, err)
		}
	}
	if d, k := i.Asked(wellKnown), i.Asked("/jwks"); d != 1 || k != 1 {
		t.Errorf("the document was fetched %d times, the keys %d times", d, k)
	}
}

// A provider's document decides about everything, so it must be that provider's.
func TestDiscoveryIsRefused(t *testing.T) {
	for _, test := range []struct {
		name     string
		document func(i *idp.Issuer) any
		expected string // expected_issuer
		wants    string // a part of the reason; "": it works
	}{
		{"as it should be", func(i *idp.Issuer) any { return i.Discovery() }, "", ""},
		{"of another issuer", func(i *idp.Issuer) any { return i.Discovery().With("issuer", "https://evil.example.com") }, "", "stands elsewhere"},
		{"of another issuer than expected", func(i *idp.Issuer) any { return i.Discovery() }, "https://idp.example.com", "not of the expected"},
		{"without issuer", func(i *idp.Issuer) any { return i.Discovery().With("issuer", nil) }, "", "no issuer"},
		{"with a list of issuers", func(i *idp.Issuer) any { return i.Discovery().With("issuer", []string{i.URL}) }, "", "issuer is an array"},
		{"without keys", func(i *idp.Issuer) any { return i.Discovery().With("jwks_uri", nil) }, "", "no keys"},
		{"keys at an address of our own network", func(i *idp.Issuer) any { return i.Discovery().With("jwks_uri", "https://169.254.169.254/keys") }, "", "special"},
		{"keys without TLS", func(i *idp.Issuer) any { return i.Discovery().With("jwks_uri", "http://idp.example.com/keys") }, "", "not https"},
		{"keys in a file", func(i *idp.Issuer) any { return i.Discovery().With("jwks_uri", "file:///etc/passwd") }, "", "must be https"},
		{"a list", func(*idp.Issuer) any { return []string{"x"} }, "", "not a JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := idp.StartIssuer(t, idp.Options{})
			i.AnswerJSON(wellKnown, http.StatusOK, test.document(i))
			v, _ := openidAt(t, i, func(s *Settings) { s.ExpectedIssuer = test.expected })
			if test.expected != "" {
				i.Name = test.expected
			}
			_, err := v.Verify(t.Context(), i.Sign(i.Claims(idp.Alice, testAudience)))
			if test.wants == "" && err != nil || test.wants != "" && (err == nil || !strings.Contains(err.Error(), test.wants)) {
				t.Errorf("%v, want %q", err, test.wants)
			}
		})
	}
}

// Where the document names no keys, the provider is asked about JWTs as it is about
// opaque tokens: once, however many come at once.
func TestWithoutKeysJWTsAreAskedAboutOnce(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	i.AnswerJSON(wellKnown, http.StatusOK, i.Discovery().With("jwks_uri", nil))
	v, _ := openidAt(t, i, func(s *Settings) {
		s.IntrospectionClientID, s.IntrospectionClientSecret = idp.App.ID, porterhouse.NewSecret(idp.App.Secret)
	})
	sound := i.Claims(idp.Alice, testAudience)
	i.AnswerJSON("/introspect", http.StatusOK, sound.With("active", true).With("token_type", "Bearer"))
	token := i.Sign(sound)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := i.Asked("/introspect"); n != 1 {
		t.Errorf("introspection was asked %d times for 50 who came at once", n)
	}
}

// The issuer is exactly the one of the document: a slash more is another.
func TestIssuerWithASlash(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	v, _ := openidAt(t, i, nil)
	_, err := v.Verify(t.Context(), i.Sign(i.Claims(idp.Alice, testAudience).With("iss", i.URL+"/")))
	wantReason(t, err, "its issuer")
	i.Name = i.URL + "/" // as Auth0 has it
	v, _ = openidAt(t, i, nil)
	if _, err := v.Verify(t.Context(), i.Sign(i.Claims(idp.Alice, testAudience))); err != nil {
		t.Error(err)
	}
}

// A key that is new is fetched at once; one that was taken back is no key any more
// when the old set has ended.
func TestRotation(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	v, c := openidAt(t, i, nil)
	old := i.Sign(i.Claims(idp.Alice, testAudience).With("exp", nil).With("exp", c.Now().Add(48*time.Hour).Unix()))
	if _, err := v.Verify(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	i.Rotate(t, "ES256")
	c.pass(interval)
	if _, err := v.Verify(t.Context(), i.Sign(i.Claims(idp.Alice, testAudience))); err != nil {
		t.Errorf("the new key: %v", err)
	}
	c.pass(defaultVerdictLife)
	_, err := v.Verify(t.Context(), old)
	wantReason(t, err, "no key")
}

// An unknown key id costs the provider one request in an interval, not one each.
func TestUnknownKeysAreNotAFlood(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	v, c := openidAt(t, i, nil)
	for n := range 500 {
		_, err := v.Verify(t.Context(), i.Sign(i.Claims(idp.Alice, testAudience), idp.Claims{"kid": strings.Repeat("x", n+1)}))
		wantReason(t, err, "no key")
	}
	if n := i.Asked("/jwks"); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
	c.pass(interval)
	_, err := v.Verify(t.Context(), i.Sign(i.Claims(idp.Alice, testAudience), idp.Claims{"kid": "y"}))
	wantReason(t, err, "no key")
	if n := i.Asked("/jwks"); n != 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// While the provider is away, those go on whose token can be checked without it,
// others get a clear answer, and afterwards all is well by itself.
func TestOutage(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	v, c := openidAt(t, i, nil)
	if _, err := v.Verify(t.Context(), i.Sign(i.Claims(idp.Alice, testAudience))); err != nil {
		t.Fatal(err)
	}
	i.Down()
	c.pass(2 * time.Hour)
	if _, err := v.Verify(t.Context(), i.Sign(i.Claims(idp.Alice, testAudience))); err != nil {
		t.Errorf("by a known key: %v", err)
	}
	second := idp.NewKey(t, "RS256")
	_, err := v.Verify(t.Context(), second.Sign(i.Claims(idp.Bob, testAudience)))
	wantKind(t, err, porterhouse.Unavailable)
	if _, public := porterhouse.Explain(err); !strings.Contains(public, "identity provider") {
		t.Errorf("public text: %s", public)
	}
	i.AddKey(second)
	i.Up()
	c.pass(time.Minute)
	if _, err := v.Verify(t.Context(), second.Sign(i.Claims(idp.Bob, testAudience))); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

// A verdict lives as long as its token at most, and is one resource's own.
func TestVerdictsOfTokens(t *testing.T) {
	asked := atomic.Int64{}
	c := newClock()
	c.now = testNow
	p := newTestProviders(t, c.Now)
	rs := newSigner("RS256", "k")
	settings := staticSettings(rs)
	settings.VerifierLeeway = -1
	count := func(r Resource) Processor {
		verify, err := newSigned(settings, r, p)
		if err != nil {
			t.Fatal(err)
		}
		return p.remember(settings, r, func(ctx context.Context, token string) (porterhouse.Principal, error) {
			asked.Add(1)
			return verify(ctx, token)
		})
	}
	here, there := count(testResource), count(Resource{Door: "proxy", Cluster: "main", Audiences: []string{"https://other.example.com"}})
	token := rs.token(with(goodClaims(testNow), object{"exp": in(30)}), nil)
	for range 10 {
		if _, err := here(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("verified %d times", n)
	}
	_, err := there(t.Context(), token)
	wantReason(t, err, "it is for")
	c.pass(29 * time.Second)
	if _, err := here(t.Context(), token); err != nil {
		t.Error(err)
	}
	c.pass(time.Second)
	_, err = here(t.Context(), token)
	wantReason(t, err, "expired")
}

// What one configuration found out is nothing to the next, which may be stricter.
func TestVerdictsEndWithTheirProcessor(t *testing.T) {
	p := newTestProviders(t, at(testNow))
	rs := newSigner("RS256", "k")
	settings := staticSettings(rs)
	token := rs.token(goodClaims(testNow), nil)
	if _, err := newTestVerifier(t, p, settings).Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	settings.AllowedGroups = []string{"nobody"}
	_, err := newTestVerifier(t, p, settings).Verify(t.Context(), token)
	wantKind(t, err, porterhouse.Refused)
}

// A token is judged by the processor of its issuer and by no other, in whatever
// order they were configured.
func TestWhoseToken(t *testing.T) {
	p := newTestProviders(t, at(testNow))
	a, b, c := newSigner("RS256", "a"), newSigner("ES256", "b"), newSigner("EdDSA", "c")
	of := func(name, issuer string, s signer) Settings {
		settings := staticSettings(s)
		settings.Name, settings.ExpectedIssuer = name, issuer
		return settings
	}
	v := newTestVerifier(t, p, of("any", "", c), of("a", testIssuer, a), of("b", "https://b.example.com", b))
	for _, test := range []struct {
		name   string
		signer signer
		issuer string
		proof  string
		reason string
	}{
		{"a's", a, testIssuer, "a", ""},
		{"b's", b, "https://b.example.com", "b", ""},
		{"of an issuer that nobody named", c, "https://c.example.com", "any", ""},
		{"a's name by b's key", b, testIssuer, "", "processor a: no key"},
		{"a's name by the key for any", c, testIssuer, "", "processor a: no key"},
		{"another name by a's key", a, "https://d.example.com", "", "no processor knows"},
	} {
		who, err := v.Verify(t.Context(), test.signer.token(with(goodClaims(testNow), object{"iss": test.issuer}), nil))
		if test.reason != "" {
			wantReason(t, err, test.reason)
		} else if err != nil || who.Proof != test.proof {
			t.Errorf("%s: proved by %q, %v", test.name, who.Proof, err)
		}
	}
}

// An opaque token whose provider is known by its first letters goes nowhere else.
func TestForeignTokensAreNotShown(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	v, _ := openidAt(t, i, func(s *Settings) {
		s.IntrospectionClientID, s.IntrospectionClientSecret = idp.App.ID, porterhouse.NewSecret(idp.App.Secret)
	})
	for _, prefix := range foreignPrefixes {
		_, err := v.Verify(t.Context(), prefix+"abcdefghijklmnop")
		wantReason(t, err, "no processor knows")
	}
	_, err := v.Verify(t.Context(), "eyJhbGciOiJub25lIn0.e30.x")
	wantReason(t, err, "base64url")
	if n := i.Asked("/introspect"); n != 0 {
		t.Errorf("introspection was asked %d times", n)
	}
}

func TestExplain(t *testing.T) {
	p := newTestProviders(t, at(testNow))
	a, b := newSigner("RS256", "a"), newSigner("ES256", "b")
	first, second := staticSettings(a), staticSettings(b)
	first.Name, first.ExpectedIssuer = "first", "https://first.example.com"
	second.Name, second.AllowedGroups = "second", []string{"analysts"}
	v := newTestVerifier(t, p, first, second)
	token := b.token(goodClaims(testNow), nil)
	for range 2 { // the second time, the verdict would be remembered
		who, lines, err := v.Explain(t.Context(), token)
		text := strings.Join(lines, "\n")
		if err != nil || who.Subject != "4711" || who.Token.Reveal() != token || who.TokenID != "t1" {
			t.Fatalf("explained %+v, %v", who, err)
		}
		for _, want := range []string{
			`first: identity: token is not mine: its issuer is "https://idp.example.com"`, `processor second: it is "4711"`, `signature: ES256 by the key "b"`,
			`issuer: iss is "https://idp.example.com"`, "audience: aud is", `client: azp is "claude"`, `subject: "sub" is "4711"`, `name: sub is "4711"`,
			"groups: groups has 2", "allowed_groups",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the explanation lacks %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, strings.Split(token, ".")[1][:20]) {
			t.Errorf("the explanation holds the token:\n%s", text)
		}
	}
	_, lines, err := v.Explain(t.Context(), b.token(with(goodClaims(testNow), object{"exp": in(-100)}), nil))
	wantReason(t, err, "expired")
	if !strings.Contains(strings.Join(lines, "\n"), "signature: ES256") {
		t.Errorf("the explanation of a refusal: %q", lines)
	}
	if v.Stats() != (Stats{}) {
		t.Errorf("explanations were counted: %+v", v.Stats())
	}
}

func TestNotMineSaysWhy(t *testing.T) {
	v := newTestVerifier(t, newTestProviders(t, at(testNow)), staticSettings(newSigner("RS256", "a")))
	_, err := v.Verify(t.Context(), "opaque")
	wantReason(t, err, "processor static: identity: token is not mine: it is no JWT")
	if errors.Is(err, ErrNotMine) {
		t.Error("the last word passes the token on")
	}
}
