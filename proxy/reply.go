package proxy

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"porterhouse"
)

// reply is where an answer goes once its head is written.
type reply interface {
	io.Writer
	flush() error         // sees to it that what there is goes out
	end(whole bool) error // there is no more; the answer is whole, or was cut off
}

// unknown is the size of an answer of which more may come.
const unknown = -1

// begin writes the head of the answer, of which size bytes come.
func (x *exchange) begin(status int, fields []porterhouse.Setting, size int) reply {
	x.status = status
	if x.progress != nil {
		if out := x.progress.finish(fields); out != nil {
			x.status = http.StatusOK // that was said long ago
			return out
		}
	}
	h := x.w.Header()
	for _, f := range fields {
		if isOurs(f.Name) {
			continue
		}
		h[f.Name] = append(h[f.Name], f.Value)
	}
	if x.closes() {
		// ClickHouse may answer before it has read everything, and so may we: without
		// this net/http would first read on by itself, and take the body away from
		// whoever reads it. (It has EnableFullDuplex for that, and then trips over the
		// next request when this one's body was not read to its end.)
		setField(h, "Connection", "close")
	}
	if size != unknown {
		setField(h, "Content-Length", strconv.Itoa(size)) // so that the client sees the end before the connection's
	}
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // nobody guesses one
	}
	x.w.WriteHeader(status)
	return &direct{writer: x.w, control: http.NewResponseController(x.w)}
}

// isOurs reports whether a field of ClickHouse's head says something of its connection
// to us, or what we say ourselves.
func isOurs(name string) bool {
	return slices.ContainsFunc(ours, func(field string) bool { return strings.EqualFold(field, name) })
}

var ours = []string{"Connection", "Content-Length", "Date", "Keep-Alive", "Set-Cookie", "Trailer", "Transfer-Encoding", "Upgrade", "Vary",
	"X-Request-Id", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}

// latency is how long what has come may wait for more. Most answers have ended by then,
// and go out in one piece.
const latency = time.Millisecond

// direct is a reply by way of net/http.
type direct struct {
	writer  http.ResponseWriter
	control *http.ResponseController

	mu      sync.Mutex
	timer   *time.Timer // flushes; nil: it was never needed
	waiting bool        // something was written since the last flush
	ended   bool        // nothing is flushed any more
	err     error       // of the timer's flush
}

// Write implements io.Writer.
func (d *direct) Write(piece []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return 0, d.err
	}
	d.waiting = true
	return d.writer.Write(piece)
}

// flush sees to it that what was written goes out soon.
func (d *direct) flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.timer == nil:
		d.timer = time.AfterFunc(latency, d.late)
	case d.waiting:
		d.timer.Reset(latency)
	}
	return d.err
}

// late is what the timer does.
func (d *direct) late() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting && !d.ended {
		d.waiting = false
		d.err = d.control.Flush()
	}
}

// end implements reply. Nobody touches the ResponseWriter afterwards.
func (d *direct) end(whole bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended = true; d.timer != nil {
		d.timer.Stop()
	}
	if d.err == nil && !whole {
		d.err = d.control.Flush() // what came before it broke off is for the client, too
	}
	return d.err
}
