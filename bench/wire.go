package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"slices"
	"strconv"
	"time"
)

// wire is one keep-alive HTTP/1.1 connection that sends ready-made requests. It
// does by hand what net/http does with more care, because the generator shares
// the machine with what it measures: every microsecond here is missing there.
type wire struct {
	address string
	conn    net.Conn // nil: not connected
	in      *bufio.Reader
	body    []byte // of the last answer; its memory is used again
}

// answer is one HTTP answer. Its body is valid until the next ask.
type answer struct {
	status  int
	session string // Mcp-Session-Id
	body    []byte
}

const (
	dialTimeout = 5 * time.Second
	askTimeout  = 60 * time.Second
	readBuffer  = 64 << 10
	maxAnswer   = 1 << 30 // a longer answer is a mistake of somebody's
)

// connect opens the connection, unless it is open already.
func (w *wire) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", w.address)
	if err != nil {
		return fmt.Errorf("cannot connect: %w", err)
	}
	w.conn, w.in = conn, bufio.NewReaderSize(conn, readBuffer)
	return nil
}

// close ends the connection.
func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing is left to be sent
		w.conn = nil
	}
}

// ask sends one request, whole and as it is, and reads its answer. A server may
// end the connection after an answer: the next ask opens a new one.
func (w *wire) ask(ctx context.Context, request []byte) (answer, error) {
	if err := w.connect(ctx); err != nil {
		return answer{}, err
	}
	if err := w.conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return answer{}, err
	}
	if _, err := w.conn.Write(request); err != nil {
		return answer{}, err
	}
	h, err := readHead(w.in)
	if err != nil {
		return answer{}, fmt.Errorf("no HTTP answer: %w", err)
	}
	if w.body, err = readBody(w.in, h, w.body[:0]); err != nil {
		return answer{}, fmt.Errorf("the answer (HTTP %d) breaks off: %w", h.status, err)
	}
	if h.closes {
		w.close()
	}
	return answer{h.status, h.session, w.body}, nil
}

// head is what of an answer's head matters here.
type head struct {
	status  int
	length  int // of the body; -1: not told
	chunked bool
	closes  bool // the server ends the connection after this answer
	session string
}

// readHead reads the status line and the header fields.
func readHead(in *bufio.Reader) (head, error) {
	h := head{length: -1}
	line, err := readLine(in)
	if err != nil {
		return h, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return h, fmt.Errorf("not a status line of HTTP/1.1: %.60q", line)
	}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return h, fmt.Errorf("not a status line of HTTP/1.1: %.60q", line)
	}
	return h, h.fields(in)
}

// fields reads header fields to the empty line behind them.
func (h *head) fields(in *bufio.Reader) error {
	for {
		line, err := readLine(in)
		if err != nil || len(line) == 0 {
			return err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if err := h.field(name, bytes.TrimSpace(value)); err != nil {
			return err
		}
	}
}

// field notes one header field. Names are told apart by their length first:
// most fields do not matter.
func (h *head) field(name, value []byte) (err error) {
	is := func(s string) bool { return len(name) == len(s) && bytes.EqualFold(name, []byte(s)) }
	switch {
	case is("Content-Length"):
		if h.length, err = strconv.Atoi(string(value)); err != nil || h.length < 0 || h.length > maxAnswer {
			return fmt.Errorf("Content-Length %.30q does not fit", value)
		}
	case is("Transfer-Encoding"):
		h.chunked = bytes.EqualFold(value, []byte("chunked"))
	case is("Connection"):
		h.closes = bytes.EqualFold(value, []byte("close"))
	case is("Mcp-Session-Id"):
		h.session = string(value)
	}
	return nil
}

// readBody appends the body to buf.
func readBody(in *bufio.Reader, h head, buf []byte) ([]byte, error) {
	switch {
	case h.chunked:
		return readChunks(in, buf)
	case h.length >= 0:
		return readExactly(in, h.length, buf)
	case h.status == 204:
		return buf, nil
	}
	return buf, errors.New("neither Content-Length nor chunks: where it ends cannot be told")
}

func readChunks(in *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		line, err := readLine(in)
		if err != nil {
			return buf, err
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 31)
		if err != nil || len(buf)+int(size) > maxAnswer {
			return buf, fmt.Errorf("chunk of size %.20q", digits)
		}
		if size == 0 {
			return buf, skipTrailers(in)
		}
		if buf, err = readExactly(in, int(size), buf); err != nil {
			return buf, err
		}
		if line, err = readLine(in); err != nil || len(line) != 0 {
			return buf, errors.Join(errors.New("a chunk is longer than it says"), err)
		}
	}
}

func skipTrailers(in *bufio.Reader) error {
	for {
		if line, err := readLine(in); err != nil || len(line) == 0 {
			return err
		}
	}
}

func readExactly(in *bufio.Reader, n int, buf []byte) ([]byte, error) {
	at := len(buf)
	buf = slices.Grow(buf, n)[:at+n]
	if _, err := io.ReadFull(in, buf[at:]); err != nil {
		return buf[:at], err
	}
	return buf, nil
}

// readLine returns the next line without its end; it is valid until the next read.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// skipBody reads a body and keeps nothing of it.
func skipBody(in *bufio.Reader, h head) (int64, error) {
	if !h.chunked {
		return io.CopyN(io.Discard, in, int64(max(h.length, 0)))
	}
	n, err := io.Copy(io.Discard, httputil.NewChunkedReader(in))
	return n, errors.Join(err, skipTrailers(in))
}
