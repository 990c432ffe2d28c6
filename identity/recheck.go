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
	case k.RefreshToken != "" && !k.isAlive(r.providers.now()):
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

// refresh asks with the refresh token. That the provider gives tokens for it is its
// yes; an answer without an ID token leaves the rest to userinfo.
func (r *RelyingParty) refresh(ctx context.Context, at places, k Kept) (porterhouse.Principal, Kept, error) {
	answer, err := r.tokens(at).ask(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {k.RefreshToken}})
	if err != nil {
		return porterhouse.Principal{}, k, err
	}
	kept := r.keep(at, answer, k)
	if answer.id != "" || r.github != nil {
		who, err := r.identify(ctx, at, answer, "")
		return who, kept, err
	}
	who, err := r.askUserinfo(ctx, at, claims{"azp": r.client.ClientID, "scope": answer.scope}, answer.access)
	return who, kept, err
}
