package statement

import "strings"

// cursor is a place in a text. Its methods move behind one piece of it, of which
// the first byte is known.
type cursor struct {
	sql string
	pos int
}

// at returns the byte i bytes ahead; 0 behind the end, which begins nothing.
func (c *cursor) at(i int) byte {
	if c.pos+i < len(c.sql) {
		return c.sql[c.pos+i]
	}
	return 0
}

// skip moves behind the bytes of a class.
func (c *cursor) skip(class class) {
	sql, pos := c.sql, c.pos
	for pos < len(sql) && classOf[sql[pos]] == class {
		pos++
	}
	c.pos = pos
}

// word moves behind a bare word.
func (c *cursor) word() Type {
	sql, pos := c.sql, c.pos+1
	for pos < len(sql) && classOf[sql[pos]].inWord() {
		pos++
	}
	c.pos = pos
	return BareWord
}

// end moves to the end of the text: what was not closed reaches that far.
func (c *cursor) end(kind Type) Type {
	c.pos = len(c.sql)
	return kind
}

// garbage moves behind a byte that begins nothing, and what UTF-8 would take to
// be the rest of its character.
func (c *cursor) garbage() Type {
	for c.pos++; c.pos < len(c.sql) && c.sql[c.pos]&0xC0 == 0x80; c.pos++ {
	}
	return Error
}

// lineComment reaches up to, not including, the end of the line.
func (c *cursor) lineComment() Type {
	n := strings.IndexByte(c.sql[c.pos:], '\n')
	if n < 0 {
		return c.end(Comment)
	}
	c.pos += n
	return Comment
}

// blockComment reaches to the end that belongs to its beginning: block comments
// nest.
func (c *cursor) blockComment() Type {
	depth := 0
	for c.pos+1 < len(c.sql) {
		switch c.sql[c.pos : c.pos+2] {
		case "/*":
			depth++
			c.pos += 2
		case "*/":
			depth--
			c.pos += 2
			if depth == 0 {
				return Comment
			}
		default:
			c.pos++
		}
	}
	return c.end(ErrorMultilineCommentIsNotClosed)
}
