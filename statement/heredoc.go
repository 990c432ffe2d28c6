package statement

import "strings"

// tags knows, for every heredoc tag of a text, where it stands last. Without it
// a text of many different tags that are never closed would be searched to its
// end for each of them.
type tags struct{ last map[string]int }

// dollar scans a heredoc such as $tag$ … $tag$, a word, or a lone dollar.
func (l *Lexer) dollar() Type {
	if tag := heredocTag(l.sql[l.pos:]); tag != "" {
		if n := l.closing(tag); n >= 0 {
			l.pos += n + len(tag)
			return HereDoc
		}
	}
	if !isWord(l.at(1)) {
		l.pos++
		return DollarSign
	}
	return l.word()
}

// closing returns how far ahead the tag that begins here stands again, -1 if it
// does not.
func (l *Lexer) closing(tag string) int {
	behind := l.pos + len(tag)
	if l.tags != nil && l.tags.last[tag] < behind {
		return -1
	}
	if n := strings.Index(l.sql[behind:], tag); n >= 0 {
		return len(tag) + n
	}
	if l.tags == nil { // the first search in vain; no second one follows
		l.tags = findTags(l.sql[behind:], behind)
	}
	return -1
}

// heredocTag returns the tag that text, which begins with a dollar, begins with,
// dollars included; "" if there is none.
func heredocTag(text string) string {
	for i := 1; i < len(text); i++ {
		if text[i] == '$' {
			return text[:i+1]
		}
		if !isWord(text[i]) {
			return ""
		}
	}
	return ""
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
