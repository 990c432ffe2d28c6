package clickhouse

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"strconv"

	"porterhouse"
)

// outgoing is a request. Whoever makes it says what is asked; how the body travels is
// decided here.
type outgoing struct {
	// head is the first line and the header fields, each with its line break, without
	// those that describe the body: Content-Type, Content-Length, Transfer-Encoding.
	head []byte
	// login makes the fields that log in, each with its line break, when the connection
	// is there: a ticket does not live long enough to wait for one. Nil: head has them.
	login func(context.Context) (string, error)
	body  string // what the body begins with, or is

	data io.Reader // what follows; nil: nothing
	size int64     // bytes of data, -1: nobody knows
	// tables make a multipart body instead, of these tables and nothing else.
	tables iter.Seq2[porterhouse.Table, error]
	// stop ends a Read of data, or of a table, that waits for the client; it may be
	// called at any time. Nil: no Read waits for long.
	stop func()

	// progress is told of each X-ClickHouse-Progress as it comes; these lines are no
	// part of the response then. Nil: they are fields like others.
	progress func(line string)
}

// framed returns the whole head, which is sent before the body. login is what login
// made; boundary is what stands between the tables.
func (o *outgoing) framed(login string) (begin []byte, boundary string) {
	begin = append(make([]byte, 0, len(o.head)+len(login)+min(len(o.body), sendPiece)+256), o.head...)
	begin = append(begin, login...)
	if o.tables != nil {
		boundary = rand.Text() // which no data holds by chance, and nobody can guess
		begin = append(begin, "Content-Type: multipart/form-data; boundary="...)
		begin = append(begin, boundary...)
	} else {
		begin = append(begin, "Content-Type: text/plain; charset=utf-8"...) // others might be taken for a form
	}
	if o.chunked() {
		return append(begin, "\r\nTransfer-Encoding: chunked\r\n\r\n"...), boundary
	}
	begin = append(begin, "\r\nContent-Length: "...)
	begin = strconv.AppendInt(begin, int64(len(o.body))+max(0, o.size), 10)
	return append(begin, "\r\n\r\n"...), boundary
}

// text returns body as it travels.
func (o *outgoing) text() string {
	if o.body == "" || !o.chunked() {
		return o.body
	}
	return strconv.FormatInt(int64(len(o.body)), 16) + "\r\n" + o.body + "\r\n"
}

// chunked reports whether the body travels in chunks, because nobody knows how long it is.
func (o *outgoing) chunked() bool { return o.tables != nil || o.data != nil && o.size <= 0 }

// uploads reports whether the body is more than text that is here already.
func (o *outgoing) uploads() bool { return o.tables != nil || o.data != nil }

// check finds requests that nobody should have made.
func (o *outgoing) check() error {
	switch {
	case o.tables != nil && (o.data != nil || o.body != ""):
		return errors.New("a request has tables and another body")
	case o.data == nil && o.size > 0:
		return errors.New("a request has the size of data, and no data")
	}
	return nil
}
