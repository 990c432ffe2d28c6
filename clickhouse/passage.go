package clickhouse

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"porterhouse"
	"porterhouse/encoding"
)

// shownFields are those fields of a response that a client may see. The others are
// about the connection between ClickHouse and us, or nobody has looked at them yet.
var shownFields = []string{
	"Date",
	"Content-Type", "Content-Encoding", "Content-Disposition",
	"Retry-After", "Vary",
	"X-ClickHouse-Server-Display-Name",
	headerQueryID, headerFormat, "X-ClickHouse-Timezone",
	headerExceptionCode, headerExceptionTag,
	progressField, headerSummary,
}

// shown returns those of the fields that a client may see.
func shown(fields []porterhouse.Setting) []porterhouse.Setting {
	return slices.DeleteFunc(slices.Clone(fields), func(f porterhouse.Setting) bool {
		return !slices.ContainsFunc(shownFields, func(name string) bool { return strings.EqualFold(name, f.Name) })
	})
}

// openPassage makes the Answer to a Passage of a response. What ClickHouse refuses is
// such an Answer, too. Its error is for fail.
func (k *call) openPassage(response *response) (*porterhouse.Answer, error) {
	failed := response.status != http.StatusOK
	if id := response.field(headerQueryID); id != k.ID && (id != "" || !failed) {
		return nil, notOurs(response, id)
	}
	if response.refuses() && response.exceptionCode() == noCode {
		return nil, notClickHouse(response)
	}
	if response.endless {
		return nil, endless()
	}
	b := newRawBody(k, response)
	head := &porterhouse.Head{Status: response.status, Fields: shown(response.fields)}
	return &porterhouse.Answer{Head: head, Body: b, Summary: b.Summary}, nil
}

// rawBody is the Body of the Answer to a Passage: the bytes of the response, as they
// come. Nothing is kept back, and they are not copied on their way. Close may be
// called while another goroutine reads; otherwise it is for one at a time.
type rawBody struct {
	call     *call
	response *response

	mu      sync.Mutex
	left    int64 // bytes that may still pass
	tail    tail  // of what passed, for an exception at its end
	err     error // what Read says from now on; nil while more may come
	summary porterhouse.Summary
}

func newRawBody(k *call, response *response) *rawBody {
	b := &rawBody{call: k, response: response, left: limit(k.Limits.Bytes)}
	b.tail.pool = &k.client.buffers
	told := response.field(headerSummary)
	b.summary.ReadRows = readNumber(told, "read_rows")
	b.summary.ReadBytes = readNumber(told, "read_bytes")
	b.summary.Written = readNumber(told, "written_rows")
	return b
}

// Read implements io.Reader.
func (b *rawBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	n, err := b.receive(p)
	b.left -= int64(n)
	b.summary.Bytes += int64(n)
	b.tail.keep(p[:n])
	if err != nil {
		b.finish(err)
	}
	return n, b.err
}

// receive reads what may pass. An answer of just as many bytes as may pass is whole,
// so when they have passed, whether there is more decides.
func (b *rawBody) receive(p []byte) (int, error) {
	if b.left > 0 {
		return b.response.body.Read(p[:min(int64(len(p)), b.left)])
	}
	if n, err := readSome(b.response.body, make([]byte, 1)); n == 0 {
		return 0, err
	}
	return 0, errTooLong
}

// errTooLong says that an answer has more bytes than may pass.
var errTooLong = errors.New("the answer is too long")

// finish ends the answer, because of err: io.EOF, when that was all.
func (b *rawBody) finish(err error) {
	text := b.report()
	switch {
	case err == io.EOF:
		b.call.finish()
		b.end("", err)
	case err == errTooLong:
		b.call.abandon()
		b.end(porterhouse.CutBytes, porterhouse.Errorf(porterhouse.Limited,
			"the answer has more than the %d bytes that it may have, and was cut off; ask for less at once", b.call.Limits.Bytes))
	case text != "" && !b.response.refuses():
		b.end(porterhouse.CutError, b.call.fail(text)) // ClickHouse breaks such a body off itself
	default:
		b.end(cutBy(b.call.fail(err)))
	}
}

// cutBy says what ended an answer early that ended with err.
func cutBy(err error) (porterhouse.Cut, error) {
	if kind, _ := porterhouse.Explain(err); kind == porterhouse.Canceled {
		return porterhouse.CutCaller, err
	}
	return porterhouse.CutError, err
}

