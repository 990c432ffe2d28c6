package blocks

// array is a column of lists.
type array struct {
	most   *int  // bytes that a row may be long
	ends   []int // of the lists in values
	values column
}

func (c *array) prefix(r *reader) { c.values.prefix(r) }

func (c *array) read(r *reader, rows int) {
	c.ends = r.offsets(c.ends, rows)
	c.values.read(r, lastOf(c.ends))
}

func (c *array) add(r *reader) {
	count := r.count()
	if !r.spend(count, 1) {
		return
	}
	for range count {
		if c.values.add(r); r.err != nil {
			return
		}
	}
	if r.spend(1, 8) {
		c.ends = append(c.ends, lastOf(c.ends)+count)
	}
}

func lastOf(ends []int) int {
	if len(ends) == 0 {
		return 0
	}
	return ends[len(ends)-1]
}

// span returns from where to where the values of a row are.
func span(ends []int, row int) (from, to int) {
	if row > 0 {
		from = ends[row-1]
	}
	return from, ends[row]
}

func (c *array) append(b []byte, row int, s style) []byte {
	from, to := span(c.ends, row)
	b = append(b, '[')
	for i := from; i < to && len(b) <= *c.most; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = c.values.append(b, i, inside(s))
	}
	return append(b, ']')
}

// inside returns the style of what is inside of a value of the style s.
func inside(s style) style {
	if s == inJSON {
		return inJSON
	}
	return quoted
}

// tuple is a column for each of its elements.
type tuple struct {
	most     *int
	names    []string // nil: they have none
	elements []column
}

func (c *tuple) prefix(r *reader) {
	for _, e := range c.elements {
		e.prefix(r)
	}
}

func (c *tuple) read(r *reader, rows int) {
	for _, e := range c.elements {
		e.read(r, rows)
	}
	if len(c.elements) == 0 {
		r.values(nil, rows, 1) // which say nothing
	}
}

func (c *tuple) add(r *reader) {
	for _, e := range c.elements {
		e.add(r)
	}
}

func (c *tuple) append(b []byte, row int, s style) []byte {
	begin, end := byte('('), byte(')')
	named := s == inJSON && c.names != nil
	switch {
	case named:
		begin, end = '{', '}'
	case s == inJSON:
		begin, end = '[', ']'
	}
	b = append(b, begin)
	for i, e := range c.elements {
		if i > 0 {
			b = append(b, ',')
		}
		if named {
			b = append(appendJSON(b, []byte(c.names[i])), ':')
		}
		if b = e.append(b, row, inside(s)); len(b) > *c.most {
			break
		}
	}
	return append(b, end)
}

// dictionary is a column of maps.
type dictionary struct {
	most         *int
	ends         []int
	keys, values column
}

func (c *dictionary) prefix(r *reader) {
	c.keys.prefix(r)
	c.values.prefix(r)
}

func (c *dictionary) read(r *reader, rows int) {
	c.ends = r.offsets(c.ends, rows)
	c.keys.read(r, lastOf(c.ends))
	c.values.read(r, lastOf(c.ends))
}

func (c *dictionary) add(r *reader) {
	count := r.count()
	if !r.spend(count, 1) {
		return
	}
	for range count {
		c.keys.add(r)
		if c.values.add(r); r.err != nil {
			return
		}
	}
	if r.spend(1, 8) {
		c.ends = append(c.ends, lastOf(c.ends)+count)
	}
}

func (c *dictionary) append(b []byte, row int, s style) []byte {
	from, to := span(c.ends, row)
	b = append(b, '{')
	for i := from; i < to && len(b) <= *c.most; i++ {
		if i > from {
			b = append(b, ',')
		}
		if s == inJSON { // where a key is always a text
			b = appendJSON(b, c.keys.append(nil, i, raw))
		} else {
			b = c.keys.append(b, i, quoted)
		}
		b = c.values.append(append(b, ':'), i, inside(s))
	}
	return append(b, '}')
}
