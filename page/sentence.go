package page

import (
	"unicode"
	"unicode/utf8"
)

// Sentence is the text of an error as a sentence: errors begin in lower case and have
// no full stop.
func Sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:] + "."
}
