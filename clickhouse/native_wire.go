package clickhouse

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// wireReader reads the values of which ClickHouse's native protocol consists. It
// remembers its first error, after which every value is zero.
type wireReader struct {
	in  *bufio.Reader
	err error
}

// fail keeps err, if it is the first one.
func (r *wireReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// broken says that what could not be read to its end.
func (r *wireReader) broken(what string, err error) {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	r.fail(fmt.Errorf("%s: %w", what, err))
}

// number reads a number of variable length, seven bits in a byte, at most atMost.
func (r *wireReader) number(what string, atMost uint64) uint64 {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(r.in)
	switch {
	case err != nil:
		r.broken(what, err)
	case n > atMost:
		r.fail(fmt.Errorf("%s is %d, more than the %d that there may be", what, n, atMost))
	default:
		return n
	}
	return 0
}

// text reads bytes behind their number.
func (r *wireReader) text(what string, atMost uint64) string {
	size := r.number(what, atMost)
	if r.err != nil {
		return ""
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r.in, b); err != nil {
		r.broken(what, err)
		return ""
	}
	return string(b)
}

// byte reads one byte.
func (r *wireReader) byte() byte {
	if r.err != nil {
		return 0
	}
	b, err := r.in.ReadByte()
	if err != nil {
		r.broken("a byte", err)
	}
	return b
}

// int32 reads a number of four bytes, the lowest first.
func (r *wireReader) int32() int32 {
	var b [4]byte
	if r.err != nil {
		return 0
	}
	if _, err := io.ReadFull(r.in, b[:]); err != nil {
		r.broken("a number of four bytes", err)
		return 0
	}
	return int32(binary.LittleEndian.Uint32(b[:]))
}

// skip reads past n bytes.
func (r *wireReader) skip(n uint64) {
	for r.err == nil && n > 0 {
		step := min(n, maxNativeText)
		if _, err := r.in.Discard(int(step)); err != nil {
			r.broken("values", err)
		}
		n -= step
	}
}

// maxNativeText bounds a text that the server sends, in bytes. The longest one is
// the message of an exception, which can quote what a person has written.
const maxNativeText = 1 << 20

// maxNumber bounds numbers that only count.
const maxNumber = 1<<64 - 1

// errRows is a block with rows, which nobody here can read: to know where it ends
// means to know every type of ClickHouse's.
var errRows = errors.New("the server sent a block with rows")

// appendText appends bytes behind their number.
func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}
