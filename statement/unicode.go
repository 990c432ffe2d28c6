package statement

import "strings"

// unicode scans what begins with a byte above 127: curly quotes, the minus
// sign, white space as word processors write it. Nothing else is SQL.
func (l *Lexer) unicode() Type {
	rest := l.sql[l.pos:]
	switch {
	case strings.HasPrefix(rest, "\u2212"):
		l.pos += len("\u2212")
		return Minus
	case strings.HasPrefix(rest, "‘") && len(rest) > 5:
		return l.curly("’", StringLiteral, ErrorSingleQuoteIsNotClosed)
	case strings.HasPrefix(rest, "“") && len(rest) > 5:
		return l.curly("”", QuotedIdentifier, ErrorDoubleQuoteIsNotClosed)
	case unicodeSpace(rest) > 0:
		return l.spaces()
	}
	return l.garbage()
}

// spaces scans white space of both sorts.
func (c *cursor) spaces() Type {
	for n := unicodeSpace(c.sql[c.pos:]); n > 0; n = unicodeSpace(c.sql[c.pos:]) {
		c.pos += n
		c.skip(space)
	}
	return Whitespace
}

// unicodeSpace returns the length of the white space character that s begins
// with, 0 if it does not. Zero-width characters and the byte order mark count.
func unicodeSpace(s string) int {
	switch {
	case len(s) < 2:
		return 0
	case s[:2] == "\u0085", s[:2] == "\u00a0":
		return 2
	case len(s) < 3:
		return 0
	}
	switch s := s[:3]; s {
	case "\u180e", "\u2028", "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff":
		return 3
	default:
		if s >= "\u2000" && s <= "\u200d" {
			return 3
		}
	}
	return 0
}
