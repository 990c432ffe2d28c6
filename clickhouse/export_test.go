package clickhouse

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"time"

	"porterhouse"
)

// CodeNames returns the names of the codes in the tables.
func CodeNames() map[int]string {
	names := map[int]string{}
	for code, r := range rules {
		names[code] = r.name
	}
	for code, t := range serversOwn {
		names[code] = t.name
	}
	return names
}

// ParseGrants reads the answer to SHOW GRANTS.
var ParseGrants = parseGrants

// ProbeComment is the log_comment of what Probe asks.
const ProbeComment = probeComment

// Hurry makes Run look more often than it does. Call it before.
func (c *Client) Hurry() { c.auto.every, c.auto.pause = 50*time.Millisecond, time.Millisecond }

// Doubts reports whether the mode Auto would look again at once, if only Run ran.
func (c *Client) Doubts() bool { return len(c.auto.doubts) > 0 }

// TokenClock moves the clock by which it is old whose tokens are. Call it before.
func (c *Client) TokenClock(now func() time.Time) { c.owners.now = now }

// TokensKept returns of how many tokens the owner is known, after n were asked for.
func TokensKept(n int) int {
	o := newOwners(errands{})
	for i := range n {
		o.keep(sha256.Sum256(strconv.AppendInt(nil, int64(i), 10)), "alice")
	}
	return len(o.known)
}

// AskForLanes asks for the lane of a question again and again, of a client in a mode, which Auto has
// found already.
func AskForLanes(b *testing.B, mode Mode, as porterhouse.Account) {
	c, err := New(Config{URL: "http://127.0.0.1:1", User: "gateway", Access: Access{Mode: mode}})
	if err != nil {
		b.Fatal(err)
	}
	c.lane.Store(newLane(c, ExecuteAs, Access{}, ""))
	ctx := b.Context()
	for b.Loop() {
		if l, err := c.laneFor(ctx, as, time.Minute); err != nil || l.mode != ExecuteAs || c.lacks.get() != nil {
			b.Fatal("another lane")
		}
	}
}
