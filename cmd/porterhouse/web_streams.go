package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// outerStreams is outer for the door of ClickHouse's clients. Most of it is the same;
// what differs is that
//   - any host may be asked for: nobody is let in by what a browser sends by itself, so
//     a name that was made to point at us gains nothing;
//   - a body has no greatest size and no time in which all of it must come, but whoever
//     sends it may pause for o.BodyTimeout only;
//   - the headers are those that ClickHouse sends too, but for two that keep answers
//     from being stored, or taken for a page, on their way;
//   - neither a status of 500 nor a broken answer is a warning: ClickHouse answers so
//     for most of what a client did wrong, and the door says who did, and what.
func outerStreams(h http.Handler, o outerOptions) http.Handler {
	o.DoorTells = true
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		since := time.Now()
		id := newRequestID()
		r.Header.Set(requestIDHeader, id)
		r.RemoteAddr = caller(r, o.TrustedProxies)
		setStreamHeaders(w.Header(), id)
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w), timeout: o.WriteTimeout}
		defer o.finish(a, r, id, since)
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &patientBody{ReadCloser: r.Body, control: a.control, pause: o.BodyTimeout}
		}
		h.ServeHTTP(a, r)
	})
}

func setStreamHeaders(h http.Header, id string) {
	h[requestIDHeader] = []string{id}
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
}

// The values of headers that are always the same; net/http only reads them.
var (
	noStore = []string{"no-store"}
	noSniff = []string{"nosniff"}
)

// patientBody is a request's body that may take as long as it likes, as long as
// something of it comes. Only while somebody reads there is a deadline: whoever works
// on what was read may take their time, too, and once the body has ended net/http
// reads the connection itself, to notice a client that goes away.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
	pause   time.Duration
	ended   bool
}

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	if b.ended {
		return b.ReadCloser.Read(p)
	}
	_ = b.control.SetReadDeadline(time.Now().Add(b.pause)) // or it has no deadlines
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
		_ = b.control.SetReadDeadline(time.Time{})
	case !errors.Is(err, os.ErrDeadlineExceeded): // else more may come yet, for whoever still wants it
		b.ended = true
	}
	return n, err
}
