package identity

import (
	"context"
	"errors"
	"strings"

	"porterhouse"
)

// openid is a processor for an OpenID provider, and for those that are one with
// habits of its own (keycloak, okta, auth0, cognito, entra, gitlab):
//
//	JWT      mine by its issuer; what the keys at jwks_uri say is final
//	opaque   mine, where there is a way to ask: introspection, else userinfo (opaque.go)
type openid struct {
	rules *rules
	site  *site
	// opaque asks the provider; nil: there is no way to ask.
	opaque func(ctx context.Context, token string, at places) (porterhouse.Principal, error)
}

// newOpenID makes the processor that is described by s.
func newOpenID(s Settings, r Resource, p *Providers) (Processor, error) {
	rules, err := newRules(s, r, p)
	if err != nil {
		return nil, err
	}
	o := &openid{rules: rules, opaque: newOpaque(s, rules, p)}
	if o.site, err = newSite(s, p); err != nil {
		return nil, err
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
	at, err := o.site.places(ctx)
	switch {
	case err != nil:
		return porterhouse.Principal{}, err
	case isJWT && at.keys != "":
		return signedBy{rules: o.rules, signatures: o.site.signatures(at), issuer: at.issuer}.prove(ctx, t)
	case o.opaque != nil:
		return o.opaque(ctx, token, at)
	}
	return porterhouse.Principal{}, refuse("there are no keys (jwks_uri) to check it with")
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
