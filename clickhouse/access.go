package clickhouse

import (
	"context"
	"crypto/tls"

	"porterhouse"
)

// Mode is a way to run a statement as an account.
type Mode string

// The modes.
const (
	ExecuteAs Mode = "execute_as" // the gateway impersonates the account: reads by the query form over HTTP, all else by a native session
	Verify    Mode = "verify"     // the account logs in with a one-time ticket, and ClickHouse asks our authenticator
	Forward   Mode = "forward"    // the account's owner's token goes on to a ClickHouse that takes tokens
	Static    Mode = "static"     // everybody is one account, the gateway's
)

// Access says how a statement becomes an account's. The zero Access is ExecuteAs,
// for reading.
type Access struct {
	Mode Mode // "": ExecuteAs

	// Mint makes the one-time ticket of a user for a query; for Verify.
	Mint func(ctx context.Context, user porterhouse.UserName, queryID string) (porterhouse.Secret, error)

	// Native is where ClickHouse speaks its native protocol, host:port, for what
	// ExecuteAs carries in a session only; "": nowhere, and such statements are refused.
	Native    string
	NativeTLS *tls.Config // nil: plain, which leaves loopback with Config.AllowPlainHTTP only
}
