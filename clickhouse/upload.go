package clickhouse

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"porterhouse"
)

// upload is the part of a request that comes from a client, on its way to the server
// while the response is read. It has a goroutine of its own, which ends with it.
//
// An upload is whole, or broken for the server to see: as long as its end was not
// sent, closing the connection makes it worthless. So the end is sent when the client
// has said that it was all, and not before. A nil *upload is one of nothing.
type upload struct {
	pool       *pool
	connection *connection
	what       *outgoing
	piece      *piece // nil while nothing is read

	begun  atomic.Bool                       // there is a goroutine
	ending atomic.Bool                       // the end is sent, or is just about to be
	halted atomic.Bool                       // nobody needs more
	sent   atomic.Int64                      // bytes of data
	broken atomic.Pointer[porterhouse.Error] // what was wrong with the data
	whole  bool                              // everything was written; valid once done
	done   chan struct{}                     // closed when nothing is read any more
}

func newUpload(p *pool, c *connection, o *outgoing) *upload {
	return &upload{pool: p, connection: c, what: o, done: make(chan struct{})}
}

// uploadPiece is how much is read from the client at once, in bytes.
const uploadPiece = 256 << 10

// piece has room for data, and for what stands around it as a chunk.
type piece [chunkBefore + uploadPiece + chunkAfter]byte

// What stands before and behind the data of a chunk, at most: its length in
// hexadecimal, and line breaks.
const (
	chunkBefore = len("40000\r\n")
	chunkAfter  = len("\r\n")
)

func (p *piece) room() []byte { return p[chunkBefore : chunkBefore+uploadPiece] }

// chunk makes a chunk of the first n bytes of the room.
func (p *piece) chunk(n int) []byte {
	var digits [chunkBefore]byte
	size := append(strconv.AppendUint(digits[:0], uint64(n), 16), "\r\n"...)
	begin, end := chunkBefore-len(size), chunkBefore+n
	copy(p[begin:], size)
	return append(p[begin:end], "\r\n"...)
}

// begin starts the upload. boundary is what stands between tables.
func (u *upload) begin(boundary string) {
	u.begun.Store(true)
	go u.run(boundary)
}

func (u *upload) run(boundary string) {
	defer close(u.done)
	u.piece = u.pool.pieces.Get().(*piece)
	defer func() { u.pool.pieces.Put(u.piece); u.piece = nil }()
	err := u.send(boundary)
	u.whole = err == nil
	if broken, ok := errors.AsType[*dataError](err); ok && !u.halted.Load() {
		u.broken.Store(broken.explain())
		u.connection.cut() // before its end, so that the server sees a broken request
	}
	// When the connection failed, the server may have said why: whoever reads finds out.
}

// send sends everything.
func (u *upload) send(boundary string) error {
	switch o := u.what; {
	case o.tables != nil:
		if err := u.sendTables(boundary); err != nil {
			return err
		}
	case !o.chunked():
		return u.sendExactly(o.data, o.size)
	default:
		if err := u.sendChunks(o.data); err != nil {
			return err
		}
	}
	u.ending.Store(true)
	_, err := io.WriteString(u.connection, "0\r\n\r\n")
	return err
}

// sendChunks sends what r holds, as it comes.
func (u *upload) sendChunks(r io.Reader) error {
	for {
		n, err := readSome(r, u.piece.room())
		if n > 0 {
			if _, err := u.connection.Write(u.piece.chunk(n)); err != nil {
				return err
			}
			u.sent.Add(int64(n))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &dataError{err}
		}
	}
}

// sendExactly sends what r holds, which has to be size bytes. The last of them are
// sent when r has said that they are: then the server has a whole request.
func (u *upload) sendExactly(r io.Reader, size int64) error {
	for left := size; left > 0; {
		n, err := readSome(r, u.piece.room())
		left -= int64(n)
		if left == 0 && err == nil {
			var beyond int
			beyond, err = readSome(r, make([]byte, 1))
			left -= int64(beyond)
		}
		switch {
		case left < 0:
			return &dataError{fmt.Errorf("there are more than the %d bytes announced", size)}
		case err == io.EOF && left > 0:
			return &dataError{fmt.Errorf("there are %d bytes less than the %d announced", left, size)}
		case err != nil && err != io.EOF:
			return &dataError{err}
		case left == 0:
			u.ending.Store(true)
		}
		if _, err := u.connection.Write(u.piece.room()[:n]); err != nil {
			return err
		}
		u.sent.Add(int64(n))
	}
	return nil
}

// readSome reads until there is something, or an error.
func readSome(r io.Reader, p []byte) (n int, err error) {
	for range 100 {
		if n, err = r.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// dataError says what was wrong with what the client sent.
type dataError struct{ err error }

// Error implements error.
func (e *dataError) Error() string { return "the data of the statement: " + e.err.Error() }

// Unwrap returns what the reader said.
func (e *dataError) Unwrap() error { return e.err }

// explain makes the caller's error of it: that of the reader, when it has one for the
// caller.
func (e *dataError) explain() *porterhouse.Error {
	if told, ok := errors.AsType[*porterhouse.Error](e.err); ok {
		return told
	}
	return &porterhouse.Error{
		Kind:   porterhouse.Canceled,
		Public: "the data of the statement broke off before its end, so the statement was stopped; an INSERT may have kept whole blocks of it",
		Err:    e,
	}
}

// cause returns what was wrong with the data; nil when nothing was.
func (u *upload) cause() error {
	if u == nil {
		return nil
	}
	if broken := u.broken.Load(); broken != nil {
		return broken
	}
	return nil
}

// settleTime bounds how long the end of an upload is waited for that the server did
// not wait for.
const settleTime = time.Second

// settle reports, when the response has ended, whether the whole request was sent.
// If not, nothing more of it is.
func (u *upload) settle() bool {
	if u == nil {
		return true
	}
	if !u.ending.Load() {
		u.halt()
		return false
	}
	if u.connection.SetWriteDeadline(time.Now().Add(settleTime)) != nil {
		return false
	}
	<-u.done
	return u.whole && u.connection.SetWriteDeadline(time.Time{}) == nil
}

// halt says that nobody needs more of the data.
func (u *upload) halt() {
	if u != nil && u.begun.Load() && !u.halted.Swap(true) && u.what.stop != nil {
		u.what.stop()
	}
}

// wait returns when nothing is read any more.
func (u *upload) wait() {
	if u != nil && u.begun.Load() {
		<-u.done
	}
}

// bytes returns how much data was sent so far.
func (u *upload) bytes() int64 {
	if u == nil {
		return 0
	}
	return u.sent.Load()
}
