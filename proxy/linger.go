package proxy

import (
	"context"
	"net/http"
	"time"
)

// A client that is refused before it has sent everything mostly sends the rest, and
// reads the answer then. A connection that is closed meanwhile is reset, and the answer
// lost: a driver whose token has run out in the middle of an INSERT would not know that
// it only has to get a new one. So what comes is read and dropped for a while.
const (
	lingerTime  = 30 * time.Second // as long as somebody sends
	lingerPause = 2 * time.Second  // as long as nobody does
)

// drained is how much of a body that nobody reads net/http drops by itself before it
// answers, in bytes; then the connection serves the next request.
const drained = 256 << 10

// closes reports whether the connection ends with this answer, because not all of the
// request has come.
func (x *exchange) closes() bool {
	switch {
	case x.r.ProtoMajor != 1:
		return false // in HTTP/2 a stream ends, and nothing else
	case x.body != nil:
		return !x.body.whole()
	}
	return x.r.ContentLength < 0 || x.r.ContentLength > drained
}

// refused reports whether an answer of this status is one that a client is to see
// although it still sends.
func (x *exchange) refused(status int) bool { return status >= http.StatusBadRequest && x.closes() }

// linger drops what the client still sends of a request that was refused.
func (x *exchange) linger() {
	if !x.refused(x.status) || x.broken || x.awaited() {
		return
	}
	if http.NewResponseController(x.w).Flush() != nil {
		return // there is nobody who could read it
	}
	body := x.body
	if body == nil {
		body = &arrival{source: x.r.Body, control: http.NewResponseController(x.w)}
	}
	defer context.AfterFunc(x.r.Context(), body.stop)() // whoever shuts down waits for nobody
	body.drop(lingerTime, lingerPause)
}

// awaited reports whether the client sends nothing before it is told to, and was not.
func (x *exchange) awaited() bool {
	return x.r.Header.Get("Expect") != "" && (x.body == nil || !x.body.begun.Load())
}

// drop reads what comes, and keeps none of it, until the end, or as long as it may.
// Nobody else reads any more.
func (a *arrival) drop(long, pause time.Duration) {
	a.stopped.Store(false)
	end := time.Now().Add(long)
	timer := time.AfterFunc(pause, a.stop)
	defer timer.Stop()
	rest := make([]byte, 32<<10)
	for {
		if _, err := a.Read(rest); err != nil {
			return
		}
		if left := time.Until(end); left <= 0 || !timer.Reset(min(pause, left)) {
			return
		}
	}
}
