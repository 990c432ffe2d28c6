package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"porterhouse"
	"porterhouse/encoding"
)

// addBody adds to q what the body of r holds, decoded, and returns the body. control is
// the connection it comes on. The body takes
// what it needs of the room, until it leaves.
func addBody(q *porterhouse.Query, r *http.Request, p *parameters, control *http.ResponseController, room *room) (*arrival, error) {
	from := &arrival{source: r.Body, control: control, memory: corner{room: room}}
	q.Passage.Stop = from.stop
	coding := r.Header.Get("Content-Encoding")
	if !encoding.Known(coding) {
		return from, refuse(codeNotImplemented, "Unknown compression method '%.100s'. Only 'auto', 'none', 'gzip', 'deflate', 'br', 'zstd', 'lz4' are supported as compression methods", coding)
	}
	if isForm(r) {
		return from, addForm(q, r, p, from)
	}
	packed, err := p.flag("decompress")
	if err != nil {
		return from, err
	}
	data, err := encoding.Decode(coding, from)
	if err != nil {
		return from, err
	}
	q.Passage.Data, q.Passage.Size = data, -1
	switch {
	case packed:
		q.Passage.Data = &unpacking{encoding.BlocksWithin(data, from.memory.take), from}
	case data != from:
		q.Passage.Data = &unpacking{data, from}
	default:
		q.Passage.Size = r.ContentLength
	}
	return from, nil
}

// arrival is a request's body as it arrives. One reads it; others may ask how far it is,
// and stop it.
type arrival struct {
	source  io.Reader
	control *http.ResponseController
	memory  corner      // for what has to be kept of it
	begun   atomic.Bool // somebody wanted some of it
	reading atomic.Bool
	stopped atomic.Bool
	ended   atomic.Bool // all of it has come
	err     error       // why not; for the reader
}

// errStopped is why a body that nobody needs ends early.
var errStopped = errors.New("nobody needs more of the request's body")

// Read implements io.Reader.
func (a *arrival) Read(p []byte) (int, error) {
	a.begun.Store(true)
	a.reading.Store(true)
	defer a.reading.Store(false)
	if a.stopped.Load() {
		a.err = errStopped
		return 0, a.err
	}
	n, err := a.source.Read(p)
	switch {
	case err == io.EOF:
		a.ended.Store(true)
		return n, err
	case err == nil:
		return n, nil
	case a.stopped.Load():
		err = errStopped
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = &porterhouse.Error{Kind: porterhouse.Timeout, Public: "nothing more of the request's body came for too long", Err: err}
	}
	a.err = err
	return n, err
}

// stop ends a Read that waits for the client, and all that follow. Whoever serves the
// connection may give each Read a new deadline, and just do so; so it is taken away
// until the Read has seen it.
func (a *arrival) stop() {
	a.stopped.Store(true)
	for a.reading.Load() {
		if a.control.SetReadDeadline(longAgo) != nil {
			return // the connection is gone, and the Read with it
		}
		time.Sleep(time.Millisecond)
	}
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// whole reports whether nothing more of the body comes; a request without one has none.
func (a *arrival) whole() bool { return a == nil || a.ended.Load() }

// unpacking tells a body that is not what it says from one that does not come.
type unpacking struct {
	io.Reader
	from *arrival
}

// Read implements io.Reader.
func (u *unpacking) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case u.from.err != nil:
		return n, u.from.err
	}
	if told, ok := errors.AsType[*porterhouse.Error](err); ok {
		return n, told
	}
	return n, &porterhouse.Error{Kind: porterhouse.Invalid, Code: codeCannotDecompress, Err: err,
		Public: "the request's body cannot be decompressed: it is not what Content-Encoding or decompress=1 says, or not all of it"}
}
