package authserver

import (
	"context"
	"slices"

	"porterhouse"
)

// The names of token types (RFC 8693, 3).
const (
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeIDToken     = "urn:ietf:params:oauth:token-type:id_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

// maxSubjectToken bounds tokens of others, in bytes: that of identity's own limit.
const maxSubjectToken = 16 << 10

// exchangeGrant is token exchange (RFC 8693): a client that has a person's token of
// their identity provider gets one of ours for it. The person is not asked, so the
// client must be one that the operator trusts with this, and the token must be for
// an audience on that client's own list: one that a person gave to any other
// application opens nothing here. What comes of it ends no later than it, and cannot
// be refreshed.
func exchangeGrant() grant {
	return grant{name: GrantExchange, narrows: true, run: func(ctx context.Context, r *tokenRequest) (entitlement, error) {
		c := r.client
		if c.config == nil || c.Auth == AuthNone || c.config.Exchange == nil {
			return entitlement{}, refuse("unauthorized_client", "token exchange is for clients that the operator has registered for it, with a secret or a key")
		}
		if err := checkExchange(r); err != nil {
			return entitlement{}, err
		}
		who, err := c.config.Exchange(ctx, r.form.Get("subject_token"))
		if err != nil {
			return entitlement{}, unacceptable(err)
		}
		return entitlement{who: who, scopes: without(c.Scopes, ScopeOffline), issued: typeAccessToken, action: "exchange", note: "token exchange"}, nil
	}}
}

// checkExchange looks at everything but the token.
func checkExchange(r *tokenRequest) error {
	token, kind, wanted := r.form.Get("subject_token"), r.form.Get("subject_token_type"), r.form.Get("requested_token_type")
	switch {
	case r.form.Has("actor_token") || r.form.Has("actor_token_type"):
		return refuse("invalid_request", "actor tokens are not understood here: who acts is the client that asks, and it is named in the token")
	case token == "" || len(token) > maxSubjectToken:
		return refuse("invalid_request", "subject_token is missing, or longer than %d bytes", maxSubjectToken)
	case !slices.Contains([]string{typeAccessToken, typeIDToken, typeJWT}, kind):
		return refuse("invalid_request", "subject_token_type must be %s, %s or %s", typeAccessToken, typeIDToken, typeJWT)
	case wanted != "" && wanted != typeAccessToken:
		return refuse("invalid_request", "requested_token_type can only be %s", typeAccessToken)
	}
	return nil
}

// unacceptable says that a subject token is not good (RFC 8693, 2.2.2), and why only
// to the log. That nobody could tell is passed on.
func unacceptable(err error) error {
	switch kind, _ := porterhouse.Explain(err); kind {
	case porterhouse.Unauthenticated, porterhouse.Refused, porterhouse.Invalid:
		return refuse("invalid_request", "the subject token is not acceptable: it is not valid, or not of an audience that this client may exchange; the operator finds the reason in the log").because(err)
	}
	return err
}
