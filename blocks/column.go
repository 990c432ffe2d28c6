package blocks

// column holds the values of one column of a block, or of what is inside of one.
type column interface {
	// prefix reads what stands once before the values of a column.
	prefix(r *reader)
	// read reads the values of so many rows, in place of those of the block before.
	read(r *reader, rows int)
	// add reads one more value, as it is written where it stands alone (RowBinary).
	add(r *reader)
	// append writes a value.
	append(b []byte, row int, s style) []byte
}

// emptied empties a column, so that values can be added to it.
func emptied(c column) column {
	c.read(&reader{memory: &memory{}}, 0)
	return c
}

// nullable is a column with a note for each row whether it has a value.
type nullable struct {
	nulls  []byte // 1: there is none
	values column
}

func (c *nullable) prefix(r *reader) { c.values.prefix(r) }

func (c *nullable) read(r *reader, rows int) {
	c.nulls = r.values(c.nulls[:0], rows, 1)
	c.values.read(r, rows)
}

func (c *nullable) add(r *reader) {
	null := r.byte()
	c.nulls = append(c.nulls, null)
	if null == 0 {
		c.values.add(r)
		return
	}
	r.standIn(c.values)
}

func (c *nullable) append(b []byte, row int, s style) []byte {
	if c.nulls[row] != 0 {
		return appendNull(b, s)
	}
	return c.values.append(b, row, s)
}

// appendNull writes that there is no value.
func appendNull(b []byte, s style) []byte {
	switch s {
	case quoted:
		return append(b, "NULL"...)
	case inJSON:
		return append(b, "null"...)
	}
	return append(b, `\N`...)
}
