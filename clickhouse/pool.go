package clickhouse

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pool sends requests of HTTP/1.1 to one server, each over a connection that is
// its own until the answer has ended. Whoever asks writes and reads it: there
// are no goroutines behind a connection, so nothing is handed from one to another.
//
// It follows no redirect, asks no proxy, not even one named in the environment,
// and does not compress: ClickHouse is mostly near, and its CPU and ours are
// dearer than the bytes.
type pool struct {
	connect func(context.Context) (net.Conn, error)
	places  chan struct{} // a token for each connection in use

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

	// maxHeader bounds the header of a response, in bytes; ClickHouse sends about 1 KiB.
	maxHeader = 64 << 10

	// readBuffer is the buffer of a connection, in bytes. It holds a header; a long
	// body passes it by.
	readBuffer = 4 << 10
)

// newPool makes a pool of at most size connections.
func newPool(size int, connect func(context.Context) (net.Conn, error)) *pool {
	return &pool{connect: connect, places: make(chan struct{}, size)}
}

// ask sends a request, of which head is all before the body, and returns the
// response. sent is true from when the first byte of it may have left. A request
// of which not one byte could be written to a connection that had been used before
// is sent again over another.
//
// The end of ctx closes the connection, and with it the response, until its body
// has been read to its end or closed. A body that is closed before its end closes
// the connection.
func (p *pool) ask(ctx context.Context, head []byte, body string, sent *atomic.Bool) (*http.Response, error) {
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		c, used, err := p.take(ctx)
		if err != nil {
			<-p.places
			return nil, err
		}
		e := &exchange{pool: p, connection: c}
		e.unwatch = context.AfterFunc(ctx, c.cut)
		response, written, err := e.run(head, body, sent)
		if err == nil {
			return response, nil
		}
		again := used && !written && ctx.Err() == nil
		e.drop(!again)
		if !again {
			return nil, err
		}
	}
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

// connection is one connection to the server.
type connection struct {
	net.Conn
	plain net.Conn // what is below TLS
	in    *bufio.Reader
	left  int       // bytes that the header of the response may still have
	since time.Time // idle since
}

func newConnection(conn net.Conn) *connection {
	c := &connection{Conn: conn, plain: conn, left: endlessHeader}
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		c.plain = secure.NetConn()
	}
	c.in = bufio.NewReaderSize(c, readBuffer)
	return c
}

// sendPiece is how much of a body is sent at once, in bytes.
const sendPiece = 64 << 10

// send writes a request, in one piece if it is short: a header that comes alone
// wakes the server for nothing. written says whether a byte of it may have left.
func (c *connection) send(head []byte, body string) (written bool, err error) {
	for piece := head; ; piece = piece[:0] {
		n := min(len(body), sendPiece)
		piece = append(piece, body[:n]...)
		body = body[n:]
		sent, err := c.Write(piece)
		written = written || sent > 0
		if err != nil || body == "" {
			return written, err
		}
	}
}

// isQuiet reports whether an idle connection is still open and nothing waits to be
// read, which would be taken for the answer to the next request.
func (c *connection) isQuiet() bool {
	quiet := isQuiet(c.plain)
	if !quiet || c.plain == c.Conn {
		return quiet
	}
	// What TLS has read already is not at the socket any more. A time that is over
	// keeps it from reading on.
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return false
	}
	_, err := c.Conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded) && c.SetReadDeadline(time.Time{}) == nil
}

// receive reads the header of the response. Others may come before (1xx), which
// only say that it will.
func (c *connection) receive() (*http.Response, error) {
	c.left = maxHeader
	defer func() { c.left = endlessHeader }()
	for {
		response, err := http.ReadResponse(c.in, nil)
		switch {
		case err != nil:
			return nil, err
		case response.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the server wants to go on in another protocol than HTTP (status 101)")
		case response.StatusCode/100 != 1:
			return response, nil
		}
	}
}

// cut ends the connection at once, whatever it is doing; with TLS, without a word.
func (c *connection) cut() { _ = c.plain.Close() } // nobody reads it any more

// endlessHeader is left while no header is read.
const endlessHeader = -1

// Read implements io.Reader, within what a header may have.
func (c *connection) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, fmt.Errorf("the header of the response has more than %d bytes", maxHeader)
	}
	if c.left > 0 && len(p) > c.left {
		p = p[:c.left]
	}
	n, err := c.Conn.Read(p)
	if c.left > 0 {
		c.left -= n
	}
	return n, err
}

// exchange is one request and its response. It is also the response's body.
type exchange struct {
	pool       *pool
	connection *connection
	body       io.ReadCloser
	closes     bool // the server ends the connection after this response
	unwatch    func() bool
	end        atomic.Int32 // how it ended
}

// How an exchange ends: once, and then the connection is not its own any more.
const (
	running = iota
	ended   // the response was read to its end
	dropped // it was not
)

// errDropped is what Read says of a response that was not read to its end, and
// whose connection is gone.
var errDropped = errors.New("the response was closed before its end")

// run writes the request and reads the header of the response. written says
// whether the server may have anything of the request.
func (e *exchange) run(head []byte, body string, sent *atomic.Bool) (response *http.Response, written bool, err error) {
	c := e.connection
	sent.Store(true)
	written, writeErr := c.send(head, body)
	if !written {
		sent.Store(false)
		return nil, false, writeErr
	}
	// A server that refuses a request may hang up before it has read it all; then
	// what it said is more to the point than that nobody listened.
	response, err = c.receive()
	if err != nil {
		return nil, true, errors.Join(writeErr, err)
	}
	e.body, e.closes = response.Body, response.Close || writeErr != nil
	response.Body = e
	return response, true, nil
}

// Read implements io.Reader for the body.
func (e *exchange) Read(p []byte) (int, error) {
	switch e.end.Load() {
	case ended:
		return 0, io.EOF
	case dropped:
		return 0, errDropped
	}
	n, err := e.body.Read(p)
	switch {
	case err == io.EOF:
		e.finish()
	case err != nil:
		e.drop(true)
	}
	return n, err
}

// Close implements io.Closer for the body. What was not read is not waited for.
func (e *exchange) Close() error {
	e.drop(true)
	return nil
}

// finish gives the connection back after a whole response.
func (e *exchange) finish() {
	if !e.end.CompareAndSwap(running, ended) {
		return
	}
	if e.unwatch() && !e.closes && e.connection.in.Buffered() == 0 {
		e.pool.keep(e.connection)
	} else {
		e.connection.cut()
	}
	<-e.pool.places
}

// drop closes the connection, and leaves its place to others unless it is needed again.
func (e *exchange) drop(leave bool) {
	if !e.end.CompareAndSwap(running, dropped) {
		return
	}
	e.unwatch()
	e.connection.cut()
	if leave {
		<-e.pool.places
	}
}
