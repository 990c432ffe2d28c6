package identity

import (
	"context"
	"net/url"
	"time"

	"porterhouse"
)

// lasting is how long an access token must live to be kept for asking about it: one
// that ends sooner would end the login before its time.
const lasting = 12 * time.Hour

// keep is what of an answer can be used to ask again; what was kept before stays
// where the answer has nothing new (RFC 6749, 6).
func (r *RelyingParty) keep(at places, answer tokenAnswer, before Kept) Kept {
	kept := Kept{RefreshToken: orText(answer.refresh, before.RefreshToken)}
	lasts := answer.expires.IsZero() || answer.expires.Sub(r.providers.now()) > lasting
	if r.github != nil && (lasts || kept.RefreshToken != "") || kept.RefreshToken == "" && lasts && r.introspector(at).endpoint != "" {
		kept.AccessToken, kept.Expires = answer.access, answer.expires
	}
	return kept
}

// introspector is the endpoint and whom we are there; without endpoint: nobody.
func (r *RelyingParty) introspector(at places) introspector {
	s := r.settings
	switch {
	case s.IntrospectionClientID != "" && at.introspection != "":
		return introspector{endpoint: at.introspection, clientID: s.IntrospectionClientID, secret: s.IntrospectionClientSecret, inForm: at.secretInForm}
	case !r.client.ClientSecret.IsZero():
		return introspector{endpoint: at.introspection, clientID: r.client.ClientID, secret: r.client.ClientSecret, inForm: at.secretInForm}
	}
	return introspector{}
}

// CanRecheck reports whether k is enough to ask the provider about the person again.
func (r *RelyingParty) CanRecheck(k Kept) bool { return k.RefreshToken != "" || k.AccessToken != "" }

// Recheck asks the provider about the person again: by refresh token, introspection,
// or GitHub's user endpoint. Unauthenticated and Refused are its no.
//
// The Kept takes the place of k, also beside an error of kind Unavailable: the refresh
// token in k may have been used up by then. It must never be used twice at once.
func (r *RelyingParty) Recheck(ctx context.Context, who porterhouse.Principal, k Kept) (porterhouse.Principal, Kept, error) {
	is, kept, err := r.recheck(ctx, k)
	if err == nil && is.Key() != who.Key() {
		err = refuse("asked about %q, the provider answers about %q", abridged(who.Subject), abridged(is.Subject))
	}
	if err != nil {
		return porterhouse.Principal{}, kept, r.said(err)
	}
	if is.Groups == nil && who.Groups != nil {
		r.rules.log.Warn("the provider told a person's groups at the sign-in, and tells none any more: let it put them into ID tokens and userinfo", "processor", r.settings.Name, "user", is.User)
	}
	return is, kept, nil
}

func (r *RelyingParty) recheck(ctx context.Context, k Kept) (porterhouse.Principal, Kept, error) {
	at, err := r.places(ctx)
	switch {
	case err != nil:
		return porterhouse.Principal{}, k, err
	case k.RefreshToken != "" && !r.isAlive(k):
		return r.refresh(ctx, at, k)
	case k.AccessToken == "":
		return porterhouse.Principal{}, k, refuse("nothing was kept to ask the provider with")
	case r.github != nil:
		who, err := r.identify(ctx, at, tokenAnswer{access: k.AccessToken}, "")
		return who, k, err
	}
	who, err := r.inspect(ctx, at, k.AccessToken)
	return who, k, err
}

// isAlive reports whether the access token can be asked about as it is.
func (r *RelyingParty) isAlive(k Kept) bool {
	return k.AccessToken != "" && (k.Expires.IsZero() || r.providers.now().Add(time.Minute).Before(k.Expires))
}

// refresh asks with the refresh token. That the provider gives tokens for it is its
// yes; an answer without an ID token leaves the rest to userinfo.
func (r *RelyingParty) refresh(ctx context.Context, at places, k Kept) (porterhouse.Principal, Kept, error) {
	answer, err := r.askForTokens(ctx, at, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {k.RefreshToken}})
	if err != nil {
		return porterhouse.Principal{}, k, err
	}
	kept := r.keep(at, answer, k)
	if answer.id != "" || r.github != nil {
		who, err := r.identify(ctx, at, answer, "")
		return who, kept, err
	}
	who, err := r.ask(ctx, at, claims{"azp": r.client.ClientID, "scope": answer.scope}, answer.access)
	return who, kept, err
}

// inspect asks introspection whether an access token still counts.
func (r *RelyingParty) inspect(ctx context.Context, at places, access string) (porterhouse.Principal, error) {
	about, err := introspect(ctx, r.providers.outbound, r.introspector(at), access)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	return r.ask(ctx, at, about, access)
}

// ask asks userinfo for what is not told yet, and judges all of it.
func (r *RelyingParty) ask(ctx context.Context, at places, about claims, access string) (porterhouse.Principal, error) {
	if at.userinfo == "" {
		return porterhouse.Principal{}, away("the provider answers without an ID token, and has no userinfo")
	}
	person, err := userinfo(ctx, r.providers.outbound, at.userinfo, access)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	if about, err = joinClaims(about, person); err != nil {
		return porterhouse.Principal{}, err
	}
	who, err := r.judge(ctx, about, claimSource{issuer: orText(at.issuer, r.rules.issuers[0]), clientAudience: true, endless: true})
	if err != nil {
		return porterhouse.Principal{}, err
	}
	return r.bare(who), complete(who)
}
