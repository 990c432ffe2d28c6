package statement

// Type is the type of a Token. Names and values are those of ClickHouse 26.7.
type Type uint8

// The types of tokens. Those above EndOfStream are errors: ClickHouse refuses a
// statement that holds one.
const (
	Whitespace Type = iota
	Comment
	BareWord // a keyword or a name
	Number
	StringLiteral
	QuotedIdentifier
	OpeningRoundBracket
	ClosingRoundBracket
	OpeningSquareBracket
	ClosingSquareBracket
	OpeningCurlyBrace
	ClosingCurlyBrace
	Comma
	Semicolon
	VerticalDelimiter // \G
	Dot
	Asterisk
	HereDoc
	DollarSign
	Plus
	Minus
	Slash
	Percent
	Arrow
	QuestionMark
	Colon
	Caret
	DoubleColon
	Equals
	NotEquals
	Less
	Greater
	LessOrEquals
	GreaterOrEquals
	Spaceship // <=>
	PipeMark
	Concatenation
	At
	DoubleAt
	EndOfStream
	Error
	ErrorMultilineCommentIsNotClosed
	ErrorSingleQuoteIsNotClosed
	ErrorDoubleQuoteIsNotClosed
	ErrorBackQuoteIsNotClosed
	ErrorSingleExclamationMark
	ErrorSinglePipeMark
	ErrorWrongNumber
)

// IsError reports whether ClickHouse refuses a statement with such a token.
func (t Type) IsError() bool { return t > EndOfStream }

// unclosed reports whether the end of a comment or of a quoted text is missing.
func (t Type) unclosed() bool {
	return t >= ErrorMultilineCommentIsNotClosed && t <= ErrorBackQuoteIsNotClosed
}

// String returns ClickHouse's name of the type.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "Type(?)"
}

var typeNames = [...]string{
	"Whitespace", "Comment", "BareWord", "Number", "StringLiteral", "QuotedIdentifier",
	"OpeningRoundBracket", "ClosingRoundBracket", "OpeningSquareBracket", "ClosingSquareBracket",
	"OpeningCurlyBrace", "ClosingCurlyBrace", "Comma", "Semicolon", "VerticalDelimiter", "Dot", "Asterisk",
	"HereDoc", "DollarSign", "Plus", "Minus", "Slash", "Percent", "Arrow", "QuestionMark", "Colon", "Caret",
	"DoubleColon", "Equals", "NotEquals", "Less", "Greater", "LessOrEquals", "GreaterOrEquals", "Spaceship",
	"PipeMark", "Concatenation", "At", "DoubleAt", "EndOfStream", "Error", "ErrorMultilineCommentIsNotClosed",
	"ErrorSingleQuoteIsNotClosed", "ErrorDoubleQuoteIsNotClosed", "ErrorBackQuoteIsNotClosed",
	"ErrorSingleExclamationMark", "ErrorSinglePipeMark", "ErrorWrongNumber",
}

// class is what a byte can begin.
type class uint8

const (
	other  class = iota // an operator of one or more bytes, or nothing at all
	space               // ASCII white space
	letter              // or '_'
	digit
	dollar
	quote
	high  // above 127
	point // a dot
	sign  // a token by itself: see signs
)

// inWord reports whether a bare word goes on with such a byte.
func (c class) inWord() bool { return c >= letter && c <= dollar }

// classOf is the class of every byte.
var classOf = func() (table [256]class) {
	for c := range table {
		switch b := byte(c); {
		case b == ' ' || b >= '\t' && b <= '\r':
			table[c] = space
		case b|0x20 >= 'a' && b|0x20 <= 'z' || b == '_':
			table[c] = letter
		case isDigit(b):
			table[c] = digit
		case b == '$':
			table[c] = dollar
		case b == '\'' || b == '"' || b == '`':
			table[c] = quote
		case b > 127:
			table[c] = high
		case b == '.':
			table[c] = point
		case signs[b] != Whitespace:
			table[c] = sign
		}
	}
	return table
}()

// signs are the tokens of one byte that begin no other.
var signs = [128]Type{
	'(': OpeningRoundBracket, ')': ClosingRoundBracket,
	'[': OpeningSquareBracket, ']': ClosingSquareBracket,
	'{': OpeningCurlyBrace, '}': ClosingCurlyBrace,
	',': Comma, ';': Semicolon, '*': Asterisk, '+': Plus, '%': Percent, '?': QuestionMark, '^': Caret,
}

// pairs are the operators of two bytes.
var pairs = [...]struct {
	first, second byte
	both          Type
}{
	{'-', '>', Arrow},
	{'=', '=', Equals},
	{'!', '=', NotEquals},
	{'<', '=', LessOrEquals},
	{'<', '>', NotEquals},
	{'>', '=', GreaterOrEquals},
	{':', ':', DoubleColon},
	{'|', '|', Concatenation},
	{'@', '@', DoubleAt},
	{'\\', 'G', VerticalDelimiter},
}

// singles are the bytes that begin an operator, when they stand alone.
var singles = [128]Type{
	'-': Minus, '/': Slash, '=': Equals, '<': Less, '>': Greater, ':': Colon, '|': PipeMark, '@': At,
	'!': ErrorSingleExclamationMark, '#': Error, '\\': Error,
}

func isDigit(c byte) bool { return c-'0' <= 9 }
func isHex(c byte) bool   { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isWord(c byte) bool  { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
