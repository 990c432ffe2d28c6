package blocks

import "fmt"

// noVariant is what stands in the place of the variant of a row without a value.
const noVariant = 255

// variant is a column of values of several types: for each row which of them, and a
// column for each type with the values of its rows.
type variant struct {
	which    []byte                // of the rows
	places   []uint32              // of the rows' values in the columns of their types
	counts   [noVariant + 1]uint32 // of the rows of each type
	variants []column
}

func (c *variant) prefix(r *reader) {
	if mode := r.uint64(); r.err == nil && mode != 0 {
		r.fail(fmt.Errorf("blocks: a Variant of the form %d, where 0 is known", mode))
	}
	for _, v := range c.variants {
		v.prefix(r)
	}
}

func (c *variant) read(r *reader, rows int) {
	c.which, c.places = r.values(c.which[:0], rows, 1), c.places[:0]
	clear(c.counts[:])
	if !r.spend(rows, 4) {
		return
	}
	for _, kind := range c.which {
		if c.place(r, kind); r.err != nil {
			return
		}
	}
	for i, v := range c.variants {
		v.read(r, int(c.counts[i]))
	}
}

// place notes where the value of a row will be.
func (c *variant) place(r *reader, kind byte) {
	if kind != noVariant && int(kind) >= len(c.variants) {
		r.fail(fmt.Errorf("blocks: a Variant has %d types, and a row is of the one at %d", len(c.variants), kind))
		return
	}
	c.places = append(c.places, c.counts[kind])
	c.counts[kind]++
}

func (c *variant) add(r *reader) {
	kind := r.byte()
	if !r.spend(1, 5) {
		return
	}
	if c.place(r, kind); r.err != nil {
		return
	}
	c.which = append(c.which, kind)
	if kind != noVariant {
		c.variants[kind].add(r)
	}
}

func (c *variant) append(b []byte, row int, s style) []byte {
	if c.which[row] == noVariant {
		return appendNull(b, s)
	}
	return c.variants[c.which[row]].append(b, int(c.places[row]), s)
}
