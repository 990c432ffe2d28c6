package identity

import (
	"context"
	"slices"

	"porterhouse"
)

// opaque proves whose an opaque token of an OpenID provider is, by asking there:
//
//	introspection   when we have a client id and secret there: is it alive, and for whom?
//	userinfo        for the name and the groups, where introspection does not tell them
//
// Userinfo alone cannot say for whom a token is. Then only a processor that lets
// tokens for anybody in (allow_any_audience) may ask it.
type opaque struct {
	rules     *rules
	providers *Providers
}

// newOpaque returns nil when the settings leave no way to ask.
func newOpaque(s Settings, r *rules, p *Providers) func(context.Context, string, places) (porterhouse.Principal, error) {
	if !s.canAsk() {
		return nil
	}
	return opaque{r, p}.prove
}

// canAsk reports whether the settings leave a way to ask about a token.
func (s Settings) canAsk() bool { return s.IntrospectionClientID != "" || s.AllowAnyAudience }

func (o opaque) prove(ctx context.Context, token string, at places) (porterhouse.Principal, error) {
	if !fits(token) {
		return porterhouse.Principal{}, refuse("it has characters that no token has")
	}
	about, err := o.ask(ctx, token, at)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	return o.rules.judge(ctx, about, claimSource{issuer: at.issuer, clientAudience: true, endless: true})
}

func (o opaque) ask(ctx context.Context, token string, at places) (claims, error) {
	s := o.rules.settings
	if s.IntrospectionClientID == "" || at.introspection == "" {
		if !s.AllowAnyAudience || at.userinfo == "" {
			return nil, refuse("it is opaque, and there is nowhere to ask about it (introspection_client_id, token_introspection_endpoint)")
		}
		traceOf(ctx).note("userinfo is asked; it does not say for whom the token is")
		return userinfo(ctx, o.providers.outbound, at.userinfo, token)
	}
	traceOf(ctx).note("introspection is asked, as the client %q", s.IntrospectionClientID)
	client := introspector{endpoint: at.introspection, clientID: s.IntrospectionClientID, secret: s.IntrospectionClientSecret, inForm: at.secretInForm}
	about, err := introspect(ctx, o.providers.outbound, client, token)
	if err != nil || at.userinfo == "" || o.suffices(about) {
		return about, err
	}
	traceOf(ctx).note("userinfo is asked for what introspection did not tell")
	person, err := userinfo(ctx, o.providers.outbound, at.userinfo, token)
	if kind, _ := porterhouse.Explain(err); err != nil && kind == porterhouse.Unauthenticated {
		if !about.has("token_type") {
			return nil, refuse("introspection does not say that it is a token for access (token_type), and userinfo refuses it: a refresh token is active, too")
		}
		return about, nil // it is alive, and of nobody whom userinfo knows: a program, mostly
	}
	if err != nil {
		return nil, err
	}
	return joinClaims(about, person)
}

// suffices reports whether nothing that the rules want to know is left to ask. An
// answer without token_type may be about a refresh token: userinfo tells it apart.
func (o opaque) suffices(about claims) bool {
	return o.rules.areAnsweredBy(about) && about.has("token_type")
}

// areAnsweredBy reports whether claims tell name, groups and, where it matters, the
// e-mail address.
func (r *rules) areAnsweredBy(about claims) bool {
	named := slices.ContainsFunc(r.names, func(p path) bool { return p.find(about) != nil })
	grouped := slices.ContainsFunc(r.groups, func(p groupPath) bool { return p.find(about) != nil })
	mail := about.has("email") || !r.settings.EmailVerified && len(r.settings.AllowedDomains) == 0
	return named && grouped && mail
}
