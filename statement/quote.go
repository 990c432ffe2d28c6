package statement

import "strings"

// quoted scans what stands between two quotes of the kind q. Inside, a
// backslash takes the next byte with it, and a doubled quote is a byte.
func (c *cursor) quoted(q byte) Type {
	kind, unclosed := StringLiteral, ErrorSingleQuoteIsNotClosed
	switch q {
	case '"':
		kind, unclosed = QuotedIdentifier, ErrorDoubleQuoteIsNotClosed
	case '`':
		kind, unclosed = QuotedIdentifier, ErrorBackQuoteIsNotClosed
	}
	for c.pos++; c.pos < len(c.sql); c.pos++ {
		switch c.sql[c.pos] {
		case '\\':
			c.pos++
		case q:
			if c.at(1) != q {
				c.pos++
				return kind
			}
			c.pos++
		}
	}
	return c.end(unclosed)
}

// digits scans x'1F' or b'01'. A wrong digit is taken for a missing quote.
func (c *cursor) digits(hex bool) Type {
	for c.pos += 2; c.pos < len(c.sql); c.pos++ {
		b := c.sql[c.pos]
		if b == '\'' {
			c.pos++
			return StringLiteral
		}
		if hex && !isHex(b) || !hex && b != '0' && b != '1' {
			break
		}
	}
	return c.end(ErrorSingleQuoteIsNotClosed)
}

// curly scans up to the closing curly quote; nothing is escaped inside. Without
// one, ClickHouse reads on at a quote's first byte if one of the last two is.
func (c *cursor) curly(closing string, kind, unclosed Type) Type {
	c.pos += len(closing)
	if n := strings.Index(c.sql[c.pos:], closing); n >= 0 {
		c.pos += n + len(closing)
		return kind
	}
	c.pos = len(c.sql)
	if n := strings.IndexByte(c.sql[c.pos-2:], closing[0]); n >= 0 {
		c.pos += n - 2
	}
	return unclosed
}
