package clickhouse

import (
	"context"
	"slices"
	"time"

	"porterhouse"
)

// lane is the mode in which a Client carries statements. It is made once and never
// changed: Auto puts another in its place.
type lane struct {
	mode Mode // never "" or Auto
	why  string
	way  way // over HTTP; nil for Interserver
}

func newLane(c *Client, mode Mode, access Access, why string) *lane {
	l := &lane{mode: mode, why: why}
	if mode != Interserver {
		l.way = newWay(c, mode, access)
	}
	return l
}

// laneFor is the lane of a question of the account's, which may take atMost. It costs a look
// at a pointer, but for the first question in the mode Auto.
func (c *Client) laneFor(ctx context.Context, as porterhouse.Account, atMost time.Duration) (*lane, error) {
	if l := c.lane.Load(); l != nil {
		return l, nil
	}
	if err := checkUser(as.User, c.cleaner.gateway); err != nil {
		return nil, err
	}
	return c.auto.first(ctx, as.User, atMost)
}

// Mode returns the access mode in use, and why it is that one; "": Auto has not found
// one.
func (c *Client) Mode() (mode Mode, why string) {
	if l := c.lane.Load(); l != nil {
		return l.mode, l.why
	}
	return "", "nobody has asked yet, or no way was found to work"
}

// is reports whether the lane is one of that mode; nil is none.
func (l *lane) is(mode Mode) bool { return l != nil && l.mode == mode }

// order is that in which Choose prefers the modes: by how little the gateway can do by
// itself, but for the cluster's secret, which is there because its operator gave it. With
// Verify the person's session is their own; with ExecuteAs the gateway's grants say in
// whose name it may act. Static is nobody's choice but the operator's.
var order = []Mode{Verify, ExecuteAs, Interserver, Forward}

// better reports whether a mode comes before another.
func better(mode, than Mode) bool {
	return mode != "" && slices.Index(order, mode) < slices.Index(order, than)
}

// Choose returns the first mode in the order of preference that was found to work, and
// why; "": none works, and why says what stands in the way. What a lacks was not tried,
// but for tokens, of which only a.Tokens says that there are some; a.Mode does not matter.
//
// Where EXECUTE AS is there and not granted for the person it stays the choice: that
// nobody granted it is no reason to come in by another way. What comes after it is
// chosen only where ClickHouse itself has said that nothing before it is there: neither a
// network that failed for a moment nor a password that was changed says so.
func Choose(f Facts, a Access) (mode Mode, why string) {
	known := f.ExecuteAs.Known
	unheard := f.Ticket.Failed() && f.Ticket.Code == 0
	without := !unheard && (known.Failed(Unknown, SwitchedOff, CompiledOut) || f.Gateway.Login.Cause == NotConfigured)
	switch {
	case !f.Reached.Works():
		return "", "ClickHouse was not reached: " + f.Reached.Said
	case f.Ticket.Works():
		return Verify, "ClickHouse asks our authenticator, so the person's session is the person's own"
	case known.Works():
		return ExecuteAs, "EXECUTE AS is there, and needs nothing but grants"
	case f.Gateway.Login.Failed():
		return "", "ClickHouse does not let the gateway's account in: " + f.Gateway.Login.Said
	case without && f.Native.Secret.Works():
		return Interserver, "there is no EXECUTE AS, and the cluster's secret was given"
	case without && a.Tokens && f.Bearer.Works():
		return Forward, "there is no EXECUTE AS, and ClickHouse takes the person's own token"
	case unheard:
		return "", "it could not be tried whether ClickHouse asks our authenticator: " + f.Ticket.Said
	}
	return "", "ClickHouse lets nobody in by a ticket, by EXECUTE AS, by the cluster's secret or by a token: " + known.Said
}
