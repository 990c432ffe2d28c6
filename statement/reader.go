package statement

// wordReader reads the words of a text one by one, of which more may follow. A method
// that reads something begins at word, and is behind it when it says true.
type wordReader struct {
	lexer Lexer
	word  Token // the one to be read; a significant one
	whole bool  // nothing follows the text
	short bool  // the text ended before it was certain
	odd   bool  // a comment holds another /*, which some versions of ClickHouse read differently
}

// horizon is how far behind a token's end the Lexer may have looked, and more.
const horizon = 4

// next goes on to the next word.
func (r *wordReader) next() {
	for r.word = r.lexer.Next(); !r.word.Significant(); r.word = r.lexer.Next() {
	}
	r.short = r.short || !r.whole && r.uncertain(r.word)
}

// uncertain reports whether more text could make another token of this one: at the end
// of the text, or when it would be a heredoc, had it an end.
func (r *wordReader) uncertain(t Token) bool {
	return t.End+horizon > len(r.lexer.sql) || t.Type != HereDoc && r.lexer.sql[t.Begin] == '$'
}

// is reports whether the word is a keyword, given in lower case.
func (r *wordReader) is(keyword string) bool {
	return r.word.Type == BareWord && sameWord(r.source(), keyword)
}

func (r *wordReader) source() string { return r.lexer.sql[r.word.Begin:r.word.End] }

// take goes on behind the keyword, if it is there.
func (r *wordReader) take(keyword string) bool {
	if !r.is(keyword) {
		return false
	}
	r.next()
	return true
}

// takeType goes on behind a token of the type, if it is there.
func (r *wordReader) takeType(t Type) bool {
	if r.word.Type != t {
		return false
	}
	r.next()
	return true
}

// name reads a name, which may be a parameter: {t:Identifier}.
func (r *wordReader) name() bool {
	if r.word.Type == OpeningCurlyBrace {
		return r.group()
	}
	return r.takeType(BareWord) || r.takeType(QuotedIdentifier)
}

// group reads a bracket and all that is in it.
func (r *wordReader) group() bool {
	var open [64]Type // deeper than any list of columns or settings goes
	depth := 0
	for ; ; r.next() {
		switch t := r.word.Type; {
		case opens(t):
			if depth == len(open) {
				return false
			}
			open[depth] = t + 1 // every closing type follows directly on its opening one
			depth++
		case closes(t):
			if depth--; open[depth] != t {
				return false
			}
			if depth == 0 {
				r.next()
				return true
			}
		case t == EndOfStream || t.IsError():
			return false
		}
	}
}

func opens(t Type) bool {
	return t == OpeningRoundBracket || t == OpeningSquareBracket || t == OpeningCurlyBrace
}

func closes(t Type) bool {
	return t == ClosingRoundBracket || t == ClosingSquareBracket || t == ClosingCurlyBrace
}

// blank goes behind white space and comments, and returns the end of the last comment.
// One that is not closed is none, but data.
func (r *wordReader) blank() (comment int) {
	for r.lexer.blankFollows() {
		ahead := r.lexer
		t := ahead.Next()
		r.odd = r.odd || nested(r.lexer.sql[t.Begin:t.End])
		if t.Type.IsError() {
			r.short = r.short || !r.whole
			return comment
		}
		if t.Type == Comment {
			comment = t.End
		}
		r.lexer = ahead
	}
	return comment
}

// wordFollows reports whether the bare word, given in lower case, comes next.
func (r *wordReader) wordFollows(word string) bool {
	rest := r.lexer.sql[r.lexer.pos:]
	r.short = r.short || !r.whole && len(rest) <= len(word)
	return hasPrefix(rest, word) && (len(rest) == len(word) || !classOf[rest[len(word)]].inWord())
}

// endsOperand reports whether no column can stand directly behind the token, so that
// FORMAT there is the clause. A name might be a keyword that one can stand behind.
func (t Token) endsOperand() bool {
	switch t.Type {
	case ClosingRoundBracket, ClosingSquareBracket, ClosingCurlyBrace, Number, StringLiteral, HereDoc, QuotedIdentifier:
		return true
	}
	return false
}

// blankFollows reports whether white space or a comment comes next.
func (l *Lexer) blankFollows() bool {
	next := l.at(1)
	switch b := l.at(0); b {
	case '-':
		return next == '-'
	case '/':
		return next == '/' || next == '*'
	case '#':
		return next == ' ' || next == '!'
	default:
		return classOf[b] == space && l.pos < len(l.sql) || unicodeSpace(l.sql[l.pos:]) > 0
	}
}
