package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"time"

	"porterhouse"
)

// progressField has ClickHouse's progress, once for each line that it tells.
const progressField = "X-ClickHouse-Progress"

// progress passes on how far a query is (send_progress_in_http_headers): each line is a
// field of the answer's head, sent when it comes, while the head is not at its end yet.
//
// net/http writes a head at once, so the first line takes the connection over from it;
// it serves no other request afterwards. Where that cannot be (HTTP/2, HTTP/1.0, a body
// that still arrives), the client gets the newest line, with the rest of the head.
type progress struct {
	exchange *exchange
	cancel   context.CancelFunc // stops the query of a client that is gone
	newest   string             // line that was not sent; "": none
	taken    *taken             // nil: the connection is net/http's
	err      error              // why it could not be taken
	finished bool               // the head is at its end: nothing more goes into it
}

// tell passes one line on.
func (p *progress) tell(line string) {
	if p.finished {
		return
	}
	line = oneLine(line)
	if p.taken == nil && p.mayTake() {
		p.taken, p.err = p.take()
	}
	if p.taken == nil {
		p.newest = line
		return
	}
	p.taken.field(progressField, line)
	if p.taken.flush() != nil {
		p.cancel()
	}
}

// mayTake reports whether the connection can be taken over now.
func (p *progress) mayTake() bool {
	r := p.exchange.r
	return p.err == nil && r.ProtoAtLeast(1, 1) && r.ProtoMajor == 1 && r.Method != http.MethodHead && p.exchange.body.whole()
}

// take takes the connection over and begins the answer.
func (p *progress) take() (*taken, error) {
	connection, buffered, err := http.NewResponseController(p.exchange.w).Hijack()
	if err != nil {
		return nil, err
	}
	t := &taken{connection: connection, out: buffered.Writer}
	_, _ = t.out.WriteString("HTTP/1.1 200 OK\r\n") // flush tells
	go watch(buffered.Reader, p.cancel)             // ends with the connection
	return t, nil
}

// watch waits until a client that should be silent is gone.
func watch(from io.Reader, gone context.CancelFunc) {
	if _, err := io.Copy(io.Discard, from); err == nil || !errors.Is(err, net.ErrClosed) {
		gone()
	}
}

// finish writes the rest of the head, if the connection was taken over; nil: it was not.
func (p *progress) finish(fields []porterhouse.Setting) reply {
	p.finished = true
	h := p.exchange.w.Header()
	if p.taken == nil {
		if p.newest != "" {
			setField(h, progressField, p.newest)
		}
		return nil
	}
	for _, f := range fields {
		if !isOurs(f.Name) {
			p.taken.field(f.Name, oneLine(f.Value))
		}
	}
	for name, values := range h {
		if name == "Keep-Alive" || slices.ContainsFunc(fields, func(f porterhouse.Setting) bool { return strings.EqualFold(f.Name, name) }) {
			continue
		}
		for _, value := range values {
			p.taken.field(name, oneLine(value))
		}
	}
	p.taken.field("Date", time.Now().UTC().Format(http.TimeFormat))
	p.taken.field("Connection", "close")
	p.taken.field("Transfer-Encoding", "chunked")
	_, _ = p.taken.out.WriteString("\r\n") // flush tells
	p.taken.chunks = httputil.NewChunkedWriter(p.taken.out)
	return p.taken
}

// close closes a connection that was taken over.
func (p *progress) close() {
	if p.taken != nil {
		_ = p.taken.connection.Close() // what is not whole was said to be so, or is to look broken
	}
}

// oneLine keeps the value of a field in its line.
func oneLine(value string) string {
	return strings.Map(func(c rune) rune {
		if c == '\r' || c == '\n' || c == 0 {
			return ' '
		}
		return c
	}, value)
}

// taken is a connection that was taken over, and the reply on it.
type taken struct {
	connection net.Conn
	out        *bufio.Writer
	chunks     io.WriteCloser
}

// patience is how long a client may take to take what is written.
const patience = 30 * time.Second

func (t *taken) field(name, value string) {
	_, _ = t.out.WriteString(name + ": " + value + "\r\n") // flush tells
}

// Write implements io.Writer.
func (t *taken) Write(piece []byte) (int, error) {
	if err := t.connection.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return t.chunks.Write(piece)
}

func (t *taken) flush() error {
	if err := t.connection.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return t.out.Flush()
}

// end implements reply.
func (t *taken) end(whole bool) error {
	if !whole {
		return t.flush()
	}
	err := t.chunks.Close()
	_, _ = t.out.WriteString("\r\n") // the end of the trailer, which is empty; flush tells
	return errors.Join(err, t.flush())
}
