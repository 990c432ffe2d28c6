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

// explain implements way. That a token is refused is for the client to see: it may
// have a newer one.
func (byToken) explain(e porterhouse.Exception, _ porterhouse.UserName) (porterhouse.Kind, string) {
	if e.Code != authenticationFailed || !strings.HasPrefix(e.Message, "Invalid authentication: 'Bearer'") {
		return "", ""
	}
	return porterhouse.Unavailable, "this ClickHouse does not take tokens; the operator can set the cluster's access mode to verify, which any ClickHouse can do"
}
