package identity

import (
	"context"
	"net/http"
	"net/url"

	"porterhouse"
)

// introspector is an endpoint that tells its clients about tokens (RFC 7662), and
// the client that we are there.
type introspector struct {
	endpoint string
	clientID string
	secret   porterhouse.Secret
	inForm   bool // the provider says that the secret belongs into the form
}

// introspect asks what a token is good for. The claims are of the token: who, for
// whom, until when; most providers tell no groups here.
func introspect(ctx context.Context, o *Outbound, at introspector, token string) (claims, error) {
	reply, err := at.ask(ctx, o, token)
	if err != nil {
		return nil, err
	}
	if reply.Status == http.StatusUnauthorized || reply.Status == http.StatusForbidden {
		return nil, away("introspection refuses our own client id %q or its secret (status %d)", at.clientID, reply.Status)
	}
	about, err := reply.object("introspection")
	if err != nil {
		return nil, err
	}
	switch active := about["active"]; active {
	case true:
		return about, nil
	case false:
		return nil, refuse("introspection says that the token is not active: it ended, was revoked, or is of another provider")
	default: // also "true", 1 and nothing at all
		return nil, away("introspection does not say whether the token is active: that is %s, not a boolean", shapeOf(active))
	}
}

// ask says who we are in the header, as every provider must understand, and to one
// that does not, in the form.
func (at introspector) ask(ctx context.Context, o *Outbound, token string) (Reply, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if !at.inForm {
		// The parts are form-encoded first (RFC 6749, 2.3.1): a colon must not end the id.
		header := basic(url.QueryEscape(at.clientID), url.QueryEscape(at.secret.Reveal()))
		reply, err := o.Post(ctx, at.endpoint, header, formType, form.Encode())
		if err != nil || reply.Status != http.StatusUnauthorized {
			return reply, err
		}
	}
	form.Set("client_id", at.clientID)
	form.Set("client_secret", at.secret.Reveal())
	return o.Post(ctx, at.endpoint, nil, formType, form.Encode())
}
