package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"porterhouse"
	"porterhouse/encoding"
)

// addBody adds to q what the body of r holds, decoded, and returns the body.
func addBody(q *porterhouse.Query, r *http.Request, p *parameters) (*arrival, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	from := &arrival{source: r.Body}
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
		q.Passage.Data = &unpacking{encoding.Blocks(data), from}
	case data != from:
		q.Passage.Data = &unpacking{data, from}
	default:
		q.Passage.Size = r.ContentLength
	}
	return from, nil
}

// arrival is a request's body as it arrives. One reads it, others may ask how far it is.
type arrival struct {
	source io.Reader
	ended  atomic.Bool // all of it has come
	err    error       // why not
}

// Read implements io.Reader.
func (a *arrival) Read(p []byte) (int, error) {
	n, err := a.source.Read(p)
	switch {
	case err == io.EOF:
		a.ended.Store(true)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = &porterhouse.Error{Kind: porterhouse.Timeout, Public: "nothing more of the request's body came for too long", Err: err}
		a.err = err
	case err != nil:
		a.err = err
	}
	return n, err
}

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
	return n, &porterhouse.Error{Kind: porterhouse.Invalid, Code: codeCannotDecompress, Err: err,
		Public: "the request's body cannot be decompressed: it is not what Content-Encoding or decompress=1 says, or not all of it"}
}
