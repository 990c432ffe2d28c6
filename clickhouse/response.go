package clickhouse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"

	"porterhouse"
)

// response is the answer to a request. Its header is as the server wrote it: in its
// spelling and order.
type response struct {
	status int
	fields []porterhouse.Setting
	length int64 // of the body; -1: it comes in chunks
	// endless says that the body ends where the connection does, so that nobody can
	// tell a whole one from a broken one.
	endless bool
	closes  bool // the connection cannot be used again
	body    *exchange
}

// field returns the first field of that name; "" when there is none.
func (r *response) field(name string) string {
	for _, f := range r.fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// refuses reports whether the response is an exception, in its place or behind rows.
func (r *response) refuses() bool {
	return r.status != http.StatusOK || r.field(headerExceptionCode) != ""
}

// exceptionCode returns the code of the exception that the response is, in its place or
// behind rows; noCode when the header names none. ClickHouse writes the header, from which
// no text of a statement can differ; but the code itself is a statement's to choose where
// allow_custom_error_code_in_throwif is set, and then it can be any, also 0 and below.
func (r *response) exceptionCode() int {
	code, err := strconv.ParseInt(r.field(headerExceptionCode), 10, 31)
	if err != nil {
		return noCode
	}
	return int(code)
}

// Instead of a code, of which none has more than 31 bits.
const (
	noCode  = math.MinInt32     // the header names none that can be read
	anyCode = math.MinInt32 + 1 // there is no header that could name it
)

const (
	// maxHeader bounds the header of a response, in bytes; ClickHouse sends about 1 KiB.
	maxHeader = 64 << 10

	// maxProgress bounds a line of progress, in bytes; ClickHouse sends about 200.
	maxProgress = 4 << 10

	progressField = "X-ClickHouse-Progress"
)

// headerReader reads the header of a response (RFC 9112), strictly: what two readers
// could read differently is no header.
type headerReader struct {
	in       *bufio.Reader
	left     int               // bytes that may still come
	progress func(line string) // see outgoing
}

// read reads a header. Others may come before (1xx), which only say that it will.
func (h *headerReader) read() (*response, error) {
	for {
		r, err := h.readOne()
		switch {
		case err != nil:
			return nil, err
		case r.status == 101:
			return nil, errors.New("the server wants to go on in another protocol than HTTP (status 101)")
		case r.status/100 != 1:
			return r, nil
		}
	}
}

func (h *headerReader) readOne() (*response, error) {
	first, err := h.line()
	if err != nil {
		return nil, err
	}
	r, err := readStatus(string(first))
	if err != nil {
		return nil, err
	}
	r.fields = make([]porterhouse.Setting, 0, 16)
	for {
		line, err := h.line()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			return r, r.frame()
		}
		field, err := readField(string(line))
		if err != nil {
			return nil, err
		}
		if h.progress != nil && len(line) <= maxProgress && strings.EqualFold(field.Name, progressField) {
			h.left += len(line) + len("\r\n")
			h.progress(field.Value)
			continue
		}
		r.fields = append(r.fields, field)
	}
}

// line reads a line and returns it without its line break. It is valid until the next.
func (h *headerReader) line() ([]byte, error) {
	line, err := h.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line = bytes.Clone(line)
		for err == bufio.ErrBufferFull && len(line) <= h.left {
			var more []byte
			more, err = h.in.ReadSlice('\n')
			line = append(line, more...)
		}
	}
	h.left -= len(line)
	switch {
	case h.left < 0:
		return nil, fmt.Errorf("the header of the response has more than %d bytes", maxHeader)
	case err == io.EOF:
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	case !bytes.HasSuffix(line, []byte("\r\n")):
		return nil, fmt.Errorf("the header of the response has a line that does not end in CR LF: %.40q", line)
	}
	return line[:len(line)-2], nil
}

// readStatus reads the first line: HTTP/1.1 200 OK.
func readStatus(line string) (*response, error) {
	version, rest, _ := strings.Cut(line, " ")
	digits, _, _ := strings.Cut(rest, " ")
	status, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || len(digits) != 3 || status < 100 || version != "HTTP/1.1" && version != "HTTP/1.0" {
		return nil, fmt.Errorf("the response does not begin as one of HTTP/1.1: %.40q", line)
	}
	return &response{status: int(status), closes: version != "HTTP/1.1", endless: version != "HTTP/1.1"}, nil
}

// readField reads a field of the header.
func readField(line string) (porterhouse.Setting, error) {
	name, value, ok := strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	if !ok || name == "" || strings.ContainsFunc(name, notOfNames) || strings.ContainsFunc(value, notOfValues) {
		return porterhouse.Setting{}, fmt.Errorf("the header of the response has a line that is no field: %.40q", line)
	}
	return porterhouse.Setting{Name: name, Value: value}, nil
}

// notOfNames finds what the name of a field cannot have; not all of it, but all that
// some reader could stumble over.
func notOfNames(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func notOfValues(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// frame finds out how the body travels.
func (r *response) frame() error {
	ancient := r.endless // HTTP/1.0 knows no chunks
	r.length, r.endless = -1, true
	for _, f := range r.fields {
		switch {
		case strings.EqualFold(f.Name, "Transfer-Encoding"):
			if ancient || !r.endless || !strings.EqualFold(f.Value, "chunked") {
				return fmt.Errorf("the body of the response comes as %.40q, which nobody asked for", f.Value)
			}
			r.endless = false
		case strings.EqualFold(f.Name, "Content-Length"):
			length, err := strconv.ParseUint(f.Value, 10, 62)
			if err != nil || !r.endless {
				return fmt.Errorf("the response has the Content-Length %.40q, and another, or chunks, or it is no length", f.Value)
			}
			r.length, r.endless = int64(length), false
		case strings.EqualFold(f.Name, "Connection"):
			r.closes = r.closes || !strings.EqualFold(f.Value, "keep-alive")
		}
	}
	if r.status == 204 || r.status == 304 {
		r.length, r.endless = 0, false
	}
	r.closes = r.closes || r.endless
	return nil
}

// open returns the body of the response, of which in is the next.
func (r *response) open(in *bufio.Reader) io.Reader {
	switch {
	case r.endless:
		return in
	case r.length >= 0:
		return &lengthReader{in: in, left: r.length}
	}
	return &chunkReader{in: in, chunks: httputil.NewChunkedReader(in)}
}

// lengthReader reads a body of a known length.
type lengthReader struct {
	in   *bufio.Reader
	left int64
}

// Read implements io.Reader.
func (l *lengthReader) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n, err := l.in.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	if l.left == 0 {
		return n, io.EOF
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunkReader reads a body that comes in chunks, to behind the last.
type chunkReader struct {
	in     *bufio.Reader
	chunks io.Reader
}

// Read implements io.Reader.
func (c *chunkReader) Read(p []byte) (int, error) {
	n, err := c.chunks.Read(p)
	switch {
	case err != io.EOF:
		return n, err
	case n > 0 && c.in.Buffered() < len("\r\n"):
		return n, nil // what is here does not wait for the rest
	}
	// Fields may follow the last chunk. None is for us; they end in an empty line.
	for h := (headerReader{in: c.in, left: maxHeader}); ; {
		line, err := h.line()
		if err != nil {
			return n, err
		}
		if len(line) == 0 {
			return n, io.EOF
		}
	}
}
