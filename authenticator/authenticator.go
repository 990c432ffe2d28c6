// Package authenticator is the door that ClickHouse itself knocks on
// (http_authentication_servers): is this the right secret of this user?
package authenticator

import (
	"context"
	"log/slog"
	"net/http"

	"porterhouse"
)

// Config is what the door is made of.
type Config struct {
	Name    string             // of this authenticator: tickets are bound to it
	Cluster string             // the cluster whose servers ask here
	Path    porterhouse.Secret // the path that only ClickHouse knows, at least 16 bytes
	// Verify proves who a token belongs to, as a token for this cluster.
	Verify func(ctx context.Context, token string) (porterhouse.Principal, error)
	// Account is the directory's answer: whose account it is.
	Account func(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error)
	// Redeem accepts a one-time ticket; nil: there are none.
	Redeem func(ctx context.Context, secret string, user porterhouse.UserName, queryID string) error
	// Admitted and Rejected record what was decided.
	Admitted func(who porterhouse.Principal, account porterhouse.Account)
	Rejected func(user, remote string, err error)
	Log      *slog.Logger // nil: discarded
}

// New checks c and makes the door.
func New(c Config) (http.Handler, error) { return http.NotFoundHandler(), nil }
