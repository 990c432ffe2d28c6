package clickhouse

import (
	"context"
	"fmt"
	"strings"

	"porterhouse"
)

// byExecuteAs is the way of the mode ExecuteAs for statements that only read: the
// query form of EXECUTE AS, as the gateway. It gives CREATE more than the account's
// own grants on some versions, and an INSERT with data does not parse; those go over
// the native protocol.
type byExecuteAs struct{ client *Client }

// check implements way.
func (w byExecuteAs) check(_ context.Context, as porterhouse.Account, q *porterhouse.Query) error {
	if err := checkUser(as.User, w.client.cleaner.gateway); err != nil {
		return err
	}
	p := q.Passage
	switch {
	case p == nil:
		return nil
	case p.Tables != nil:
		return onlyInVerify("external tables")
	case len(p.Roles) > 0 && !w.client.sessions.carries(*q):
		return onlyInVerify("roles for one request (role=)")
	}
	return nil
}

// prefix implements way.
func (w byExecuteAs) prefix(as porterhouse.Account) string { return prefixFor(as.User) }

// prefixFor returns what ClickHouse reads before the person's SQL.
//
// The name is a string literal and nothing else: after an identifier the
// person's SQL could go on with @host and name somebody else. The space keeps SQL
// that begins with a literal from becoming part of the name, for two adjacent
// literals are one; the line break that ClickHouse puts there is not for us to
// rely on.
func prefixFor(user porterhouse.UserName) string {
	name := user.String()
	prefix := append(make([]byte, 0, len(name)+16), "EXECUTE AS "...)
	return string(append(quote(prefix, name), ' '))
}

// user implements way.
func (w byExecuteAs) user(porterhouse.Account) string { return w.client.cleaner.gateway }

// readonly implements way: a gateway that is held to reading may not impersonate.
func (byExecuteAs) readonly() bool { return false }

// quotaKey implements way: the quota that counts by keys is the gateway's own.
func (byExecuteAs) quotaKey(p *porterhouse.Passage) string { return p.Owner }

// login implements way.
func (w byExecuteAs) login(context.Context, porterhouse.Account, string) (string, error) {
	return w.client.target.login, nil
}

// explain implements way.
func (w byExecuteAs) explain(e porterhouse.Exception, as porterhouse.UserName) (porterhouse.Kind, string) {
	name := as.String()
	switch {
	case w.client.cleaner.aboutGateway(e) && strings.Contains(e.Message, "IMPERSONATE"):
		return porterhouse.Denied, fmt.Sprintf("ClickHouse does not let Porterhouse act as the account %q; the operator has to grant IMPERSONATE on it", name)
	case w.client.cleaner.aboutGateway(e):
		return porterhouse.Unavailable, gatewayRefused
	case e.Code == unknownUser && strings.Contains(e.Message, "`"+name+"`"):
		return porterhouse.Denied, fmt.Sprintf("ClickHouse has no account %q; ask the operator to create it", name)
	case withoutExecuteAs(e):
		return porterhouse.Unavailable, "this ClickHouse does not know EXECUTE AS, or has it switched off (allow_impersonate_user); tell the operator"
	}
	return "", ""
}

// withoutExecuteAs reports whether ClickHouse stumbled over the prefix: over its
// first word before 25.11, over the missing switch since.
func withoutExecuteAs(e porterhouse.Exception) bool {
	return e.Code == syntaxError && strings.Contains(e.Message, "failed at position 1 (EXECUTE) (line 1, col 1)") ||
		e.Code == supportIsDisabled && strings.Contains(e.Message, "IMPERSONATE")
}