// end decides what Read says from now on.
func (b *rawBody) end(cut porterhouse.Cut, err error) {
	b.err = err
	b.summary.Cut = cut
	b.summary.Sent = b.response.body.upload.bytes()
	b.summary.Duration = time.Since(b.call.begun)
	b.response.body.drop(true)
	b.tail.release()
}

// Close implements io.Closer. Before the answer's end it stops the statement.
func (b *rawBody) Close() error {
	b.call.abandon() // first, because it ends a Read that waits
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.report()
		b.end(porterhouse.CutCaller, errClosed)
	}
	b.response.body.Close() // waits until nobody reads the client's data any more
	return nil
}

// Summary is the Summary of the Answer.
func (b *rawBody) Summary() porterhouse.Summary {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.summary
}

// report notes in the summary what ClickHouse reported in the body, and returns it as
// it stands there; "" when there is nothing, or nobody can read it.
func (b *rawBody) report() exceptionText {
	text := b.exception()
	var told *porterhouse.Exception
	switch {
	case text != "":
		errors.As(b.call.client.explain(text, &b.call.statement), &told)
	case b.response.refuses():
		told = &porterhouse.Exception{Code: b.response.exceptionCode(), Message: unreadable}
	}
	b.summary.Exception = told
	return text
}

// exception finds the text of an exception in what passed last.
func (b *rawBody) exception() exceptionText {
	text, coding := b.tail.bytes(), b.response.field("Content-Encoding")
	switch {
	case b.response.refuses():
		return refusalIn(text, b.tail.whole(), coding, b.response.exceptionCode())
	case coding != "":
		return ""
	}
	return trailingException(text, b.response.field(headerExceptionTag))
}

// refusalIn returns the exception with a code that the end of a body, or the whole of it,
// has; "" when it cannot be read.
func refusalIn(last []byte, whole bool, coding string, code int) exceptionText {
	if whole {
		if text := decodedException(coding, last, code); text != "" {
			return text
		}
	}
	if at := exceptionAtEnd(last, code); coding == "" && at >= 0 {
		return exceptionText(last[at:])
	}
	return ""
}

// decodedException returns the exception with a code that body is when it is decoded: from
// coding, and then maybe from ClickHouse's own blocks, which no field announces; "" when it
// is none.
func decodedException(coding string, body []byte, code int) exceptionText {
	plain, err := encoding.Decode(coding, bytes.NewReader(body))
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(plain, maxException))
	if err == nil && isException(text, code) {
		return exceptionText(text)
	}
	text, err = io.ReadAll(io.LimitReader(encoding.Blocks(bytes.NewReader(text)), maxException))
	if err == nil && isException(text, code) {
		return exceptionText(text)
	}
	return ""
}

// tail keeps the last bytes of a body.
type tail struct {
	pool   *sync.Pool // of *[]byte, bufferSize each
	buffer *[]byte    // nil: nothing is kept
	size   int        // bytes of buffer that are in use
	lost   bool       // there were more
}

// tailSize is how many bytes are kept at least: an exception, of which ClickHouse
// sends 16 KiB at most behind rows, and what stands around it.
const tailSize = 17 << 10

// keep notes that p comes next.
func (t *tail) keep(p []byte) {
	if len(p) == 0 {
		return
	}
	if t.buffer == nil {
		t.buffer = t.pool.Get().(*[]byte)
	}
	if len(p) > tailSize {
		p, t.size, t.lost = p[len(p)-tailSize:], 0, true
	}
	buffer := *t.buffer
	if t.size+len(p) > len(buffer) {
		old := buffer[t.size-(tailSize-len(p)) : t.size]
		t.size, t.lost = copy(buffer, old), true
	}
	t.size += copy(buffer[t.size:], p)
}

// bytes returns what is kept; it is valid until the next call.
func (t *tail) bytes() []byte {
	if t.buffer == nil {
		return nil
	}
	return (*t.buffer)[:t.size]
}

// whole reports whether that is all that there was.
func (t *tail) whole() bool { return !t.lost }

func (t *tail) release() {
	if t.buffer != nil {
		t.pool.Put(t.buffer)
		t.buffer, t.size = nil, 0
	}
}
