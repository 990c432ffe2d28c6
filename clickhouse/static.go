package clickhouse

import (
	"context"

	"porterhouse"
)

// byGateway is the way of the mode Static: everybody is the gateway's own account.
// Who asked is in the log_comment and in our record only.
type byGateway struct {
	personal
	client *Client
}

// check implements way. Whose the statement is does not matter here, but somebody's
// it is.
func (w byGateway) check(_ context.Context, as porterhouse.Account, q *porterhouse.Query) error {
	switch {
	case as.User.IsZero():
		return porterhouse.Errorf(porterhouse.Internal, "the question names no ClickHouse account, so it was not asked")
	case q.Class.Verb == "KILL":
		return porterhouse.Errorf(porterhouse.Refused, "all are one account here, so KILL could stop anybody's statements: a statement of yours stops when you hang up")
	}
	return nil
}

// user implements way.
func (w byGateway) user(porterhouse.Account) string { return w.client.cleaner.gateway }

// quotaKey implements way: one person's queries are bounded by one quota, whatever
// they call themselves.
func (byGateway) quotaKey(p *porterhouse.Passage) string { return p.Owner }

// login implements way.
func (w byGateway) login(context.Context, porterhouse.Account, string) (string, error) {
	return w.client.target.login, nil
}

// explain implements way.
func (w byGateway) explain(e porterhouse.Exception, _ porterhouse.UserName) (porterhouse.Kind, string) {
	if !isFailedLogin(e, w.client.cleaner.gateway) {
		return "", ""
	}
	return porterhouse.Unavailable, gatewayRefused
}
