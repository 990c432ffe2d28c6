package audit

// clause follows an IDENTIFIED clause: IDENTIFIED [WITH method] BY 'x' [, …]. It ends
// with the first thing that cannot be part of one, because `identified` may as well be
// an alias, and must not hide the question that follows it.
type clause uint8

const (
	outside     clause = iota
	begun              // behind IDENTIFIED
	named              // behind WITH: the method comes
	method             // behind the method
	listed             // behind a comma after a method: another one comes, or it was an alias
	proven             // behind BY, or a secret
	provenAgain        // behind a comma after a secret
)

// secret reports whether a string that stands here is one.
func (c clause) secret() bool { return c != outside && c != listed }

// text takes a string.
func (c *clause) text() {
	if c.secret() {
		*c = proven
	} else {
		*c = outside
	}
}

// word takes a word, and reports whether it is a password without quotes; before is
// the token before it, if that was a word.
func (c *clause) word(word, before string) (password bool) {
	introduces := introducesSecret(word)
	switch {
	case sameWord(word, "identified"):
		*c = begun
	case *c == begun && sameWord(word, "with"):
		*c = named
	case *c == begun && sameWord(word, "by"), (*c == method || *c >= proven) && introduces:
		*c = proven
	case *c == listed && sameWord(word, "by"):
		*c = proven
	case *c == proven && sameWord(before, "by"):
		return true
	case *c == named, *c == listed, *c == provenAgain:
		*c = method
	default:
		*c = outside
	}
	return false
}

// introducesSecret reports whether the string behind a word within the clause is one.
func introducesSecret(word string) bool {
	for _, known := range [...]string{"by", "as", "using", "salt", "key", "type", "password"} {
		if sameWord(word, known) {
			return true
		}
	}
	return false
}

// sign takes a character that is a token of its own.
func (c *clause) sign(sign byte) {
	switch {
	case sign >= 0x80: // a part of a character, maybe of a space
	case sign == ',' && *c >= proven:
		*c = provenAgain
	case sign == ',' && *c == method:
		*c = listed
	case *c < proven, sign == ';':
		*c = outside
	}
}
