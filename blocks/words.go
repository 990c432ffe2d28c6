package blocks

import (
	"encoding/binary"
	"math"
)

// words is a column of integers of 64 bits. What most answers consist of is written without
// a show for each value, which would take a quarter of the time again.
type words struct {
	fixed
	signed bool
	quoted bool // in JSON
}

func (o *options) words(signed bool) column {
	return &words{fixed: fixed{width: 8}, signed: signed, quoted: o.quoteIntegers}
}

func (c *words) append(b []byte, row int, s style) []byte {
	n := binary.LittleEndian.Uint64(c.data[8*row:])
	if c.quoted && s == inJSON {
		return append(c.write(append(b, '"'), n), '"')
	}
	return c.write(b, n)
}

func (c *words) write(b []byte, n uint64) []byte {
	if c.signed {
		return appendInt(b, int64(n))
	}
	return appendUint(b, n)
}

// doubles is a column of Float64, likewise, but in JSON and where only so many digits count.
type doubles struct {
	fixed
	plain bool // outside of JSON
}

func (o *options) doubles() column {
	return &doubles{fixed{width: 8, show: o.float(8)}, o.digits == 0}
}

func (c *doubles) append(b []byte, row int, s style) []byte {
	if !c.plain || s == inJSON {
		return c.fixed.append(b, row, s)
	}
	return appendFloat(b, math.Float64frombits(binary.LittleEndian.Uint64(c.data[8*row:])), 8)
}
