package clickhouse

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"net"
	"time"

	"porterhouse"
)

// Lane is the session lane of a client of its own, for tests that look at nothing else.
type Lane struct{ *sessions }

// NewLane makes a Lane.
func NewLane(c Config) (Lane, error) {
	client, err := New(c)
	if err != nil {
		return Lane{}, err
	}
	c.Spool = cmp.Or(c.Spool, NewSpool())
	s, err := newSessions(client, c)
	return Lane{s}, err
}

// Run is run.
func (l Lane) Run(ctx context.Context, as porterhouse.Account, q porterhouse.Query) (*porterhouse.Answer, error) {
	return l.run(ctx, as, q)
}

// Pinned is pinned.
func (l Lane) Pinned(owner, id string) bool {
	return l.pinned(&porterhouse.Session{Owner: owner, ID: id})
}

// Close is close.
func (l Lane) Close(ctx context.Context) error { return l.close(ctx) }

// ErrorNames are the names of ClickHouse's errors, and StatusOf what status they have.
var ErrorNames = errorNames

// StatusOf is statusOf.
func StatusOf(code int32) int { return statusOf(code) }

// Spooled counts more bytes of a person's as being in files, and returns how many are.
func (l Lane) Spooled(person string, more int64) int64 {
	used, _ := l.spool.add(person, more)
	return used
}

// StopTooLate stops a statement when the next one has begun, and reports whether that
// one was hit.
func StopTooLate() bool {
	near, far := net.Pipe()
	defer far.Close()
	c := newNativeConn(near, readBuffer)
	stop := c.begins()
	c.enter(idle)
	c.begins()
	stop()
	return near.SetDeadline(time.Time{}) != nil
}

// ReadPackets reads all that a server sent, as the answer to a statement.
func ReadPackets(sent []byte) error {
	r := wireReader{in: bufio.NewReader(bytes.NewReader(sent))}
	for r.err == nil {
		r.packet(nil)
	}
	return r.err
}

// HandOver is that of the lanes' clients.
func (l Lane) HandOver(to Lane) { handOver(l.sessions, to.sessions) }
