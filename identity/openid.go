package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"porterhouse"
)

// openid is a processor for an OpenID provider, and for those that are one with
// habits of its own (keycloak, okta, auth0, cognito, entra, gitlab):
//
//	JWT      by its issuer; keys from jwks_uri; what they say is final
//	opaque   the provider is asked, where it was said how
//
// All places of the provider come from its discovery document, or all from the
// settings: a place that is configured is not looked up.
type openid struct {
	rules      *rules
	algorithms []string
	providers  *Providers
	fixed      places          // from the settings
	document   *remote[places] // discovery; nil: there is none
	keysLife   time.Duration
	opaque     func(ctx context.Context, token string, at places) (porterhouse.Principal, error) // nil: such tokens are not mine
}

// places is where a provider answers which question.
type places struct {
	issuer        string
	keys          string // jwks_uri
	userinfo      string
	introspection string
}

// newOpenID makes the processor that is described by s.
func newOpenID(s Settings, r Resource, p *Providers) (Processor, error) {
	rules, err := newRules(s, r, p)
	if err != nil {
		return nil, err
	}
	o := &openid{rules: rules, providers: p, keysLife: s.JWKSCacheLifetime}
	if o.algorithms, err = algorithmsOf(s); err != nil {
		return nil, err
	}
	o.fixed = places{issuer: s.ExpectedIssuer, keys: s.JWKSURI, userinfo: s.UserinfoEndpoint, introspection: s.TokenIntrospectionEndpoint}
	if address := discoveryOf(s); address != "" {
		o.document = p.documentAt(address, s.ExpectedIssuer)
	}
	return o.verify, nil
}

// verify implements Processor.
func (o *openid) verify(ctx context.Context, token string) (porterhouse.Principal, error) {
	t, err := o.rules.mine(ctx, token)
	switch {
	case err == nil:
		return o.proveJWT(ctx, t)
	case !errors.Is(err, errNoJWT) || o.opaque == nil || isForeign(token):
		return porterhouse.Principal{}, err
	}
	at, err := o.places(ctx)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	return o.opaque(ctx, token, at)
}

// proveJWT checks a token that says it is of this issuer.
func (o *openid) proveJWT(ctx context.Context, t jwt) (porterhouse.Principal, error) {
	at, err := o.places(ctx)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	if at.keys == "" {
		return porterhouse.Principal{}, refuse("it is a JWT, and this processor knows no keys (jwks_uri) to check it with")
	}
	s := signedBy{
		rules:      o.rules,
		signatures: signatures{o.algorithms, ringOf(o.providers.keysAt(at.keys, o.keysLife))},
		issuer:     at.issuer,
	}
	return s.prove(ctx, t)
}

// places are those that are configured, completed by the discovery document.
func (o *openid) places(ctx context.Context) (places, error) {
	if o.document == nil {
		return o.fixed, nil
	}
	at, err := o.document.get(ctx, func(places) bool { return true })
	if err != nil {
		return places{}, err
	}
	at.keys = orText(o.fixed.keys, at.keys)
	at.userinfo = orText(o.fixed.userinfo, at.userinfo)
	at.introspection = orText(o.fixed.introspection, at.introspection)
	return at, nil
}

// discoveryOf is where the discovery document is; "": all places are configured.
func discoveryOf(s Settings) string {
	if s.ConfigurationEndpoint != "" {
		return s.ConfigurationEndpoint
	}
	switch s.Type {
	case "openid", "entra", "azure":
		return ""
	}
	return strings.TrimRight(issuersOf(Settings{Type: s.Type, BaseURL: s.BaseURL, Organization: s.Organization, ExpectedIssuer: s.ExpectedIssuer})[0], "/") + wellKnown
}

const documentLife = time.Hour

// documentAt is the discovery document at a URL.
func (p *Providers) documentAt(address, issuer string) *remote[places] {
	return known(p, p.documents, address+" "+issuer, &remote[places]{
		what: "the discovery document", from: address, life: documentLife, now: p.now, log: p.log,
		fetch: func(ctx context.Context) (places, error) {
			text, err := p.fetch(ctx, address)
			if err != nil {
				return places{}, err
			}
			return parseDiscovery(text, address, issuer)
		},
	})
}

// parseDiscovery reads a discovery document. It must name the issuer that was
// expected; without one, the issuer whose document stands at that address.
func parseDiscovery(text []byte, address, expected string) (places, error) {
	c, err := parseClaims(text)
	if err != nil {
		return places{}, err
	}
	var at places
	for name, into := range map[string]*string{
		"issuer": &at.issuer, "jwks_uri": &at.keys, "userinfo_endpoint": &at.userinfo, "introspection_endpoint": &at.introspection,
	} {
		if *into, err = c.text(name); err != nil {
			return places{}, err
		}
	}
	switch {
	case at.issuer == "":
		return places{}, errors.New("it names no issuer")
	case expected != "" && at.issuer != expected:
		return places{}, fmt.Errorf("it is of the issuer %q, not of the expected %q", abridged(at.issuer), expected)
	case expected == "" && strings.TrimSuffix(at.issuer, "/")+wellKnown != address:
		return places{}, fmt.Errorf("it is of the issuer %q, whose document stands elsewhere: name the expected_issuer if it is yours", abridged(at.issuer))
	}
	return at, nil
}

// foreignPrefixes are of opaque tokens whose provider is known by them: it is
// nobody else's business to see them.
var foreignPrefixes = []string{"gho_", "ghp_", "ghu_", "ghs_", "ghr_", "github_pat_", "ya29.", "glpat-", "gloas-", tokenPrefix}

func isForeign(token string) bool {
	for _, prefix := range foreignPrefixes {
		if strings.HasPrefix(token, prefix) {
			return true
		}
	}
	return false
}
