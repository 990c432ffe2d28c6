package blocks

import "slices"

// vectors is a column of QBit: vectors of numbers, of which a block has first the highest
// bits of all elements, then the next, and so on.
type vectors struct {
	most   *int
	length int     // elements of a vector
	width  int     // bytes of an element
	planes []fixed // the bits of one rank, of all elements
	show   show
}

// maxVector bounds the elements of a QBit.
const maxVector = 1 << 20

// vectorWidths are the bytes of the elements that a vector may have.
var vectorWidths = map[string]int{"BFloat16": 2, "Float32": 4, "Float64": 8}

// newVectors makes the column of a QBit.
func newVectors(o *options, arguments []string) column {
	length, ok := number(arguments, 1, maxVector)
	if !ok || length == 0 {
		return nil
	}
	width := vectorWidths[arguments[0]]
	if width == 0 {
		return nil
	}
	c := &vectors{most: &o.maxRow, length: length, width: width, show: o.float(width)}
	c.planes = slices.Repeat([]fixed{{width: (length + 7) / 8}}, 8*width)
	return c
}

func (c *vectors) prefix(*reader) {}

func (c *vectors) read(r *reader, rows int) {
	for i := range c.planes {
		c.planes[i].read(r, rows)
	}
}

func (c *vectors) add(r *reader) {
	for i := range c.planes {
		c.planes[i].add(r)
	}
}

// append writes a vector; in JSON too with nan and inf as they are, as ClickHouse does.
func (c *vectors) append(b []byte, row int, _ style) []byte {
	b = append(b, '[')
	value := make([]byte, c.width)
	for i := 0; i < c.length && len(b) <= *c.most; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		c.element(value, row, i)
		b = c.show(b, value, raw)
	}
	return append(b, ']')
}

// element puts an element of a vector together. The first eight are in the last byte
// of a plane, the lowest bit first.
func (c *vectors) element(value []byte, row, at int) {
	clear(value)
	for i := range c.planes {
		width := c.planes[i].width
		plane := c.planes[i].data[row*width:][:width]
		rank := 8*c.width - 1 - i
		value[rank/8] |= plane[width-1-at/8] >> (at % 8) & 1 << (rank % 8)
	}
}
