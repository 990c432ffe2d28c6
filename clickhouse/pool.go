package clickhouse

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pool sends requests of HTTP/1.1 to one server, each over a connection that is
// its own until the answer has ended. Whoever asks writes and reads it: there
// are no goroutines behind a connection, so nothing is handed from one to another;
// only what a client uploads has one of its own (upload.go).
//
// It follows no redirect, asks no proxy, not even one named in the environment,
// and does not compress: ClickHouse is mostly near, and its CPU and ours are
// dearer than the bytes.
type pool struct {
	connect func(context.Context) (net.Conn, error)
	places  chan struct{} // a token for each connection in use
	pieces  sync.Pool     // of *piece, for uploads

	mu     sync.Mutex
	idle   []*connection // the one used last is the last
	sweep  *time.Timer   // closes those that nobody used; nil while there are none
	closed bool
}

const (
	// idleTimeout is how long an unused connection is kept. ClickHouse closes it
	// after its keep_alive_timeout: 3 s in old configuration files, 10 and 30 s in
	// newer ones. A statement sent at that moment would fail and could not be sent
	// again, because nobody knows whether it ran; so we hang up first.
	idleTimeout = 2 * time.Second

	// readBuffer is the buffer of a connection, in bytes. It holds a header; a long
	// body passes it by.
	readBuffer = 4 << 10
)

// newPool makes a pool of at most size connections.
func newPool(size int, connect func(context.Context) (net.Conn, error)) *pool {
	return &pool{connect: connect, places: make(chan struct{}, size), pieces: sync.Pool{New: func() any { return new(piece) }}}
}

// ask sends a request and returns the header of the response; its body is open, and
// has to be closed. sent is true from when the first byte of the request may have
// left. One of which not one byte could be written to a connection that had been used
// before, and of whose data nobody has read any, is sent again over another.
//
// The response is read while data is still on its way to the server, which may answer
// before it has it all. The end of ctx closes the connection, and with it the response,
// until its body has been read to its end or closed. A body that is closed before its
// end closes the connection; so does one that ends before the request.
//
// Nobody reads data or tables any more when ask has failed, or the body was closed.
func (p *pool) ask(ctx context.Context, o outgoing, sent *atomic.Bool) (*response, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		c, used, login, err := p.begin(ctx, &o)
		if err != nil {
			<-p.places
			return nil, err
		}
		e := newExchange(p, c, &o)
		e.unwatch = context.AfterFunc(ctx, e.cut)
		r, written, err := e.run(&o, login, sent)
		if err == nil {
			return r, nil
		}
		again := used && !written && ctx.Err() == nil
		e.drop(!again)
		e.upload.wait()
		if !again {
			return nil, err
		}
	}
}

// begin returns a connection, whether it was used before, and the fields that log in.
func (p *pool) begin(ctx context.Context, o *outgoing) (c *connection, used bool, login string, err error) {
	if c, used, err = p.take(ctx); err != nil || o.login == nil {
		return c, used, "", err
	}
	if login, err = o.login(ctx); err != nil {
		c.Close()
	}
	return c, used, login, err
}

// take returns a connection, and whether it was used before.
func (p *pool) take(ctx context.Context) (c *connection, used bool, err error) {
	for c := p.pop(); c != nil; c = p.pop() {
		if time.Since(c.since) < idleTimeout && c.isQuiet() {
			return c, true, nil
		}
		c.Close()
	}
	plain, err := p.connect(ctx)
	if err != nil {
		return nil, false, err
	}
	return newConnection(plain), false, nil
}

// pop takes the connection that was used last from those that are idle; nil when there is none.
func (p *pool) pop() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

// keep makes a connection idle.
func (p *pool) keep(c *connection) {
	c.since = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return
	}
	p.idle = append(p.idle, c)
	if p.sweep == nil {
		p.sweep = time.AfterFunc(idleTimeout, p.closeUnused)
	}
}

// closeUnused closes what was idle for too long, and comes again while there is
// something that may become so.
func (p *pool) closeUnused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.idle = slices.DeleteFunc(p.idle, func(c *connection) bool {
		old := now.Sub(c.since) >= idleTimeout
		if old {
			c.Close()
		}
		return old
	})
	p.sweep = nil
	if len(p.idle) > 0 {
		p.sweep = time.AfterFunc(idleTimeout-now.Sub(p.idle[0].since), p.closeUnused)
	}
}

// close closes idle connections, and the others when their answers have ended.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.Close()
	}
	p.idle = nil
}
