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
	answer, err := ask(ctx, c, as, q)
	if c.shadow.takes() {
		return c.shadow.follow(as, q, answer, err)
	}
	return answer, err
}

// ask is Query, and nothing is compared.
func ask(ctx context.Context, c *Client, as porterhouse.Account, q porterhouse.Query) (*porterhouse.Answer, error) {
	way, native, err := c.wayOf(ctx, as, &q)
	if err != nil {
		return nil, err
	}
	if way == nil {
		return c.interserver.run(ctx, as, q)
	}
	if err := way.check(ctx, as, &q); err != nil {
		return nil, err
	}
	if err := check(q); err != nil {
		return nil, err
	}
	switch {
	case !as.Password.IsZero():
		c.count.passwords.Add(1)
	case native:
		c.count.native.Add(1)
		return c.sessions.run(ctx, as, q)
	}
	return c.run(ctx, statement{Query: q, way: way, account: as, as: as.User, prefix: way.prefix(as)})
}

// wayOf is how q gets to ClickHouse over HTTP, nil for Interserver; and whether it goes
// over a native session instead: as ExecuteAs needs it, or because its session was begun
// there before Auto found another way.
func (c *Client) wayOf(ctx context.Context, as porterhouse.Account, q *porterhouse.Query) (w way, native bool, err error) {
	if !as.Password.IsZero() {
		return byPassword{client: c}, false, nil
	}
	lane, err := c.laneFor(ctx, as, q.Limits.Time)
	switch {
	case err != nil:
		return nil, false, err
	case c.sessions == nil || q.Passage == nil:
		return lane.way, false, nil
	case lane.mode == ExecuteAs:
		return lane.way, c.sessions.carries(*q), nil
	}
	if s := q.Passage.Session; s != nil && c.sessions.pinned(s) {
		return byExecuteAs{client: c}, true, nil
	}
	return lane.way, false, nil
}
