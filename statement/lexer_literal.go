package statement

import "strings"

// quoted scans what stands between two quotes of the kind q. Inside, a
// backslash takes the next byte with it, and a doubled quote is a byte.
func (l *Lexer) quoted(q byte) Type {
	kind, unclosed := StringLiteral, ErrorSingleQuoteIsNotClosed
	switch q {
	case '"':
		kind, unclosed = QuotedIdentifier, ErrorDoubleQuoteIsNotClosed
	case '`':
		kind, unclosed = QuotedIdentifier, ErrorBackQuoteIsNotClosed
	}
	for l.pos++; l.pos < len(l.sql); l.pos++ {
		switch l.sql[l.pos] {
		case '\\':
			l.pos++
		case q:
			if l.at(1) != q {
				l.pos++
				return kind
			}
			l.pos++
		}
	}
	return l.end(unclosed)
}

// digits scans x'1F' or b'01'. A wrong digit is taken for a missing quote.
func (l *Lexer) digits(hex bool) Type {
	for l.pos += 2; l.pos < len(l.sql); l.pos++ {
		c := l.sql[l.pos]
		if c == '\'' {
			l.pos++
			return StringLiteral
		}
		if hex && !isHex(c) || !hex && c != '0' && c != '1' {
			break
		}
	}
	return l.end(ErrorSingleQuoteIsNotClosed)
}

// number scans a number, or a word that begins with a digit.
func (l *Lexer) number() Type {
	begin := l.pos
	if l.last == Dot { // x.1.1 is x . 1 . 1
		l.run(false, false)
	} else {
		l.realNumber()
	}
	if l.pos == len(l.sql) || !isWord(l.sql[l.pos]) {
		return Number
	}
	for l.pos < len(l.sql) && isWord(l.sql[l.pos]) {
		l.pos++
	}
	if strings.ContainsAny(l.sql[begin:l.pos], ".+-") {
		return ErrorWrongNumber
	}
	return BareWord
}

// realNumber scans digits with all that a number may have: 0x and 0b, a
// fraction, an exponent (base 2 after 0x), and '_' between digits.
func (l *Lexer) realNumber() {
	hex, prefix := false, false
	if l.sql[l.pos] == '0' {
		switch next, then := l.at(1)|0x20, l.at(2); next {
		case 'x':
			hex = isHex(then)
			prefix = hex
		case 'b':
			prefix = then == '0' || then == '1'
		}
	}
	l.pos++
	if prefix {
		l.pos++
	}
	l.run(hex, prefix)
	if l.at(0) == '.' {
		l.pos++
		l.run(hex, true)
	}
	if hex {
		l.exponent('p')
	} else {
		l.exponent('e')
	}
}

// exponent scans e+1 where mark is 'e'. A mark at the very end of the text
// belongs to the word that the number then is.
func (l *Lexer) exponent(mark byte) {
	if l.at(0)|0x20 != mark || l.pos+1 >= len(l.sql) {
		return
	}
	l.pos++
	if sign := l.at(0); (sign == '+' || sign == '-') && l.pos+1 < len(l.sql) {
		l.pos++
	}
	l.run(false, true)
}

// run scans digits and the '_' between two of them; at the start of a block
// no '_' may stand.
func (l *Lexer) run(hex, start bool) {
	for l.pos < len(l.sql) {
		c := l.sql[l.pos]
		inside := isDigit(c) || hex && isHex(c)
		if !inside && (c != '_' || start || !(isDigit(l.at(1)) || hex && isHex(l.at(1)))) {
			return
		}
		start = false
		l.pos++
	}
}

// dot tells the dot between two names from the one that begins a number: .5
func (l *Lexer) dot() Type {
	if l.pos > 0 {
		switch l.last {
		case ClosingRoundBracket, ClosingSquareBracket, BareWord, QuotedIdentifier, Number:
			l.pos++
			return Dot
		}
		if !isDigit(l.at(1)) {
			l.pos++
			return Dot
		}
	}
	l.pos++
	l.run(false, true)
	l.exponent('e')
	return Number
}

// dollar scans a heredoc such as $tag$ … $tag$, a word, or a lone dollar.
func (l *Lexer) dollar() Type {
	if size := l.tag(); size > 0 {
		if n := l.closing(size); n >= 0 {
			l.pos += n + size
			return HereDoc
		}
	}
	if !isWord(l.at(1)) {
		l.pos++
		return DollarSign
	}
	for l.pos++; l.pos < len(l.sql) && classOf[l.sql[l.pos]].inWord(); l.pos++ {
	}
	return BareWord
}

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
	}
	begin := l.pos
	for {
		l.skip(space)
		n := unicodeSpace(l.sql[l.pos:])
		if n == 0 {
			break
		}
		l.pos += n
	}
	if l.pos > begin {
		return Whitespace
	}
	l.pos++
	return l.garbage()
}

// curly scans up to the closing curly quote; nothing is escaped inside. Without
// one, ClickHouse reads on at a quote's first byte if one of the last two is.
func (l *Lexer) curly(closing string, kind, unclosed Type) Type {
	l.pos += len(closing)
	if n := strings.Index(l.sql[l.pos:], closing); n >= 0 {
		l.pos += n + len(closing)
		return kind
	}
	l.pos = len(l.sql)
	if n := strings.IndexByte(l.sql[l.pos-2:], closing[0]); n >= 0 {
		l.pos += n - 2
	}
	return unclosed
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
