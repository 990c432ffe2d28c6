package clickhouse

import (
	"context"

	"golang.org/x/text/unicode/norm"

	"porterhouse"
)

// Query runs q as the account, by the query form of EXECUTE AS over HTTP. The
// answer's Body is open: close it.
//
// This form is for reading: it gives CREATE more than the account's own grants
// on some versions, and an INSERT with data does not parse. The caller has made
// sure that q.SQL is one statement that reads; a text with no statement would
// switch the session, which HTTP without a session forgets at once.
//
// q needs an ID and a Limits.Time; another limit that is 0 does not bound. The
// error is a *porterhouse.Error, with a *porterhouse.Exception inside when
// ClickHouse itself refused.
func (c *Client) Query(ctx context.Context, as porterhouse.Account, q porterhouse.Query) (*porterhouse.Answer, error) {
	prefix, err := c.executeAs(as.User)
	if err != nil {
		return nil, err
	}
	if err := check(q); err != nil {
		return nil, err
	}
	return c.run(ctx, statement{prefix: prefix, as: as.User, Query: q})
}

// executeAs returns what ClickHouse reads before the person's SQL.
//
// The name is a string literal and nothing else: after an identifier the
// person's SQL could go on with @host and name somebody else. The space keeps SQL
// that begins with a literal from becoming part of the name, for two adjacent
// literals are one; the line break that ClickHouse puts there is not for us to
// rely on.
func (c *Client) executeAs(user porterhouse.UserName) (string, error) {
	name := user.String()
	switch {
	case user.IsZero():
		return "", porterhouse.Errorf(porterhouse.Internal, "the question names no ClickHouse account, so it was not asked")
	case !norm.NFC.IsNormalString(name):
		// Two spellings of one name that look the same would be two accounts.
		return "", porterhouse.Errorf(porterhouse.Refused, "the ClickHouse account's name is not in Unicode's normal form NFC; tell the operator")
	case name == c.cleaner.gateway:
		return "", porterhouse.Errorf(porterhouse.Refused, "this account is Porterhouse's own, which nobody may act as; tell the operator")
	}
	prefix := append(make([]byte, 0, len(name)+16), "EXECUTE AS "...)
	return string(append(quote(prefix, name), ' ')), nil
}
