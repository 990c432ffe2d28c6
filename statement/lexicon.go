package statement

// lexicon finds what a word means to the check, in any case of its letters. Most
// words of a text mean nothing, and cost next to nothing: the first letter and the
// length choose a drawer, and few drawers have a word in them.
type lexicon[Meaning any] struct {
	drawers [512][]entry[Meaning]
}

type entry[Meaning any] struct {
	word    string
	meaning Meaning
}

// newLexicon holds the words, which are in lower case.
func newLexicon[Meaning any](words map[string]Meaning) *lexicon[Meaning] {
	l := &lexicon[Meaning]{}
	for word, meaning := range words {
		drawer := drawerOf(word)
		l.drawers[drawer] = append(l.drawers[drawer], entry[Meaning]{word, meaning})
	}
	return l
}

// find returns what the word means; the zero Meaning when it is not there.
func (l *lexicon[Meaning]) find(word string) (meaning Meaning) {
	if word == "" {
		return meaning
	}
	for _, e := range l.drawers[drawerOf(word)] {
		if sameWord(word, e.word) {
			return e.meaning
		}
	}
	return meaning
}

// drawerOf chooses a drawer for a word, which has at least one byte: the same in
// any case of its letters.
func drawerOf(word string) int { return int(word[0]&31)<<4 | len(word)&15 }

// sameWord reports whether s is the lower-case word, but for the case of ASCII letters.
func sameWord(s, word string) bool { return len(s) == len(word) && hasPrefix(s, word) }

// hasPrefix is strings.HasPrefix for a prefix in lower case, but for the case of
// ASCII letters.
func hasPrefix(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if p := prefix[i]; s[i] != p && (s[i]|0x20 != p || p < 'a' || p > 'z') {
			return false
		}
	}
	return true
}
