package statement

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
	cursor
	last Type // of the last significant token; Whitespace before the first
	tags *tags
}

// NewLexer starts at the beginning of sql.
func NewLexer(sql string) Lexer { return Lexer{cursor: cursor{sql: sql}} }

// Next returns the next token, and EndOfStream for ever once the text is used
// up. The tokens follow one another without a gap, at least up to the first
// error.
func (l *Lexer) Next() Token {
	begin := l.pos
	if begin >= len(l.sql) {
		return Token{EndOfStream, len(l.sql), len(l.sql)}
	}
	kind, b := Whitespace, l.sql[begin]
	switch class := classOf[b]; { // in the order of how many there are
	case class == letter:
		kind = l.letter(b)
	case class == space:
		l.skip(space)
	case class == sign:
		l.pos++
		kind = signs[b]
	case class == point:
		kind = l.dot()
	case class == other:
		kind = l.operator(b)
	case class == quote:
		kind = l.quoted(b)
	case class == digit:
		kind = l.number()
	case class == dollar:
		kind = l.dollar()
	default:
		kind = l.unicode()
	}
	if kind > Comment {
		l.last = kind
	}
	if kind.unclosed() { // also where ClickHouse goes on inside it: see curly
		return Token{kind, begin, len(l.sql)}
	}
	return Token{kind, begin, l.pos}
}

// letter scans a bare word, or a literal such as x'1F'.
func (l *Lexer) letter(b byte) Type {
	if b |= 0x20; (b == 'x' || b == 'b') && l.at(1) == '\'' && l.pos+2 < len(l.sql) {
		return l.digits(b == 'x')
	}
	return l.word()
}

// operator scans what begins with a sign that may have more than one byte, or
// with one that has no meaning.
func (l *Lexer) operator(b byte) Type {
	next := l.at(1)
	switch {
	case b == '-' && next == '-', b == '/' && next == '/', b == '#' && (next == ' ' || next == '!'):
		return l.lineComment()
	case b == '/' && next == '*':
		return l.blockComment()
	case b == '<' && next == '=' && l.at(2) == '>':
		l.pos += 3
		return Spaceship
	}
	for _, pair := range pairs {
		if pair.first == b && pair.second == next {
			l.pos += 2
			return pair.both
		}
	}
	if kind := singles[b]; kind != Whitespace {
		l.pos++
		return kind
	}
	return l.garbage()
}
