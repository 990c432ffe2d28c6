package authenticator

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// Kept makes the answers to ClickHouse cheap. It asks for every statement, over
// connections that it keeps; and net/http watches the connection of each request, by a
// goroutine of its own, in case the client hangs up: here that takes as long as all
// the rest. So a connection over which somebody was let in is taken out of its hands,
// and whoever has answered a request reads the next.
//
//	net/http ── request ──▶ Handler ── 200 ──▶ Kept ──▶ answer ──▶ next request ──▶ Handler …
//	    ▲                      │
//	    └──── anything else ───┘
//
// Who was not let in, or speaks HTTP/2, gets no further than net/http. All fields are
// needed.
type Kept struct {
	Handler       http.Handler
	HeaderTimeout time.Duration // from the first byte of a request to the end of its header; and for its answer to be taken
	IdleTimeout   time.Duration // between two requests
	MaxHeader     int64         // bytes of a request
}

// ServeHTTP implements http.Handler. It returns when the connection has ended, or the
// context of r has.
func (k Kept) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := k.answer(r)
	if a.status == http.StatusOK && !a.last {
		conn, buffers, err := http.NewResponseController(w).Hijack()
		if err == nil {
			defer conn.Close()
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

// keep sends the answer to r, and then reads and answers the requests that follow.
func (k Kept) keep(conn net.Conn, buffers *bufio.ReadWriter, r *http.Request, a *answer) {
	ctx := r.Context()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	limited := &io.LimitedReader{R: buffers.Reader}
	in := bufio.NewReader(limited)
	for {
		if conn.SetWriteDeadline(time.Now().Add(k.HeaderTimeout)) != nil || a.send(buffers.Writer, r) != nil || a.last {
			return
		}
		limited.N = k.MaxHeader
		next, err := k.read(ctx, conn, in)
		if err != nil {
			return // it has hung up, is late, or sent what is no request: net/http tells nobody either
		}
		next.RemoteAddr, next.TLS = r.RemoteAddr, r.TLS
		r = next.WithContext(ctx)
		a = k.answer(r)
	}
}

// read reads the next request.
func (k Kept) read(ctx context.Context, conn net.Conn, in *bufio.Reader) (*http.Request, error) {
	if err := conn.SetReadDeadline(time.Now().Add(k.IdleTimeout)); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // of which the deadline above may have undone the news
		return nil, err
	}
	if _, err := in.Peek(1); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(k.HeaderTimeout)); err != nil {
		return nil, err
	}
	return http.ReadRequest(in)
}

// answer is what Handler says to one request. It implements http.ResponseWriter.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	last   bool // no request may follow
}

// answer asks Handler. What follows a body is not known to be a request: nobody has read
// the body.
func (k Kept) answer(r *http.Request) *answer {
	a := &answer{header: make(http.Header, 4)}
	k.Handler.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK)
	a.last = r.Close || r.Proto != "HTTP/1.1" || r.ContentLength != 0 || a.header.Get("Connection") != ""
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
