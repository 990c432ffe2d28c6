package audit

import "strings"

// span is a token with marks at both ends; right is 0 when the closing mark is
// missing, and then the token ends with the text.
type span struct{ left, right, size int }

// lineComment is a comment that a newline ends; the newline is not part of it.
func lineComment(text string) span {
	if at := strings.IndexByte(text, '\n'); at >= 0 {
		return span{size: at}
	}
	return span{size: len(text)}
}

// blockComment is a comment in brackets. They nest.
func blockComment(text string) span {
	const mark = len("/*")
	for at, depth := mark, 1; at+mark <= len(text); at++ {
		switch text[at : at+mark] {
		case "/*":
			depth++
			at++
		case "*/":
			depth--
			at++
		}
		if depth == 0 {
			return span{mark, mark, at + 1}
		}
	}
	return span{left: mark, size: len(text)}
}

// inQuotes is a token in the quotes that it begins with; a backslash or doubling
// keeps a quote from ending it.
func inQuotes(text string) span {
	for at := 1; at < len(text); at++ {
		switch {
		case text[at] == '\\':
			at++
		case text[at] != text[0]:
		case at+1 < len(text) && text[at+1] == text[0]:
			at++
		default:
			return span{1, 1, at + 1}
		}
	}
	return span{left: 1, size: len(text)}
}

// between is a token that begins with one mark and ends with the next other one.
func between(text, opening, closing string) span {
	if at := strings.Index(text[len(opening):], closing); at >= 0 {
		return span{len(opening), len(closing), len(opening) + at + len(closing)}
	}
	return span{left: len(opening), size: len(text)}
}

// heredocTag is the tag that text begins with, such as $$ or $sql$; "": none.
func heredocTag(text string) string {
	end := 1
	for end < len(text) && isWord(text[end]) {
		end++
	}
	if end == len(text) || text[end] != '$' {
		return ""
	}
	return text[:end+1]
}

// lastTags says of every heredoc tag in text where it stands last.
func lastTags(text string) map[string]int {
	last := make(map[string]int)
	for at := range len(text) {
		if text[at] != '$' {
			continue
		}
		if tag := heredocTag(text[at:]); tag != "" {
			last[tag] = at
		}
	}
	return last
}

// isName reports whether text is one word, hyphens allowed.
func isName(text string) bool {
	for i := range len(text) {
		if !isWord(text[i]) && text[i] != '-' {
			return false
		}
	}
	return text != ""
}
