package blocks

import (
	"encoding/binary"
	"fmt"
)

// lowCardinality is a column of few different values: what they are, and for each row
// which of them.
type lowCardinality struct {
	nullable bool // the first of keys is NULL
	keys     column
	count    int // of keys
	width    int // of an index
	indexes  []byte
}

// What stands before a LowCardinality, and the flags before its keys.
const (
	keysOfTheirOwn = 1 // its keys are sent with the indexes

	indexTypeMask    = 0xff
	needsGlobalKeys  = 1 << 8
	hasAdditionalKey = 1 << 9
)

func (c *lowCardinality) prefix(r *reader) {
	if version := r.uint64(); r.err == nil && version != keysOfTheirOwn {
		r.fail(fmt.Errorf("blocks: a LowCardinality of the form %d, where %d is known", version, keysOfTheirOwn))
	}
	c.keys.prefix(r)
}

func (c *lowCardinality) read(r *reader, rows int) {
	c.count, c.width, c.indexes = 0, 8, c.indexes[:0]
	if rows == 0 {
		c.keys.read(r, 0)
		return
	}
	flags := r.uint64()
	c.width = 1 << (flags & indexTypeMask)
	if r.err == nil && (flags&indexTypeMask > 3 || flags&needsGlobalKeys != 0 || flags&hasAdditionalKey == 0) {
		r.fail(fmt.Errorf("blocks: a LowCardinality with the flags %#x, which are not known", flags))
		return
	}
	c.count = r.atMost(r.uint64())
	c.keys.read(r, c.count)
	if n := r.uint64(); r.err == nil && n != uint64(rows) {
		r.fail(fmt.Errorf("blocks: a LowCardinality of %d rows in a place for %d", n, rows))
	}
	c.indexes = r.values(c.indexes, rows, c.width)
	c.check(r)
}

// check makes sure that there is a value for each index.
func (c *lowCardinality) check(r *reader) {
	for row := 0; r.err == nil && row < len(c.indexes)/c.width; row++ {
		if index := c.index(row); index >= uint64(c.count) {
			r.fail(fmt.Errorf("blocks: a LowCardinality has %d values, and a row wants the one at %d", c.count, index))
		}
	}
}

func (c *lowCardinality) index(row int) uint64 {
	return unsignedValue(c.indexes[row*c.width:][:c.width])
}

// add reads a value as one of the inner type: where it stands alone, nothing is shared.
func (c *lowCardinality) add(r *reader) {
	if c.nullable && c.count == 0 {
		r.standIn(c.keys) // for NULL
		c.count++
	}
	index := c.count
	if c.nullable && r.byte() != 0 {
		index = 0
	} else {
		c.keys.add(r)
		c.count++
	}
	if r.spend(1, 8) {
		c.indexes = binary.LittleEndian.AppendUint64(c.indexes, uint64(index))
	}
}

func (c *lowCardinality) append(b []byte, row int, s style) []byte {
	index := c.index(row)
	if c.nullable && index == 0 {
		return appendNull(b, s)
	}
	return c.keys.append(b, int(index), s)
}
