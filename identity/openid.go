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

// openid is a processor for an OpenID provider, and for those that are one with
// habits of its own (keycloak, okta, auth0, cognito, entra, gitlab):
//
//	JWT      mine by its issuer; what the keys at jwks_uri say is final
//	opaque   mine, where there is a way to ask: introspection, else userinfo (opaque.go)
//
// All places of the provider come from its discovery document, or all from the
// settings: a place that is configured is not looked up.
type openid struct {
	settings   Settings
	rules      *rules
	algorithms []string
	providers  *Providers
	fixed      places          // from the settings
	document   *remote[places] // discovery; nil: there is none
	// opaque asks the provider; nil: there is no way to ask.
	opaque func(ctx context.Context, token string, at places) (porterhouse.Principal, error)
}

// places is where a provider answers which question.
type places struct {
	issuer        string
	keys          string // jwks_uri
	userinfo      string
	introspection string
	secretInForm  bool // introspection wants our secret there, not in a header
}

// newOpenID makes the processor that is described by s.
func newOpenID(s Settings, r Resource, p *Providers) (Processor, error) {
	rules, err := newRules(s, r, p)
	if err != nil {
		return nil, err
	}
	o := &openid{settings: s, rules: rules, providers: p, opaque: newOpaque(s, rules, p)}
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
	isJWT := err == nil
	if !isJWT && !errors.Is(err, errNoJWT) {
		return porterhouse.Principal{}, err
	}
	if !isJWT && (o.opaque == nil || isForeign(token)) {
		return porterhouse.Principal{}, notMine("it is no JWT, and none that this provider is asked about")
	}
	at, err := o.places(ctx)
	switch {
	case err != nil:
		return porterhouse.Principal{}, err
	case isJWT && at.keys != "":
		return o.signedAt(at).prove(ctx, t)
	case o.opaque != nil:
		return o.opaque(ctx, token, at)
	}
	return porterhouse.Principal{}, refuse("there are no keys (jwks_uri) to check it with")
}

// signedAt checks JWTs with the provider's keys.
func (o *openid) signedAt(at places) signedBy {
	keys := o.providers.keysAt(at.keys, o.settings.JWKSCacheLifetime)
	return signedBy{rules: o.rules, signatures: signatures{o.algorithms, ringOf(keys)}, issuer: at.issuer}
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
	methods, err := c.texts("introspection_endpoint_auth_methods_supported")
	if err != nil {
		return places{}, err
	}
	at.secretInForm = slices.Contains(methods, "client_secret_post") && !slices.Contains(methods, "client_secret_basic")
	return at, nil
}

// foreignPrefixes are of opaque tokens whose provider is known by them: it is
// nobody else's business to see them. The last two are our own: API tokens, and
// tickets (package ticket), which are for ClickHouse alone.
var foreignPrefixes = []string{"gho_", "ghp_", "ghu_", "ghs_", "ghr_", "github_pat_", "ya29.", "glpat-", "gloas-", tokenPrefix, "pht_"}

func isForeign(token string) bool {
	for _, prefix := range foreignPrefixes {
		if strings.HasPrefix(token, prefix) {
			return true
		}
	}
	return false
}
