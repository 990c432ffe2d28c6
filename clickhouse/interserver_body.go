package clickhouse

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"porterhouse"
)

// interserverBody is the Body of an answer that is printed here, a piece at a time. Close
// may be called while another goroutine reads; otherwise it is for one at a time.
type interserverBody struct {
	mu sync.Mutex
	interserverPieces
	ours bool  // of a question of ours, which may be cut, and not of a Passage
	at   int   // bytes of piece that have left
	err  error // what Read says behind piece; nil while more may come

	tag     string // of an exception in the body
	summary porterhouse.Summary
}

func newInterserverBody(k *interserverCall) *interserverBody {
	return &interserverBody{
		interserverPieces: interserverPieces{call: k, lines: k.Passage == nil && k.Format.IsRows(), left: limit(k.Limits.Bytes)},
		ours:              k.Passage == nil,
	}
}

// open reads up to the first rows, the end, or an exception. What ClickHouse refuses
// is an answer to a Passage.
func (b *interserverBody) open() (*porterhouse.Answer, error) {
	k := b.call
	err := b.next()
	exception, heard := errors.AsType[*nativeException](err)
	switch {
	case heard && k.finish():
		return b.refuse(exception)
	case err != nil && err != io.EOF:
		return nil, k.reason(err)
	}
	if err = b.bound(err); err != nil {
		b.fail(err)
	}
	if b.ours {
		return &porterhouse.Answer{Columns: b.columns(), Body: b, Summary: b.Summary}, nil
	}
	b.tag = strings.ToLower(rand.Text()[:16])
	head := k.head(http.StatusOK, "text/plain; charset=UTF-8", "")
	if k.reader.Columns() != nil {
		head = k.head(http.StatusOK, k.printer.ContentType(), k.format)
	}
	head.Fields = append(head.Fields, porterhouse.Setting{Name: headerExceptionTag, Value: b.tag})
	return &porterhouse.Answer{Head: head, Body: b, Summary: b.Summary}, nil
}

// refuse tells that ClickHouse refused the statement, which is an answer to a Passage;
// but not when it refused the person.
func (b *interserverBody) refuse(e *nativeException) (*porterhouse.Answer, error) {
	k := b.call
	text, name := e.text(k.person.version), k.as.User.String()
	parsed, _ := parseException(text)
	switch {
	case isFailedLogin(parsed, name):
		return nil, k.way.unknown(name, e)
	case b.ours:
		return nil, k.explain(e)
	}
	head := k.head(statusOf(e.code), "text/plain; charset=UTF-8", "")
	head.Fields = append(head.Fields, porterhouse.Setting{Name: headerExceptionCode, Value: strconv.Itoa(int(e.code))})
	b.piece = []byte(text)
	b.tell(text)
	b.end("", io.EOF)
	return &porterhouse.Answer{Head: head, Body: b, Summary: b.Summary}, nil
}

// tell notes in the summary what ClickHouse said.
func (b *interserverBody) tell(text string) {
	parsed, _ := parseException(text)
	parsed.Message = b.call.way.client.cleaner.clean(parsed.Message)
	b.summary.Exception = &parsed
}

func (b *interserverBody) columns() []porterhouse.Column {
	heads := b.call.reader.Columns()
	if !b.lines {
		return nil
	}
	columns := make([]porterhouse.Column, len(heads))
	for i, c := range heads {
		columns[i] = porterhouse.Column(c)
	}
	return columns
}

// Read implements io.Reader.
func (b *interserverBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for b.at == len(b.piece) {
		if b.err != nil {
			b.drop()
			return 0, b.err
		}
		b.piece, b.at, b.rowsEnd = b.piece[:0], 0, 0
		b.advance()
	}
	n := copy(p, b.piece[b.at:])
	if b.lines {
		b.summary.Rows += int64(bytes.Count(b.piece[b.at:max(b.at, min(b.at+n, b.rowsEnd))], []byte{'\n'}))
	}
	b.at += n
	b.summary.Bytes += int64(n)
	return n, nil
}

// advance prints another piece, or decides how the answer ends.
func (b *interserverBody) advance() {
	err := b.rows()
	if err == nil && b.block == nil {
		err = b.next()
	}
	if err == nil || err == io.EOF {
		err = b.bound(err)
	}
	if err != nil {
		b.fail(err)
	}
}

// fail ends the answer because of err, behind what was printed: io.EOF, when that was
// all.
func (b *interserverBody) fail(err error) {
	k := b.call
	exception, heard := errors.AsType[*nativeException](err)
	switch {
	case err == io.EOF:
		b.end("", err)
	case err == errCutRows:
		k.abandon()
		b.end(porterhouse.CutRows, io.EOF)
	case err == errTooLong && b.ours:
		k.abandon()
		b.end(porterhouse.CutBytes, io.EOF)
	case err == errTooLong:
		k.abandon()
		b.end(porterhouse.CutBytes, porterhouse.Errorf(porterhouse.Limited,
			"the answer has more than the %d bytes that it may have, and was cut off; ask for less at once", k.Limits.Bytes))
	case heard && k.finish():
		text := exception.text(k.person.version)
		b.tell(text)
		if !b.ours {
			b.piece = fmt.Appendf(b.piece, "\r\n__exception__\r\n%s\r\n%s%d %[1]s\r\n__exception__\r\n", b.tag, text, len(text))
		}
		b.end(porterhouse.CutError, k.explain(exception))
	default:
		b.end(cutBy(k.reason(err)))
		k.abandon()
	}
}

// end decides what Read says behind piece, which is all that is left of the answer: what
// a client leaves unread counts as long as it does.
func (b *interserverBody) end(cut porterhouse.Cut, err error) {
	b.err, b.block = err, nil
	if cap(b.piece) > 2*len(b.piece)+pieceSize { // of a large row that is not there
		b.piece = bytes.Clone(b.piece)
	}
	b.call.reader.Keep(cap(b.piece))
	b.measure(cut)
}

// drop lets go of what was printed.
func (b *interserverBody) drop() {
	b.piece, b.at = nil, 0
	b.call.reader.Close()
}

// measure writes the summary.
func (b *interserverBody) measure(cut porterhouse.Cut) {
	k := b.call
	b.summary.Cut = cut
	b.summary.ReadRows, b.summary.ReadBytes = int64(k.amount.readRows), int64(k.amount.readBytes)
	b.summary.Written, b.summary.Sent = int64(k.amount.writtenRows), k.written
	b.summary.Duration = time.Since(k.begun)
}

// Close implements io.Closer. Before the answer's end it stops the statement.
func (b *interserverBody) Close() error {
	b.call.cancel() // first, because it ends a Read that waits
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.end(porterhouse.CutCaller, errClosed)
		b.call.abandon()
	} else if b.at < len(b.piece) {
		b.summary.Cut, b.err = porterhouse.CutCaller, errClosed
	}
	b.drop()
	return nil
}

// Summary is the Summary of the Answer.
func (b *interserverBody) Summary() porterhouse.Summary {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.summary
}
