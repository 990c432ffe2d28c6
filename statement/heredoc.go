package statement

import "strings"

// tags knows, for every heredoc tag of a text, where it stands last. Without it
// a text of many different tags that are never closed would be searched to its
// end for each of them.
type tags struct{ last map[string]int }

// tag returns the length of the heredoc tag at the lexer, dollars included, and
// 0 if there is none.
func (l *Lexer) tag() int {
	for i := l.pos + 1; i < len(l.sql); i++ {
		if l.sql[i] == '$' {
			return i + 1 - l.pos
		}
		if !isWord(l.sql[i]) {
			return 0
		}
	}
	return 0
}

// closing returns how far ahead the tag stands again, -1 if it does not.
func (l *Lexer) closing(size int) int {
	tag, rest := l.sql[l.pos:l.pos+size], l.sql[l.pos+size:]
	if l.tags != nil && l.tags.last[tag] < l.pos+size {
		return -1
	}
	if n := strings.Index(rest, tag); n >= 0 {
		return size + n
	}
	if l.tags == nil { // the first search in vain; no second one follows
		l.tags = findTags(rest, l.pos+size)
	}
	return -1
}

// findTags finds the last place of every tag in text, which begins at offset.
func findTags(text string, offset int) *tags {
	found := &tags{last: map[string]int{}}
	open := -1
	for i := range len(text) {
		switch {
		case text[i] == '$':
			if open >= 0 {
				found.last[text[open:i+1]] = offset + open
			}
			open = i
		case !isWord(text[i]):
			open = -1
		}
	}
	return found
}
