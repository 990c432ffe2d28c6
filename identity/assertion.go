package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"porterhouse"
)

// Assertion is an identity assertion authorization grant (ID-JAG) that was verified.
type Assertion struct {
	Who      porterhouse.Principal // Expires is the assertion's
	ID       string                // jti
	Client   string                // client_id
	Resource string                // "": none named
	Scopes   []string
}

// Assertions verifies ID-JAGs (typ oauth-id-jag+jwt) that a processor's provider has
// signed for the issuer (ours, its aud): the provider says that a person may use a
// client here, without a page of ours
// (draft-ietf-oauth-identity-assertion-authz-grant).
type Assertions struct {
	providers []vouching
	issuer    string // ours
	now       func() time.Time
}

// vouching is a provider that is trusted with assertions.
type vouching struct {
	site  *site
	rules *rules
}

const (
	assertionTyp = "oauth-id-jag+jwt"
	// maxAssertion is the longest life of an assertion: that of one that was used is
	// remembered for as long.
	maxAssertion = time.Hour
)

// withAssertions are the types whose providers sign JWTs for others than themselves.
var withAssertions = []string{"openid", "jwt_dynamic_jwks", "jwt_static_jwks", "jwt_static_key", "keycloak", "okta", "auth0", "entra", "azure"}

// NewAssertions makes it of those processors whose providers are trusted with it.
func NewAssertions(settings []Settings, issuer string, p *Providers) (*Assertions, error) {
	if issuer == "" || p == nil {
		return nil, errors.New("identity: assertions need our issuer, and Providers")
	}
	a := &Assertions{issuer: issuer, now: p.now}
	for _, s := range settings {
		v, err := newVouching(s, p)
		if err != nil {
			return nil, fmt.Errorf("identity: assertions of %q: %w", s.Name, err)
		}
		a.providers = append(a.providers, v)
	}
	return a, nil
}

func newVouching(s Settings, p *Providers) (vouching, error) {
	switch {
	case !slices.Contains(withAssertions, s.Type):
		return vouching{}, fmt.Errorf("providers of the type %s sign none", s.Type)
	case strings.HasPrefix(s.Algo, "HS"):
		return vouching{}, errors.New("a shared secret proves no provider: it needs a public key")
	case len(issuersOf(s)) == 0:
		return vouching{}, errors.New("name the expected_issuer: an assertion must be of exactly that")
	case s.isRemote() && p.outbound == nil:
		return vouching{}, errors.New("the provider must be asked for its keys, and there is nothing to ask with (Outbound)")
	}
	if err := s.check(); err != nil {
		return vouching{}, err
	}
	site, err := newSite(s, p)
	if err != nil {
		return vouching{}, err
	}
	// Client and scope of an assertion are ours, not the provider's.
	r, err := newRules(s, Resource{Audiences: []string{s.Name}}, p)
	if err != nil {
		return vouching{}, err
	}
	r.settings.ClientIDs, r.settings.RequiredScopes, r.settings.AllowNoExpiration = nil, nil, false
	return vouching{site, r}, nil
}

// assertionSteps are steps for an assertion; what is its own is checked in claims.
var assertionSteps = slices.Concat([]func(*hearing) error{checkUnbound, (*hearing).checkIssuer, (*hearing).checkTimes}, steps[5:])

// Verify returns what an assertion says. That it is used once is the caller's to see to.
// The error is a *porterhouse.Error: Unauthenticated for one that proves nothing,
// Refused for somebody who may not come in, Unavailable when nobody can tell.
func (a *Assertions) Verify(ctx context.Context, jwt string) (Assertion, error) {
	if len(jwt) > maxToken {
		return Assertion{}, refuse("the assertion has %d bytes, more than the %d allowed", len(jwt), maxToken)
	}
	t, err := parseJWT(jwt)
	if err != nil {
		return Assertion{}, refuse("the assertion: %w", err)
	}
	if t.header.typ != assertionTyp {
		return Assertion{}, refuse("the typ header is %q, and that of an assertion is %s", abridged(t.header.typ), assertionTyp)
	}
	issuer, _ := t.claims["iss"].(string)
	for _, v := range a.providers {
		if v.rules.claimsMine(issuer) {
			told, err := a.hear(ctx, v, t)
			if err != nil {
				return Assertion{}, v.rules.settings.says(err)
			}
			return told, nil
		}
	}
	return Assertion{}, refuse("nobody who is trusted with assertions is the issuer %q", abridged(issuer))
}

// hear judges an assertion of a provider.
func (a *Assertions) hear(ctx context.Context, v vouching, t jwt) (Assertion, error) {
	at, err := v.site.places(ctx)
	if err != nil {
		return Assertion{}, err
	}
	if err := v.site.signatures(at).verify(ctx, t); err != nil {
		return Assertion{}, err
	}
	told, err := a.read(t.claims)
	if err != nil {
		return Assertion{}, err
	}
	told.Who, err = v.rules.hear(ctx, t.claims, claimSource{header: &t.header, issuer: at.issuer}, assertionSteps)
	if err != nil {
		return Assertion{}, err
	}
	told.Who.Client = told.Client
	return told, complete(told.Who)
}

// read checks what only assertions have: who may use it, how often, where, and that
// it is for us alone.
func (a *Assertions) read(c claims) (Assertion, error) {
	var told Assertion
	var id, client error
	told.ID, id = c.text("jti")
	told.Client, client = c.text("client_id")
	audiences, audience := c.texts("aud")
	resources, resource := c.texts("resource")
	scopes, scope := c.words("scope")
	if err := errors.Join(id, client, audience, resource, scope); err != nil {
		return Assertion{}, refuse("%w", err)
	}
	switch {
	case len(audiences) != 1 || audiences[0] != a.issuer:
		return Assertion{}, refuse("it is for %s (aud), not for us alone, %q", quoted(audiences), a.issuer)
	case !isPrintable(told.ID, maxTokenID):
		return Assertion{}, refuse("it has no id (jti) of at most %d bytes, so nobody could tell whether it was used", maxTokenID)
	case !isPrintable(told.Client, maxClientID):
		return Assertion{}, refuse("it names no client (client_id)")
	case len(resources) > 1:
		return Assertion{}, refuse("it names %d resources, and a token is for one", len(resources))
	}
	if len(resources) == 1 {
		told.Resource = resources[0]
	}
	told.Scopes = scopes
	return told, a.checkLife(c)
}

// checkLife wants both ends of a life, and a short one.
func (a *Assertions) checkLife(c claims) error {
	issued, began := timeOf(c, "iat", false)
	expires, ends := timeOf(c, "exp", false)
	switch {
	case began != nil || ends != nil || issued.IsZero() || expires.IsZero():
		return refuse("it does not say when it was issued and when it ends (iat, exp)")
	case expires.Sub(issued) > maxAssertion:
		return refuse("it lives for %v, longer than %v", expires.Sub(issued), maxAssertion)
	}
	return nil
}
