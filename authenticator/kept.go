package authenticator

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Kept makes the answers to ClickHouse cheap. It asks for every statement, over
// connections that it keeps; and net/http watches the connection of each request, by a
// goroutine of its own, in case the client hangs up: here that takes as long as all
// the rest. So a connection over which somebody was let in is taken out of its hands,
// and whoever has answered a request reads the next.
//
//	net/http ── request ──▶ Handler ── 200 ──▶ Kept ──▶ answer ──▶ next request ──▶ Handler …
//	    ▲                      │                                                       │
//	    └──── anything else ───┘                     the connection ends ◀── not 200 ──┘
//
// Who was not let in, or speaks HTTP/2, gets no further than net/http, and a refusal is
// the last that is said over a kept connection. Nobody notices there that ClickHouse hangs
// up while Handler decides, so Handler is to have bounds of its own, as Authenticator has.
// What is idle is bounded as at the other doors, by IdleTimeout. All exported fields are
// needed.
type Kept struct {
	Handler       http.Handler
	HeaderTimeout time.Duration // from the first byte of a request to the end of its header; and for its answer to be taken
	IdleTimeout   time.Duration // between two requests
	MaxHeader     int64         // bytes of a request

	mu      sync.Mutex
	ending  bool                  // Shutdown was called
	lines   map[net.Conn]struct{} // that are kept
	running sync.WaitGroup        // of them
}

// ServeHTTP implements http.Handler. It returns when the connection has ended, or the
// context of r has.
func (k *Kept) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := k.answer(r)
	if !a.last && k.enter() {
		defer k.running.Done()
		conn, buffers, err := http.NewResponseController(w).Hijack()
		if err == nil {
			defer k.leave(conn)
			k.keep(conn, buffers, r, a)
			return
		}
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // ClickHouse has gone: it will ask again
}

// Shutdown ends what an http.Server does not know any more: kept connections that are idle
// at once, and the others with the answer that is due. It waits for them until ctx ends.
func (k *Kept) Shutdown(ctx context.Context) error {
	k.mu.Lock()
	k.ending = true
	for conn := range k.lines {
		wake(conn)
	}
	k.mu.Unlock()
	done := make(chan struct{})
	go func() { k.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("authenticator: an answer to ClickHouse was not taken in time: %w", ctx.Err())
	}
}

// wake ends a wait for the next request.
func wake(conn net.Conn) { _ = conn.SetReadDeadline(time.Unix(1, 0)) } // or it is closed

// enter counts one more connection as kept, unless there is to be none.
func (k *Kept) enter() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.ending {
		k.running.Add(1)
	}
	return !k.ending
}

// leave closes a connection.
func (k *Kept) leave(conn net.Conn) {
	k.mu.Lock()
	delete(k.lines, conn)
	k.mu.Unlock()
	_ = conn.Close() // nothing is lost with it
}

// goesOn reports whether another request of the connection will be read, which Shutdown
// then knows of.
func (k *Kept) goesOn(conn net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lines == nil {
		k.lines = map[net.Conn]struct{}{}
	}
	k.lines[conn] = struct{}{}
	return !k.ending
}

// keep sends the answer to r, and then reads and answers the requests that follow.
func (k *Kept) keep(conn net.Conn, buffers *bufio.ReadWriter, r *http.Request, a *answer) {
	ctx := r.Context()
	defer context.AfterFunc(ctx, func() { wake(conn) })()
	limited := &io.LimitedReader{R: buffers.Reader}
	in := bufio.NewReader(limited)
	for {
		a.last = a.last || !k.goesOn(conn)
		if conn.SetWriteDeadline(time.Now().Add(k.HeaderTimeout)) != nil || a.send(buffers.Writer, r) != nil || a.last {
			return
		}
		limited.N = k.MaxHeader
		next, err := k.next(ctx, conn, in)
		if err != nil {
			return // it has hung up, is late, or sent what is no request: net/http tells nobody either
		}
		next.RemoteAddr, next.TLS = r.RemoteAddr, r.TLS
		r = next.WithContext(ctx)
		a = k.answer(r)
	}
}

// next reads the next request.
func (k *Kept) next(ctx context.Context, conn net.Conn, in *bufio.Reader) (*http.Request, error) {
	if err := conn.SetReadDeadline(time.Now().Add(k.IdleTimeout)); err != nil {
		return nil, err
	}
	if ctx.Err() != nil || !k.goesOn(conn) { // of which the deadline above may have undone the news
		return nil, http.ErrServerClosed
	}
	if _, err := in.Peek(1); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(k.HeaderTimeout)); err != nil {
		return nil, err
	}
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, err
	}
	for name := range r.Header { // as a server of net/http: "Content-Length : 9" is a length to some (RFC 9112, section 5.1)
		if strings.Contains(name, " ") {
			return nil, fmt.Errorf("authenticator: the header has a name with a space, %q", name)
		}
	}
	return r, nil
}

// answer is what Handler says to one request. It implements http.ResponseWriter.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	last   bool // no request may follow
}

// answer asks Handler. What follows a body is not known to be a request: nobody has read
// the body. And nothing follows for those who were not let in.
func (k *Kept) answer(r *http.Request) *answer {
	a := &answer{header: make(http.Header, 4)}
	k.Handler.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK)
	a.last = a.status != http.StatusOK || r.Close || r.Proto != "HTTP/1.1" || r.ContentLength != 0 || a.header.Get("Connection") != ""
	return a
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. The first status counts.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// send sends the answer to r in one piece.
func (a *answer) send(out *bufio.Writer, r *http.Request) error {
	a.header.Set("Date", time.Now().UTC().Format(http.TimeFormat)) // RFC 9110, section 6.6.1
	response := http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Header: a.header, Close: a.last, Request: r,
		Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()),
	}
	if err := response.Write(out); err != nil {
		return err
	}
	return out.Flush()
}
