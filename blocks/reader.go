package blocks

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// reader reads the values of a block. It remembers its first error, after which it
// reads nothing.
type reader struct {
	in *bufio.Reader
	*memory
	err error
}

// fail keeps err, if it is the first one.
func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// broken says that a block could not be read to its end.
func (r *reader) broken(err error) {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	r.fail(fmt.Errorf("blocks: reading a block: %w", err))
}

// spend notes that count things of so many bytes each will be in memory, and reports
// whether they may be.
func (r *reader) spend(count, each int) bool {
	switch {
	case r.err != nil:
		return false
	case each > 0 && (count < 0 || count > r.left/each):
		r.err = r.tooLarge("another %d times %d bytes, and %d are left", count, each, r.left)
	default:
		r.err = r.take(count * each)
	}
	return r.err == nil
}

// number reads a number of variable length, seven bits in a byte.
func (r *reader) number() uint64 {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		r.broken(err)
	}
	return n
}

// count reads how many things follow, each of which takes at least a byte.
func (r *reader) count() int { return r.atMost(r.number()) }

// atMost returns n, unless there is no memory for so many things.
func (r *reader) atMost(n uint64) int {
	if r.err == nil && n > uint64(r.left) {
		r.err = r.tooLarge("it announces %d values or bytes, and %d are left", n, r.left)
		return 0
	}
	return int(n)
}

// byte reads one byte.
func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	b, err := r.in.ReadByte()
	if err != nil {
		r.broken(err)
	}
	return b
}

// uint64 reads a number of eight bytes.
func (r *reader) uint64() uint64 {
	var b [8]byte
	if r.err != nil {
		return 0
	}
	if _, err := io.ReadFull(r.in, b[:]); err != nil {
		r.broken(err)
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}

// firstPiece is how much memory is taken before the bytes for it have come.
const firstPiece = 1 << 20

// more appends the next n bytes to b. Memory is taken as they come: whoever announces
// many has to send them.
func (r *reader) more(b []byte, n int) []byte {
	if !r.spend(n, 1) {
		return b
	}
	if to := len(b) + n; to <= cap(b) {
		if _, err := io.ReadFull(r.in, b[len(b):to]); err != nil {
			r.broken(err)
			return b
		}
		return b[:to]
	}
	for n > 0 {
		piece := min(n, max(firstPiece, len(b)))
		b = slices.Grow(b, piece)
		if _, err := io.ReadFull(r.in, b[len(b):len(b)+piece]); err != nil {
			r.broken(err)
			return b
		}
		b, n = b[:len(b)+piece], n-piece
	}
	return b
}

// values appends count values of a width to b.
func (r *reader) values(b []byte, count, width int) []byte {
	if width > 0 && count > r.left/width {
		r.spend(count, width) // which fails
		return b
	}
	return r.more(b, count*width)
}

// text reads bytes behind their number.
func (r *reader) text() string { return string(r.more(nil, r.count())) }

// offsets reads how many things there are up to the end of each row. They never
// become fewer.
func (r *reader) offsets(into []int, rows int) []int {
	into = into[:0]
	last := 0
	for range rows {
		next := r.uint64()
		if r.err == nil && (next < uint64(last) || next > uint64(r.left)) {
			r.fail(fmt.Errorf("blocks: a row ends at %d, behind one that ends at %d, with memory for %d", next, last, r.left))
		}
		if r.err != nil || !r.spend(1, 8) {
			return into
		}
		last = int(next)
		into = append(into, last)
	}
	return into
}

// within reads with read from another source. What it takes is the block's memory, and
// its error is the block's.
func (r *reader) within(source io.Reader, read func(*reader)) {
	in := r.in
	r.in = bufio.NewReaderSize(source, 16)
	read(r)
	r.in = in
}

// standIn adds a value to c that has a place and is not sent. It is made of zeros, which
// are a value of every type.
func (r *reader) standIn(c column) { r.within(zeroes{}, c.add) }

type zeroes struct{}

// Read implements io.Reader.
func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
