package clickhouse

import (
	"context"

	"porterhouse"
)

// Query runs q as the account, in the way that Config.Access says, or with the
// account's own password when it has one. The answer's Body is open: close it.
//
// Without a Passage, q.SQL is one statement that reads: the caller has made sure of
// it. With one, q.Class says what the statement does. A text with no statement is
// refused, because behind EXECUTE AS it would switch the session.
//
// q needs an ID and a Limits.Time; another limit that is 0 does not bound. The
// error is a *porterhouse.Error, with a *porterhouse.Exception inside when
// ClickHouse itself refused. To a Passage, such a refusal is an Answer.
func (c *Client) Query(ctx context.Context, as porterhouse.Account, q porterhouse.Query) (*porterhouse.Answer, error) {
	way := c.way
	if !as.Password.IsZero() {
		way = byPassword{client: c}
	}
	if err := way.check(as, &q); err != nil {
		return nil, err
	}
	if err := check(q); err != nil {
		return nil, err
	}
	switch {
	case !as.Password.IsZero():
		c.count.passwords.Add(1)
	case c.sessions != nil && q.Passage != nil && c.sessions.carries(q):
		c.count.native.Add(1)
		return c.sessions.run(ctx, as, q)
	}
	return c.run(ctx, statement{Query: q, way: way, account: as, as: as.User, prefix: way.prefix(as)})
}
