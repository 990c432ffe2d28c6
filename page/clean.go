package page

import (
	"strings"
	"unicode"
)

// Clean makes a text that a stranger chose harmless to the eye: one line, at most
// longest characters (the last is then an ellipsis), and nothing in it that cannot
// be seen. What would hide, or turn the order of what follows around (bidirectional
// controls), becomes the replacement character, so that a trick shows as one. Where
// nothing else is left to be seen there is no text.
func Clean(text string, longest int) string {
	var out strings.Builder
	length, marks, space := 0, 0, true // space: what was written last is one, or is nothing yet
	for _, r := range text {
		if r = visible(r); unicode.Is(unicode.M, r) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		if r == ' ' && space {
			continue
		}
		if space = r == ' '; length == longest {
			return seen(out.String(), cut(out.String())+"…")
		}
		length++
		out.WriteRune(r)
	}
	return seen(out.String(), strings.TrimRight(out.String(), " "))
}

// seen is what is shown of a text, if there is a character in it that can be seen by
// itself: accents and variation selectors cannot.
func seen(text, shown string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r != ' ' && r != unicode.ReplacementChar && !unicode.Is(unicode.M, r) }) {
		return shown
	}
	return ""
}

// maxMarks is how many accents one letter may have: scripts that stack them have
// three at most, and more climb over the lines above.
const maxMarks = 3

// visible is what is shown for a character.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case r == '\u2800', // a Braille cell without dots
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r),
		!unicode.IsPrint(r): // also all of category Cf: directions, joiners, tags
		return unicode.ReplacementChar
	}
	return r
}

// cut takes the last character away, and the space before it.
func cut(text string) string {
	all := []rune(text)
	return strings.TrimRight(string(all[:max(len(all)-1, 0)]), " ")
}

// initial is the first letter of a name, for templates.
func initial(name string) string {
	for _, r := range Clean(name, 1<<10) {
		return string(r)
	}
	return ""
}

// clean is Clean for templates: {{.Name | clean 60}}.
func clean(longest int, text string) string { return Clean(text, longest) }
