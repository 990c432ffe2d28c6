package clickhouse

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"porterhouse"
)

// body is the Body of an Answer. Close may be called while another goroutine
// reads; otherwise it is for one at a time.
type body struct {
	call   *call
	source io.Closer // the body of the response

	mu      sync.Mutex
	stream  *stream
	meter   meter
	pooled  *[]byte // the buffer that stream began with; nil once it was given back
	portion portion // what may leave; its size shrinks as it does
	err     error   // what Read says behind portion; nil while more may come
	summary porterhouse.Summary
}

func newBody(k *call, response *response) *body {
	pooled := k.client.buffers.Get().(*[]byte)
	b := &body{
		call:   k,
		source: response.body,
		stream: newStream(response.body, response.field(headerExceptionTag), *pooled),
		pooled: pooled,
	}
	b.summary.ReadRows = readNumber(response.field(headerSummary), "read_rows")
	b.summary.ReadBytes = readNumber(response.field(headerSummary), "read_bytes")
	return b
}

// readNumber finds "name":"123" in ClickHouse's summary, a flat JSON object of
// such pairs; 0 when it is not there.
func readNumber(summary, name string) int64 {
	_, rest, _ := strings.Cut(summary, `"`+name+`":"`)
	digits, _, _ := strings.Cut(rest, `"`)
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}

// begin reads the columns, if there are some, and sets the limits. format is
// what ClickHouse says that it writes. The error is for call.fail.
func (b *body) begin(format string) ([]porterhouse.Column, error) {
	asked, limits := b.call.Format, b.call.Limits
	if !asked.IsRows() {
		b.meter = &byteMeter{left: limit(limits.Bytes)}
		return nil, nil
	}
	if format != "" && format != string(asked) {
		return nil, porterhouse.Errorf(porterhouse.Refused, "the statement asks for FORMAT %s; leave the FORMAT clause out, the format is chosen outside the SQL", format)
	}
	columns, err := readColumns(b.stream, asked)
	if err != nil {
		return nil, err
	}
	b.noteEnd()
	b.meter = &rowMeter{
		rows:       limit(limits.Rows),
		bytes:      limit(limits.Bytes),
		blankIsRow: asked == porterhouse.TSVRows && len(columns) == 1 && !neverBlank(columns[0].Type),
	}
	return columns, nil
}

// neverBlank reports whether every value of a type has characters in TSVRows, so
// that an empty line is none. It knows those types that people count and group by.
func neverBlank(kind string) bool {
	kind = strings.TrimPrefix(kind, "LowCardinality(")
	kind = strings.TrimPrefix(kind, "Nullable(")
	name := kind[:len(kind)-len(strings.TrimLeft(kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"))]
	switch name {
	case "UInt8", "UInt16", "UInt32", "UInt64", "UInt128", "UInt256", "Int8", "Int16", "Int32", "Int64", "Int128", "Int256",
		"Float32", "Float64", "BFloat16", "Decimal", "Date", "Date32", "DateTime", "DateTime64", "UUID", "IPv4", "IPv6",
		"Array", "Tuple", "Map":
		return true
	}
	return false
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for b.portion.size == 0 {
		if b.err != nil {
			b.release()
			return 0, b.err
		}
		b.advance()
	}
	n := copy(p, b.stream.data()[:b.portion.size])
	b.leave(n)
	return n, nil
}

// leave counts n bytes of the portion as gone.
func (b *body) leave(n int) {
	if b.portion.rows {
		b.summary.Rows += int64(bytes.Count(b.stream.data()[:n], []byte{'\n'}))
	}
	b.summary.Bytes += int64(n)
	b.portion.size -= n
	b.stream.take(n)
}

// advance gets hold of the next portion, or ends the answer, or reads more.
func (b *body) advance() {
	b.portion = b.meter.next(b.stream.data())
	switch {
	case b.portion.cut != "":
		b.end(b.portion.cut, io.EOF)
		b.call.abandon()
	case b.portion.size > 0:
	case b.stream.err == nil:
		b.stream.fill()
		b.noteEnd()
	case b.stream.err != io.EOF:
		b.failed(b.stream.err)
	case len(b.stream.data()) > 0:
		b.failed(notRows(errors.New("the body ends in the middle of a row")))
	default:
		b.end("", io.EOF)
	}
}

// noteEnd ends the call as soon as ClickHouse has said all, not only when the last
// row leaves: a caller that goes away in between has left nothing running.
func (b *body) noteEnd() {
	if b.stream.err == io.EOF {
		b.call.finish()
	}
}

// failed ends the answer with an error.
func (b *body) failed(err error) {
	_, exception := errors.AsType[exceptionText](err)
	err = b.call.fail(err)
	if kind, _ := porterhouse.Explain(err); kind == porterhouse.Canceled && !exception {
		b.end(porterhouse.CutCaller, err)
		return
	}
	b.end(porterhouse.CutError, err)
}

// end decides what Read says behind the portion.
func (b *body) end(cut porterhouse.Cut, err error) {
	b.err = err
	b.summary.Cut = cut
	b.summary.Duration = time.Since(b.call.begun)
	b.source.Close()
}

// release gives the buffer back; nothing can be read any more.
func (b *body) release() {
	if b.pooled == nil {
		return
	}
	b.call.client.buffers.Put(b.pooled)
	b.pooled = nil
	b.stream.buffer, b.stream.start, b.stream.safe, b.stream.end = nil, 0, 0, 0
}

// Close implements io.Closer. Before the answer's end it stops the statement.
func (b *body) Close() error {
	b.call.abandon() // first, because it ends a Read that waits
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.end(porterhouse.CutCaller, errClosed)
	} else if b.portion.size > 0 {
		b.summary.Cut, b.err = porterhouse.CutCaller, errClosed
	}
	b.portion = portion{}
	b.release()
	return nil
}

// errClosed is what Read says after Close.
var errClosed = porterhouse.Errorf(porterhouse.Canceled, "the answer was closed before its end")

// Summary is the Summary of the Answer.
func (b *body) Summary() porterhouse.Summary {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.summary
}
