package proxy

import (
	"sync/atomic"
	"time"

	"porterhouse"
)

// maxRoom is how much memory all requests together may take beyond what each has for
// itself, in bytes: for large compressed blocks, and for tables that come before their
// query. A kilobyte can ask for a quarter of a megabyte, and nobody has had to wait for
// a place in a queue yet.
const maxRoom = 512 << 20

// room is how much of it is taken.
type room struct{ taken atomic.Int64 }

// corner is what one request has of the room.
type corner struct {
	room *room
	size atomic.Int64
}

// take takes so many bytes more.
func (c *corner) take(bytes int64) error {
	if c.room.taken.Add(bytes) > maxRoom {
		c.room.taken.Add(-bytes)
		return &porterhouse.Error{Kind: porterhouse.Limited, RetryAfter: time.Second,
			Public: "too many large requests are under way: try again in a moment, or send smaller compressed blocks, and a form's query before its tables"}
	}
	c.size.Add(bytes)
	return nil
}

// leave gives everything back.
func (c *corner) leave() {
	c.room.taken.Add(-c.size.Swap(0))
}
