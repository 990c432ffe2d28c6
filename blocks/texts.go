package blocks

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
)

// texts is a column of texts of any length.
type texts struct {
	data []byte
	ends []uint32 // of the texts in data
}

func (c *texts) prefix(*reader) {}

func (c *texts) read(r *reader, rows int) {
	c.data, c.ends = c.data[:0], slices.Grow(c.ends[:0], min(rows, firstPiece/4))
	for r.err == nil && len(c.ends) < rows {
		if c.takeBuffered(r, rows); r.err == nil && len(c.ends) < rows {
			c.add(r) // of which a part has not come yet
		}
	}
}

// takeBuffered reads those of the next texts, up to so many in all, that have come as a
// whole: one by one they would cost more than all else. It takes no more memory than the
// buffer has before it is counted.
func (c *texts) takeBuffered(r *reader, rows int) {
	here, _ := r.in.Peek(r.in.Buffered()) // which cannot fail
	at, texts, bytes := 0, len(c.ends), len(c.data)
	for len(c.ends) < rows {
		n, size := binary.Uvarint(here[at:])
		if size <= 0 || n > uint64(len(here)-at-size) {
			break
		}
		at += size
		c.data = append(c.data, here[at:at+int(n)]...)
		c.ends = append(c.ends, uint32(len(c.data)))
		at += int(n)
	}
	if _, err := r.in.Discard(at); err != nil {
		r.broken(err)
	}
	r.spend(4*(len(c.ends)-texts)+len(c.data)-bytes, 1)
}

func (c *texts) add(r *reader) {
	if !r.spend(1, 4) {
		return
	}
	c.data = r.more(c.data, r.count())
	c.ends = append(c.ends, uint32(len(c.data)))
}

func (c *texts) value(row int) []byte {
	from := uint32(0)
	if row > 0 {
		from = c.ends[row-1]
	}
	return c.data[from:c.ends[row]]
}

func (c *texts) append(b []byte, row int, s style) []byte { return appendString(b, c.value(row), s) }

// show writes a value of a fixed width.
type show func(b, value []byte, s style) []byte

// fixed is a column of values of one width.
type fixed struct {
	width int
	show  show
	data  []byte
}

func (c *fixed) prefix(*reader) {}

func (c *fixed) read(r *reader, rows int) { c.data = r.values(c.data[:0], rows, c.width) }

func (c *fixed) add(r *reader) { c.data = r.more(c.data, c.width) }

func (c *fixed) append(b []byte, row int, s style) []byte {
	return c.show(b, c.data[row*c.width:][:c.width], s)
}

// enumeration returns how the values of an Enum are written, and what to do with one
// that has no name: ClickHouse never sends such.
func enumeration(names map[int64]string) show {
	return func(b, v []byte, s style) []byte {
		value := signedValue(v)
		name, ok := names[value]
		if !ok {
			name = strconv.FormatInt(value, 10)
		}
		return appendString(b, []byte(name), s)
	}
}

// boolean returns how a Bool is written: in the words of the operator's or the
// client's choice where it stands alone.
func (o *options) boolean() show {
	return func(b, v []byte, s style) []byte {
		yes := v[0] != 0
		switch {
		case s == raw || s == escaped:
			if yes {
				return append(b, o.yes...)
			}
			return append(b, o.no...)
		}
		return strconv.AppendBool(b, yes)
	}
}

// showNothing writes a value of the type Nothing, of which there is none.
func showNothing(b, _ []byte, _ style) []byte { return b }

// showUUID writes a UUID, of which ClickHouse sends each half from its end.
func showUUID(b, v []byte, _ style) []byte {
	halves := slices.Clone(v)
	slices.Reverse(halves[:8])
	slices.Reverse(halves[8:])
	for i, part := range [][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, halves[part[0]:part[1]])
	}
	return b
}

// showIPv4 writes an IPv4 address, which is sent from its end.
func showIPv4(b, v []byte, _ style) []byte { return appendIPv4(b, v[3], v[2], v[1], v[0]) }

func appendIPv4(b []byte, parts ...byte) []byte {
	for i, part := range parts {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(part), 10)
	}
	return b
}

// showIPv6 writes an IPv6 address as inet_ntop does: the longest run of zeros, of at
// least two words, is left out, and what holds an IPv4 address ends in one.
func showIPv6(b, v []byte, _ style) []byte {
	var words [8]uint64
	for i := range words {
		words[i] = uint64(v[2*i])<<8 | uint64(v[2*i+1])
	}
	from, size := longestZeros(words)
	for i := 0; i < len(words); i++ {
		switch {
		case i == from:
			b = append(b, "::"...)
			i += size - 1
			continue
		case i > 0 && i != from+size:
			b = append(b, ':')
		}
		if i == 6 && from == 0 && (size == 6 || size == 5 && words[5] == 0xffff) {
			return appendIPv4(b, v[12:]...)
		}
		b = strconv.AppendUint(b, words[i], 16)
	}
	return b
}

// longestZeros finds the longest run of at least two zeros; from is -1 without one.
func longestZeros(words [8]uint64) (from, size int) {
	from, size = -1, 1
	for i := 0; i < len(words); i++ {
		end := i
		for end < len(words) && words[end] == 0 {
			end++
		}
		if end-i > size {
			from, size = i, end-i
		}
		i = end
	}
	if from < 0 {
		return -1, 0
	}
	return from, size
}
