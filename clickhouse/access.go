package clickhouse

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

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
	Auto      Mode = "auto"       // one of the others, but never Static: the Client looks which works (auto.go)

	Interserver Mode = "interserver" // the account is named with the cluster's own secret, over the native protocol
)

// Access says how a statement becomes an account's. The zero Access is ExecuteAs,
// for reading.
type Access struct {
	Mode Mode // "": ExecuteAs

	// Mint makes the one-time ticket of a user for a query; for Verify, and for Auto,
	// which takes Verify into account with it only. ClickHouse
	// tells the authenticator of the query id in the header X-Porterhouse-Query-Id.
	Mint func(ctx context.Context, user porterhouse.UserName, queryID string) (porterhouse.Secret, error)

	// Native is where ClickHouse speaks its native protocol, host:port, for what
	// ExecuteAs carries in a session only, and for all of Interserver; "": nowhere, and such statements are refused.
	Native    string
	NativeTLS *tls.Config // nil: plain, which leaves loopback with Config.AllowPlainHTTP only

	// Cluster and Secret are the name of a cluster in <remote_servers> of ClickHouse's
	// configuration, and its <secret>; for Interserver, and for Auto, which takes Interserver into account
	// with them only. Whoever has both can be anybody.
	Cluster string
	Secret  porterhouse.Secret

	// Tokens says that accounts bring their owner's token, so that Auto may take Forward
	// into account.
	Tokens bool
}

// checkAccess refuses a mode that lacks what it stands on.
func (c Config) checkAccess() error {
	switch c.Access.Mode {
	case "", ExecuteAs, Static:
		if c.User == "" {
			return errors.New("clickhouse: the gateway's User is empty")
		}
	case Verify:
		if c.Access.Mint == nil {
			return errors.New("clickhouse: the access mode verify needs tickets, and nobody mints them (Access.Mint)")
		}
	case Forward:
	case Interserver:
		if err := c.checkCluster(); err != nil {
			return err
		}
	case Auto:
		if c.User == "" && c.Access.Mint == nil && !c.Access.Tokens {
			return errors.New("clickhouse: the access mode auto has nothing to choose from: there is no User, no Mint and no Tokens")
		}
		if c.Access.Cluster != "" || !c.Access.Secret.IsZero() {
			return c.checkCluster()
		}
	default:
		return fmt.Errorf("clickhouse: the access mode %q is none of %s, %s, %s, %s, %s, %s", c.Access.Mode, ExecuteAs, Interserver, Verify, Forward, Static, Auto)
	}
	if c.User == "" && !c.Password.IsZero() {
		return errors.New("clickhouse: there is a Password and no User whose it is")
	}
	return nil
}

// way is how a statement becomes an account's over HTTP. There is one for each Mode,
// and one for accounts that have a password of their own.
type way interface {
	// check refuses, by name and before ClickHouse sees it, what cannot be carried.
	// What follows is asked of accounts and queries that passed.
	check(ctx context.Context, as porterhouse.Account, q *porterhouse.Query) error
	// prefix is what ClickHouse reads before the person's SQL.
	prefix(as porterhouse.Account) string
	// user is whom ClickHouse lists as the one who asks.
	user(as porterhouse.Account) string
	// readonly reports whether a read can be sent as one, so that no statement writes.
	readonly() bool
	// quotaKey is what tells people apart to a quota that is KEYED BY client_key.
	quotaKey(p *porterhouse.Passage) string
	// login makes the header fields that log in, each with its line break.
	login(ctx context.Context, as porterhouse.Account, queryID string) (string, error)
	// explain says what an exception means that is about the way and not about the
	// statement; public is "" when it is not.
	explain(e porterhouse.Exception, as porterhouse.UserName) (kind porterhouse.Kind, public string)
}

// newWay returns the way of a mode.
func newWay(c *Client, mode Mode, access Access) way {
	switch mode {
	case Verify:
		return byTicket{client: c, mint: access.Mint}
	case Forward:
		return byToken{client: c}
	case Static:
		return byGateway{client: c}
	}
	return byExecuteAs{client: c}
}

// personal is what those ways have in common in which the session in ClickHouse is
// the account's own.
type personal struct{}

func (personal) prefix(porterhouse.Account) string      { return "" }
func (personal) user(as porterhouse.Account) string     { return as.User.String() }
func (personal) readonly() bool                         { return true }
func (personal) quotaKey(p *porterhouse.Passage) string { return p.QuotaKey }

// checkUser refuses names that nobody may act as; gateway is the gateway's own.
func checkUser(user porterhouse.UserName, gateway string) error {
	name := user.String()
	switch {
	case user.IsZero():
		return porterhouse.Errorf(porterhouse.Internal, "the question names no ClickHouse account, so it was not asked")
	case !norm.NFC.IsNormalString(name):
		// Two spellings of one name that look the same would be two accounts.
		return porterhouse.Errorf(porterhouse.Refused, "the ClickHouse account's name is not in Unicode's normal form NFC; tell the operator")
	case name == gateway:
		return porterhouse.Errorf(porterhouse.Refused, "this account is Porterhouse's own, which nobody may act as; tell the operator")
	}
	return nil
}

// checkBasic refuses names that HTTP's Basic authentication cannot carry.
func checkBasic(user porterhouse.UserName) error {
	if strings.Contains(user.String(), ":") {
		return porterhouse.Errorf(porterhouse.Refused, "the ClickHouse account's name has a colon, with which nobody can log in over HTTP; tell the operator")
	}
	return nil
}

// basic returns the header field that logs in by HTTP's Basic authentication. It
// carries any secret; a header of its own would trim spaces and refuse some bytes,
// and is not known to be a secret to whatever logs headers.
func basic(user string, secret porterhouse.Secret) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret.Reveal())) + "\r\n"
}
