package clickhouse

import (
	"errors"
	"io"
	"sync/atomic"
)

// exchange is one request and its response. It is also the response's body.
type exchange struct {
	pool       *pool
	connection *connection
	upload     *upload // nil: the request is sent when its response begins
	body       io.Reader
	peeked     []byte // of body, and still to be read
	closes     bool   // the server will close the connection
	unwatch    func() bool
	end        atomic.Int32
}

// How an exchange stands.
const (
	running = iota
	ended   // the response was read to its end
	dropped // it was not
)

// errDropped is what Read says of a response that was not read to its end, and
// whose connection is gone.
var errDropped = errors.New("the response was closed before its end")

func newExchange(p *pool, c *connection, o *outgoing) *exchange {
	e := &exchange{pool: p, connection: c}
	if o.uploads() {
		e.upload = newUpload(p, c, o)
	}
	return e
}

// run writes the request, with the fields that log in, and reads the header of the
// response. written says whether the server may have anything of the request.
func (e *exchange) run(o *outgoing, login string, sent *atomic.Bool) (r *response, written bool, err error) {
	c := e.connection
	begin, boundary := o.framed(login)
	sent.Store(true)
	written, writeErr := c.send(begin, o.text())
	if !written {
		sent.Store(false)
		return nil, false, writeErr
	}
	if e.upload != nil && writeErr == nil {
		e.upload.begin(boundary)
	}
	// A server that refuses a request may hang up before it has read it all; then
	// what it said is more to the point than that nobody listened.
	header := headerReader{in: c.in, left: maxHeader, progress: o.progress}
	r, err = header.read()
	if err != nil {
		return nil, true, e.why(errors.Join(writeErr, err))
	}
	e.body, e.closes, r.body = r.open(c.in), r.closes || writeErr != nil, e
	return r, true, nil
}

// Read implements io.Reader for the body.
func (e *exchange) Read(p []byte) (int, error) {
	end := e.end.Load()
	switch {
	case end == dropped:
		return 0, e.why(errDropped)
	case len(e.peeked) > 0:
		n := copy(p, e.peeked)
		e.peeked = e.peeked[n:]
		return n, nil
	case end == ended:
		return 0, io.EOF
	}
	n, err := e.body.Read(p)
	switch {
	case err == io.EOF:
		e.finish()
	case err != nil:
		err = e.why(err)
		e.drop(true)
	}
	return n, err
}

// why returns why the upload was broken off, if it was because of its data: then we
// have closed the connection, and err says no more than that.
func (e *exchange) why(err error) error {
	if cause := e.upload.cause(); cause != nil {
		return cause
	}
	return err
}

// Close implements io.Closer for the body. What was not read is not waited for.
func (e *exchange) Close() error {
	e.drop(true)
	e.upload.wait()
	return nil
}

// finish gives the connection back after a whole response to a whole request.
func (e *exchange) finish() {
	if !e.end.CompareAndSwap(running, ended) {
		return
	}
	whole := e.upload.settle()
	if e.unwatch() && whole && !e.closes && e.connection.in.Buffered() == 0 {
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
	e.cut()
	if leave {
		<-e.pool.places
	}
}

// cut ends the exchange at once, whatever it is doing.
func (e *exchange) cut() {
	e.connection.cut()
	e.upload.halt()
}
