package clickhouse

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// nativeConn is one connection, logged in as the gateway or with the cluster's secret. One at a time may ask;
// cut and stop may be called from anywhere.
type nativeConn struct {
	net.Conn
	plain  net.Conn // what is below TLS
	buffer int      // of in, in bytes
	in     wireReader
	server serverName
	sound  bool // the last statement ended as it should, so that another may follow

	quotaKey string         // that the person's quotas count by, where they are keyed
	secret   *clusterSecret // with which it logged in; nil: as the gateway

	mu      sync.Mutex
	phase   phase
	turn    int  // counts statements
	stopped bool // the server was asked to end the last of them
}

// phase is how far a statement has come.
type phase int

const (
	idle    phase = iota
	sending       // not all of it has been sent, so the server does not run it
	asked         // the server has all of it
)

// cancelWait is how long the end of a statement is waited for, after the server was
// asked to end it. It looks every 100 ms whether somebody has.
const cancelWait = 2 * time.Second

func newNativeConn(conn net.Conn, buffer int) *nativeConn {
	c := &nativeConn{plain: conn, buffer: buffer}
	c.over(conn)
	return c
}

// over goes on over conn.
func (c *nativeConn) over(conn net.Conn) {
	c.Conn = conn
	c.in = wireReader{in: bufio.NewReaderSize(conn, c.buffer)}
}

// cut ends the connection at once, with TLS without a word.
func (c *nativeConn) cut() { _ = c.plain.Close() } // nobody reads it any more

// quiet reports whether the connection is as a statement must find it: open, and
// with nothing to be read.
func (c *nativeConn) quiet() bool {
	return c.sound && c.in.in.Buffered() == 0 && isQuiet(c.plain)
}

// begins begins another statement, and returns how to end it before its time.
//
// Before the server has all of it, that means to hang up, and nothing happens; after
// that, to say so and to wait a moment for its end. A statement that has ended cannot
// be ended any more, and neither can one that followed it.
func (c *nativeConn) begins() (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	c.phase, c.stopped = sending, false
	turn := c.turn
	return func() { c.stop(turn) }
}

// enter goes on to a phase.
func (c *nativeConn) enter(p phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = p
}

func (c *nativeConn) stop(turn int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case turn != c.turn:
	case c.phase == sending:
		c.cut()
	case c.phase == asked:
		c.stopped = true
		deadline := time.Now().Add(cancelWait)
		if c.SetDeadline(deadline) != nil {
			return // closed
		}
		if _, err := c.Write([]byte{clientCancel}); err != nil {
			c.cut()
		}
	}
}

// ask sends a statement and hears the server out. What ClickHouse says against the
// statement is a *nativeException. After any other error the connection is of no use.
func (c *nativeConn) ask(ctx context.Context, q *nativeQuery) error {
	c.sound = false
	defer context.AfterFunc(ctx, c.begins())()
	if err := q.send(c); err != nil {
		return err
	}
	c.enter(asked)
	err := c.hear(q)
	c.enter(idle)
	if _, heard := errors.AsType[*nativeException](err); err != nil && !heard {
		return err
	}
	if err := c.SetDeadline(time.Time{}); err != nil { // stop may have set one
		return err
	}
	c.sound = true
	return err
}

// fate reports what became of the last statement: whether it left as a whole, without
// which the server cannot have run it; and whether the server was asked to end it. How
// such a statement ends says nothing: one that was cut short ends like any other.
func (c *nativeConn) fate() (sent, stopped bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase != sending, c.stopped
}

// hear reads what the server says until a statement's end.
func (c *nativeConn) hear(q *nativeQuery) error {
	for {
		p := c.in.packet(q.values)
		if c.in.err != nil {
			return c.in.err
		}
		switch p.kind {
		case serverEndOfStream:
			return nil
		case serverException:
			return p.exception
		case serverProgress:
			if q.progress != nil {
				q.progress(p.progress)
			}
		case serverData:
			if err := c.sample(q, p.columns); err != nil {
				return err
			}
		}
	}
}

// sample answers a block without rows. Of an INSERT without data it says which
// columns the server waits for: there are no rows. Otherwise it begins an answer,
// which would have to be printed in some format.
func (c *nativeConn) sample(q *nativeQuery, columns uint64) error {
	switch {
	case columns == 0 || q.values != nil:
		return nil
	case !q.insert:
		return errRows
	}
	_, err := c.Write(appendNoRows(nil))
	return err
}
