package mcpserver

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain is text on one line that shows all that is in it. Whoever may create a
// table chooses its names and comments, and other people read them: a line break
// there must not begin a line of our answer, nor a control character hide or turn
// around what stands beside it. It is escaped as ClickHouse reads it in names and
// strings, byte by byte where it has no letter.
func plain(text string) string {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, treacherous) {
		return escapeTreacherous(text)
	}
	return text
}

// treacherous reports whether r breaks a line, or changes how others look, or is
// a tag: a letter that models read and people do not see.
func treacherous(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) || r >= 0xE0000 && r <= 0xE007F
}

func escapeTreacherous(text string) string {
	letters := map[rune]string{'\n': `\n`, '\t': `\t`, '\r': `\r`, '\b': `\b`, '\f': `\f`, 0: `\0`}
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch letter, ok := letters[r]; {
		case ok:
			b.WriteString(letter)
		case treacherous(r) || r == utf8.RuneError && n == 1:
			for i := range n {
				fmt.Fprintf(&b, `\x%02X`, text[i])
			}
		default:
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}
