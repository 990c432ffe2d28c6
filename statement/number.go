package statement

import "strings"

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

// realNumber scans digits with all that a number may have: 0x and 0b, a
// fraction, an exponent (base 2 after 0x), and '_' between digits.
func (c *cursor) realNumber() {
	hex, prefix := false, false
	if c.sql[c.pos] == '0' {
		switch next, then := c.at(1)|0x20, c.at(2); next {
		case 'x':
			hex = isHex(then)
			prefix = hex
		case 'b':
			prefix = then == '0' || then == '1'
		}
	}
	c.pos++
	if prefix {
		c.pos++
	}
	c.run(hex, prefix)
	if c.at(0) == '.' {
		c.pos++
		c.run(hex, true)
	}
	if hex {
		c.exponent('p')
	} else {
		c.exponent('e')
	}
}

// exponent scans e+1 where mark is 'e'. A mark at the very end of the text
// belongs to the word that the number then is.
func (c *cursor) exponent(mark byte) {
	if c.at(0)|0x20 != mark || c.pos+1 >= len(c.sql) {
		return
	}
	c.pos++
	if sign := c.at(0); (sign == '+' || sign == '-') && c.pos+1 < len(c.sql) {
		c.pos++
	}
	c.run(false, true)
}

// run scans digits and the '_' between two of them; at the start of a block
// no '_' may stand.
func (c *cursor) run(hex, start bool) {
	for c.pos < len(c.sql) {
		b := c.sql[c.pos]
		inside := isDigit(b) || hex && isHex(b)
		if !inside && (b != '_' || start || !(isDigit(c.at(1)) || hex && isHex(c.at(1)))) {
			return
		}
		start = false
		c.pos++
	}
}
