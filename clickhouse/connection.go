package clickhouse

import (
	"bufio"
	"errors"
	"net"
	"os"
	"time"
)

// connection is one connection to the server.
type connection struct {
	net.Conn
	plain net.Conn // what is below TLS
	in    *bufio.Reader
	since time.Time // idle since
}

func newConnection(conn net.Conn) *connection {
	c := &connection{Conn: conn, plain: conn, in: bufio.NewReaderSize(conn, readBuffer)}
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		c.plain = secure.NetConn()
	}
	return c
}

// sendPiece is how much of a body is sent at once, in bytes.
const sendPiece = 64 << 10

// send writes the beginning of a request, in one piece if it is short: a header that comes alone
// wakes the server for nothing. written says whether a byte of it may have left.
func (c *connection) send(head []byte, body string) (written bool, err error) {
	for piece := head; ; piece = piece[:0] {
		n := min(len(body), sendPiece)
		piece = append(piece, body[:n]...)
		body = body[n:]
		sent, err := c.Write(piece)
		written = written || sent > 0
		if err != nil || body == "" {
			return written, err
		}
	}
}

// isQuiet reports whether an idle connection is still open and nothing waits to be
// read, which would be taken for the answer to the next request.
func (c *connection) isQuiet() bool {
	quiet := isQuiet(c.plain)
	if !quiet || c.plain == c.Conn {
		return quiet
	}
	// What TLS has read already is not at the socket any more. A time that is over
	// keeps it from reading on.
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return false
	}
	_, err := c.Conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded) && c.SetReadDeadline(time.Time{}) == nil
}

// cut ends the connection at once, whatever it is doing; with TLS, without a word.
func (c *connection) cut() { _ = c.plain.Close() } // nobody reads it any more
