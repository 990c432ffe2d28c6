package mcpserver

import (
	"bufio"
	"io"
	"sync"
)

// keepBuffer is the largest buffer that is kept for the next answer, in bytes.
const keepBuffer = 256 << 10

// buffers lends the memory that answers are read and written in. The zero value
// is ready for use.
type buffers struct{ bytes, readers sync.Pool }

// take lends an empty buffer.
func (b *buffers) take() *[]byte {
	if buf, ok := b.bytes.Get().(*[]byte); ok {
		return buf
	}
	return new([]byte)
}

// give takes a buffer back; its contents are gone.
func (b *buffers) give(buf *[]byte) {
	if cap(*buf) <= keepBuffer {
		*buf = (*buf)[:0]
		b.bytes.Put(buf)
	}
}

// reader lends a buffered reader of r.
func (b *buffers) reader(r io.Reader) *bufio.Reader {
	if lent, ok := b.readers.Get().(*bufio.Reader); ok {
		lent.Reset(r)
		return lent
	}
	return bufio.NewReaderSize(r, 16<<10)
}

// giveReader takes a reader back.
func (b *buffers) giveReader(r *bufio.Reader) {
	r.Reset(nil)
	b.readers.Put(r)
}
