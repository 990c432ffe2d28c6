package statement

import "strings"

// Token is one token: sql[Begin:End], in bytes from 0.
type Token struct {
	Type       Type
	Begin, End int
}

// Significant reports whether ClickHouse's parser sees the token: white space
// and comments are skipped.
func (t Token) Significant() bool { return t.Type > Comment }

// Lexer cuts a SQL text into tokens, exactly where ClickHouse 26.7 cuts it. It
// allocates nothing per token, takes time linear in the text, and never panics,
// whatever the bytes. Copy a Lexer to look ahead.
type Lexer struct {
	sql  string
	pos  int
	last Type // of the last significant token; Whitespace before the first
	tags *tags
}

// NewLexer starts at the beginning of sql.
func NewLexer(sql string) Lexer { return Lexer{sql: sql} }

// Next returns the next token, and EndOfStream for ever once the text is used
// up. The tokens follow one another without a gap, at least up to the first
// error.
func (l *Lexer) Next() Token {
	begin := l.pos
	if begin >= len(l.sql) {
		return Token{EndOfStream, len(l.sql), len(l.sql)}
	}
	kind := l.scan(l.sql[begin])
	if kind > Comment {
		l.last = kind
	}
	if kind.unclosed() { // also where ClickHouse goes on inside it: see curly
		return Token{kind, begin, len(l.sql)}
	}
	return Token{kind, begin, l.pos}
}

// scan moves behind the token that begins with c, at l.pos.
func (l *Lexer) scan(c byte) Type {
	switch class := classOf[c]; class {
	case space:
		l.skip(space)
		return Whitespace
	case letter:
		return l.word(c)
	case digit:
		return l.number()
	case quote:
		return l.quoted(c)
	case dollar:
		return l.dollar()
	case high:
		return l.unicode()
	case sign:
		l.pos++
		return signs[c]
	}
	return l.operator(c)
}

// word scans a bare word, or a literal such as x'1F'.
func (l *Lexer) word(c byte) Type {
	if c |= 0x20; (c == 'x' || c == 'b') && l.at(1) == '\'' && l.pos+2 < len(l.sql) {
		return l.digits(c == 'x')
	}
	l.pos++
	for l.pos < len(l.sql) && classOf[l.sql[l.pos]].inWord() {
		l.pos++
	}
	return BareWord
}

// operator scans what begins with a sign that may have more than one byte, or
// with one that has no meaning.
func (l *Lexer) operator(c byte) Type {
	next := l.at(1)
	switch {
	case c == '.':
		return l.dot()
	case c == '-' && next == '-', c == '/' && next == '/', c == '#' && (next == ' ' || next == '!'):
		return l.lineComment()
	case c == '/' && next == '*':
		return l.blockComment()
	case c == '<' && next == '=' && l.at(2) == '>':
		l.pos += 3
		return Spaceship
	}
	for _, pair := range pairs {
		if pair.first == c && pair.second == next {
			l.pos += 2
			return pair.both
		}
	}
	l.pos++
	if kind := singles[c]; kind != Whitespace {
		return kind
	}
	return l.garbage()
}

// garbage moves behind a byte that begins nothing, and what UTF-8 would take to
// be the rest of its character.
func (l *Lexer) garbage() Type {
	for l.pos < len(l.sql) && l.sql[l.pos]&0xC0 == 0x80 {
		l.pos++
	}
	return Error
}

// at returns the byte i bytes ahead; 0 behind the end, which begins nothing.
func (l *Lexer) at(i int) byte {
	if l.pos+i < len(l.sql) {
		return l.sql[l.pos+i]
	}
	return 0
}

// skip moves behind the bytes of a class.
func (l *Lexer) skip(class class) {
	for l.pos < len(l.sql) && classOf[l.sql[l.pos]] == class {
		l.pos++
	}
}

// end moves to the end of the text: what was not closed reaches that far.
func (l *Lexer) end(kind Type) Type {
	l.pos = len(l.sql)
	return kind
}

// lineComment reaches up to, not including, the end of the line.
func (l *Lexer) lineComment() Type {
	n := strings.IndexByte(l.sql[l.pos:], '\n')
	if n < 0 {
		return l.end(Comment)
	}
	l.pos += n
	return Comment
}

// blockComment reaches to the end that belongs to its beginning: block comments
// nest.
func (l *Lexer) blockComment() Type {
	depth := 0
	for l.pos+1 < len(l.sql) {
		switch l.sql[l.pos : l.pos+2] {
		case "/*":
			depth++
			l.pos += 2
		case "*/":
			depth--
			l.pos += 2
			if depth == 0 {
				return Comment
			}
		default:
			l.pos++
		}
	}
	return l.end(ErrorMultilineCommentIsNotClosed)
}
