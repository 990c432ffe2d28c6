package statement

import "strings"

// word is one significant token. Checking reads words, never the text.
type word struct {
	begin, end int32
	kind       Type
	key        keyword // what a bare word is; notKeyword behind a dot, where only names stand
}

// noWord is the kind of the zero word, which stands beyond both ends of a statement.
const noWord = Whitespace

// isName reports whether the word may be a name: a keyword may.
func (w word) isName() bool { return w.kind == BareWord || w.kind == QuotedIdentifier }

// callable reports whether a bracket behind the word opens the arguments of a
// function that the word names.
func (w word) callable() bool { return w.isName() && !w.key.is(structural) }

// maxText is the longest text that is read, in bytes; ClickHouse itself reads
// 256 KiB unless it is told otherwise.
const maxText = 1 << 30

// doubt is why a text cannot be read with certainty, and where.
type doubt struct {
	at     int
	reason string
}

// readWords returns the significant tokens of sql, in the buffer if they have room
// there, or why they are not certain.
func readWords(sql string, buffer []word) ([]word, *doubt) {
	if len(sql) > maxText {
		return nil, &doubt{maxText, "the text is too long: shorten it"}
	}
	if at := strings.IndexByte(sql, 0); at >= 0 {
		return nil, &doubt{at, "the text holds a NUL byte, where programs disagree about its end: leave it out"}
	}
	words := buffer
	if len(sql) > 4*cap(words) { // there is a word in four bytes, or in five
		words = make([]word, 0, len(sql)/4+16)
	}
	lexer := NewLexer(sql)
	for {
		lexer.skip(space) // half of all tokens, and faster like this
		dotted := lexer.last == Dot
		t := lexer.Next()
		w := word{begin: int32(t.Begin), end: int32(t.End), kind: t.Type}
		reason := ""
		switch text := sql[t.Begin:t.End]; { // in the order of how many there are
		case t.Type == BareWord:
			if text[0] == '$' {
				reason = "a heredoc that is not closed, or a name that begins with $: quote it"
			} else if !dotted {
				w.key = keywords.find(text)
			}
		case t.Type == Whitespace:
			continue
		case t.Type == EndOfStream:
			return words, nil
		case t.Type != Comment:
			reason = doubts[t.Type]
		case !nested(text):
			continue
		default:
			reason = "a comment holds another /*, which some versions of ClickHouse read differently: write it without"
		}
		if reason != "" {
			return nil, &doubt{t.Begin, reason}
		}
		words = append(words, w)
	}
}

// nested reports whether a comment begins in the comment.
func nested(comment string) bool {
	return strings.HasPrefix(comment, "/*") && strings.Contains(comment[2:], "/*")
}

// doubts are the reasons against the tokens that are never certain.
var doubts = [...]string{
	DollarSign:                       "a $ stands alone: quote it",
	Error:                            noMeaning,
	ErrorMultilineCommentIsNotClosed: "this comment is not closed: end it with */",
	ErrorSingleQuoteIsNotClosed:      "this string is not closed, or holds a wrong digit: end it with its quote",
	ErrorDoubleQuoteIsNotClosed:      nameNotClosed,
	ErrorBackQuoteIsNotClosed:        nameNotClosed,
	ErrorSingleExclamationMark:       noMeaning,
	ErrorSinglePipeMark:              noMeaning,
	ErrorWrongNumber:                 "this is neither a number nor a name: put a space between them",
}

const (
	noMeaning     = "this character has no meaning in ClickHouse's SQL: leave it out, or quote it"
	nameNotClosed = "this quoted name is not closed: end it with its quote"
)
