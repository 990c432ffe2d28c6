package statement

import "strings"

// word is one significant token. Checking reads words, never the text.
type word struct {
	begin, end int32
	kind       Type
	key        keyword // what a bare word is; notKeyword behind a dot, where only names stand
}

// maxText is the longest text that is read, in bytes; ClickHouse itself reads
// 256 KiB unless it is told otherwise.
const maxText = 1 << 30

// doubt is why a text cannot be read with certainty, and where.
type doubt struct {
	at     int
	reason string
}

// readWords returns the significant tokens of sql, or why they are not certain.
func readWords(sql string) ([]word, *doubt) {
	if len(sql) > maxText {
		return nil, &doubt{maxText, "the text is too long: shorten it"}
	}
	if at := strings.IndexByte(sql, 0); at >= 0 {
		return nil, &doubt{at, "the text holds a NUL byte, where programs disagree about its end: leave it out"}
	}
	words := make([]word, 0, len(sql)/3+16)
	lexer := NewLexer(sql)
	for {
		t := lexer.Next()
		if t.Type == Whitespace {
			continue
		}
		if reason := doubtful(sql, t); reason != "" {
			return nil, &doubt{t.Begin, reason}
		}
		switch t.Type {
		case EndOfStream:
			return words, nil
		case Comment:
			continue
		}
		w := word{begin: int32(t.Begin), end: int32(t.End), kind: t.Type}
		if t.Type == BareWord && (len(words) == 0 || words[len(words)-1].kind != Dot) {
			w.key = keywordOf(sql[t.Begin:t.End])
		}
		words = append(words, w)
	}
}

// doubtful tells why a token makes a text uncertain; "" when it does not.
func doubtful(sql string, t Token) string {
	switch t.Type {
	case Comment:
		text := sql[t.Begin:t.End]
		if strings.HasPrefix(text, "/*") && strings.Contains(text[2:], "/*") {
			return "a comment holds another /*, which some versions of ClickHouse read differently: write it without"
		}
	case BareWord:
		if sql[t.Begin] == '$' {
			return "a heredoc that is not closed, or a name that begins with $: quote it"
		}
	case DollarSign:
		return "a $ stands alone: quote it"
	case ErrorMultilineCommentIsNotClosed:
		return "this comment is not closed: end it with */"
	case ErrorSingleQuoteIsNotClosed:
		return "this string is not closed, or holds a wrong digit: end it with its quote"
	case ErrorDoubleQuoteIsNotClosed, ErrorBackQuoteIsNotClosed:
		return "this quoted name is not closed: end it with its quote"
	case ErrorWrongNumber:
		return "this is neither a number nor a name: put a space between them"
	case Error, ErrorSingleExclamationMark, ErrorSinglePipeMark:
		return "this character has no meaning in ClickHouse's SQL: leave it out, or quote it"
	}
	return ""
}
