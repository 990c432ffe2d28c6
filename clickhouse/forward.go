package clickhouse

import (
	"context"
	"strings"

	"porterhouse"
)

// byToken is the way of the mode Forward: the token of the account's owner goes on,
// and ClickHouse itself verifies it. No statement does before ClickHouse has said that
// it takes the token for the account's (token_owner.go).
type byToken struct {
	personal
	client *Client
}

// check implements way.
func (w byToken) check(ctx context.Context, as porterhouse.Account, _ *porterhouse.Query) error {
	if err := checkUser(as.User, w.client.cleaner.gateway); err != nil {
		return err
	}
	token := as.Token.Reveal()
	switch {
	case token == "":
		return porterhouse.Errorf(porterhouse.Refused, "ClickHouse verifies tokens itself here, and yours is not one that it could verify; "+
			"sign in with a token of the identity provider that ClickHouse knows")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return porterhouse.Errorf(porterhouse.Refused, "the token has a character that no header can carry")
	}
	return w.client.owners.check(ctx, as)
}

// login implements way.
func (byToken) login(_ context.Context, as porterhouse.Account, _ string) (string, error) {
	return bearer(as.Token), nil
}

// bearer returns the header field that logs in with a token.
func bearer(token porterhouse.Secret) string {
	return "Authorization: Bearer " + token.Reveal() + "\r\n"
}

// notTaken is what the bearer of a token is told that ClickHouse does not let in. It says
// the same for all causes.
const notTaken = "ClickHouse does not take your token: it may have ended (sign in again, for a new one), or not be meant for ClickHouse, or ClickHouse has no user of the name in it; " +
	"if it lasts tell the operator, who has to see that the identity provider names ClickHouse in tokens (aud), and that token_processors in ClickHouse's configuration and its users fit"

// explain implements way. That a token is refused is for the client to see: it may
// have a newer one.
func (w byToken) explain(e porterhouse.Exception, as porterhouse.UserName) (porterhouse.Kind, string) {
	switch {
	case e.Code == authenticationFailed && strings.HasPrefix(e.Message, "Invalid authentication: 'Bearer'"):
		return porterhouse.Unavailable, "this ClickHouse does not take tokens; the operator can set the cluster's access mode to verify, which any ClickHouse can do"
	case isFailedLogin(e, as.String()) || failedLogin[e.Code] && strings.HasPrefix(e.Message, "Authentication failed"):
		return porterhouse.Unauthenticated, notTaken
	}
	return "", ""
}
