package identity

import (
	"context"

	"porterhouse"
)

// introspector is the endpoint and whom we are there; without endpoint: nobody.
func (w *witness) introspector(at places) introspector {
	s := w.settings
	switch {
	case s.IntrospectionClientID != "" && at.introspection != "":
		return introspector{endpoint: at.introspection, clientID: s.IntrospectionClientID, secret: s.IntrospectionClientSecret, inForm: at.secretInForm}
	case !w.client.ClientSecret.IsZero():
		return introspector{endpoint: at.introspection, clientID: w.client.ClientID, secret: w.client.ClientSecret, inForm: at.secretInForm}
	}
	return introspector{}
}

// inspect asks introspection whether an access token still counts.
func (w *witness) inspect(ctx context.Context, at places, access string) (porterhouse.Principal, error) {
	about, err := introspect(ctx, w.providers.outbound, w.introspector(at), access)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	delete(about, "aud") // it was issued to us: what else it opens there does not matter
	return w.askUserinfo(ctx, at, about, access)
}

// askUserinfo asks userinfo for what is not told yet, and judges all of it.
func (w *witness) askUserinfo(ctx context.Context, at places, about claims, access string) (porterhouse.Principal, error) {
	if at.userinfo == "" {
		return porterhouse.Principal{}, away("the provider answers without an ID token, and has no userinfo")
	}
	person, err := userinfo(ctx, w.providers.outbound, at.userinfo, access)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	if about, err = joinClaims(about, person); err != nil {
		return porterhouse.Principal{}, err
	}
	who, err := w.judge(ctx, about, claimSource{issuer: orText(at.issuer, w.rules.issuers[0]), clientAudience: true, endless: true})
	if err != nil {
		return porterhouse.Principal{}, err
	}
	return w.bare(who), complete(who)
}
