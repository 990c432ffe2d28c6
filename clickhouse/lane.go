package clickhouse

import (
	"context"
	"slices"

	"porterhouse"
)

// lane is the mode in which a Client carries statements. It is made once and never
// changed: Auto puts another in its place.
type lane struct {
	mode Mode // never "" or Auto
	why  string
	way  way
}

func newLane(c *Client, mode Mode, access Access, why string) *lane {
	return &lane{mode: mode, why: why, way: newWay(c, mode, access)}
}

// laneFor is the lane of a question of the account's. It costs a look at a pointer, but
// for the first question in the mode Auto.
func (c *Client) laneFor(ctx context.Context, as porterhouse.Account) (*lane, error) {
	if l := c.lane.Load(); l != nil {
		return l, nil
	}
	if err := checkUser(as.User, c.cleaner.gateway); err != nil {
		return nil, err
	}
	return c.auto.first(ctx, as.User)
}

// Mode returns the access mode in use, and why it is that one; "": Auto has not found
// one.
func (c *Client) Mode() (mode Mode, why string) {
	if l := c.lane.Load(); l != nil {
		return l.mode, l.why
	}
	return "", "nobody has asked yet, or no way was found to work"
}

// order is that in which Choose prefers the modes: by how little the gateway can do by
// itself, but for the cluster's secret, which is there because its operator gave it. With
// Verify the person's session is their own; with ExecuteAs the gateway's grants say in
// whose name it may act. Static is nobody's choice but the operator's.
var order = []Mode{Verify, ExecuteAs, Forward}

// better reports whether a mode comes before another.
func better(mode, than Mode) bool {
	return mode != "" && slices.Index(order, mode) < slices.Index(order, than)
}

// Choose returns the first mode in the order of preference that was found to work, and
// why; "": none works, and why says what stands in the way. What a lacks was not tried,
// but for tokens, of which only a.Tokens says that there are some; a.Mode does not matter.
//
// Where EXECUTE AS is there and not granted for the person it stays the choice: that
// nobody granted it is no reason to come in by another way.
func Choose(f Facts, a Access) (mode Mode, why string) {
	switch {
	case !f.Reached.Works():
		return "", "ClickHouse was not reached: " + f.Reached.Said
	case f.Ticket.Works():
		return Verify, "ClickHouse asks our authenticator, so the person's session is the person's own"
	case f.ExecuteAs.Known.Works():
		return ExecuteAs, "EXECUTE AS is there, and needs nothing but grants"
	case a.Tokens && f.Bearer.Works():
		return Forward, "there is no EXECUTE AS, and ClickHouse takes the person's own token"
	case f.Gateway.Login.Failed():
		return "", "ClickHouse does not let the gateway's account in: " + f.Gateway.Login.Said
	}
	return "", "ClickHouse lets nobody in by a ticket, by EXECUTE AS or by a token: " + f.ExecuteAs.Known.Said
}
