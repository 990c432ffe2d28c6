package directory

import (
	"fmt"
	"regexp"
	"strings"
)

// replacement is one of RolesTransform: a pattern, and what stands for what it
// matches.
type replacement struct {
	text    string // as it was written
	pattern *regexp.Regexp
	with    []piece
	all     bool // every match instead of the first
}

// piece is literal text, or a group of the match when group is not negative.
type piece struct {
	literal string
	group   int
}

// parseReplacement reads s/pattern/replacement/ or s/pattern/replacement/g as
// Antalya does. There a backslash stands for the character behind it before the
// pattern is looked at: a slash is \/, a backslash \\, a digit \\d, the first
// group \\1. What Antalya and sed would read in two ways is refused, with its
// place in the text.
func parseReplacement(text string) (replacement, error) {
	r := replacement{text: text}
	rest, found := strings.CutPrefix(text, "s/")
	if !found {
		return r, fmt.Errorf("%q does not begin with s/ at byte 1: write s/pattern/replacement/ or s/pattern/replacement/g", text)
	}
	pattern, rest, err := segment(text, rest, ambiguousInPattern)
	if err != nil {
		return r, err
	}
	with, flags, err := segment(text, rest, ambiguousInReplacement)
	if err != nil {
		return r, err
	}
	switch at := len(text) - len(flags) + 1; {
	case pattern == "":
		return r, fmt.Errorf("%q has an empty pattern at byte 3: nothing would be replaced", text)
	case flags != "" && flags != "g":
		return r, fmt.Errorf("%q has %q behind its end at byte %d: only g may stand there, and a slash within is written \\/", text, flags, at)
	}
	if r.pattern, err = regexp.Compile(pattern); err != nil {
		return r, fmt.Errorf("%q: the pattern %q from byte 3 on: %w", text, pattern, err)
	}
	r.all = flags == "g"
	r.with, err = parsePieces(with, r.pattern.NumSubexp())
	if err != nil {
		return r, fmt.Errorf("%q: the replacement %q: %w", text, with, err)
	}
	return r, nil
}

// A backslash before one of these means one thing in a pattern or a replacement,
// and another where the backslash is taken away first.
func ambiguousInPattern(c byte) bool {
	return strings.IndexByte(`.+*?()|[]{}^$`, c) >= 0 || isAlphanumeric(c)
}

func ambiguousInReplacement(c byte) bool { return c == '&' || isAlphanumeric(c) }

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// segment takes what stands before the next slash from rest, the end of text,
// and takes the backslashes out of it.
func segment(text, rest string, ambiguous func(byte) bool) (segment, after string, err error) {
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		if c == '/' {
			return b.String(), rest[i+1:], nil
		}
		if c == '\\' && i+1 < len(rest) {
			i++
			c = rest[i]
			if ambiguous(c) {
				at := len(text) - len(rest) + i
				return "", "", fmt.Errorf(`%q has \%c at byte %d, which is read as %c alone: write \\%c for what a backslash means in a regular expression, or [%c] for the character`, text, c, at, c, c, c)
			}
		}
		b.WriteByte(c)
	}
	return "", "", fmt.Errorf("%q lacks a slash at its end, byte %d: write s/pattern/replacement/ or s/pattern/replacement/g", text, len(text)+1)
}

// parsePieces reads a replacement: \0 is the whole match, \1 to \9 its groups,
// \\ a backslash.
func parsePieces(with string, groups int) ([]piece, error) {
	var pieces []piece
	for rest := with; rest != ""; {
		literal, after, found := strings.Cut(rest, `\`)
		if literal != "" {
			pieces = append(pieces, piece{literal: literal, group: -1})
		}
		if !found {
			break
		}
		if after == "" || after[0] != '\\' && (after[0] < '0' || after[0] > '9') {
			return nil, fmt.Errorf(`a backslash at byte %d is not before a digit or a backslash`, len(with)-len(after))
		}
		if after[0] == '\\' {
			pieces = append(pieces, piece{literal: `\`, group: -1})
		} else if group := int(after[0] - '0'); group <= groups {
			pieces = append(pieces, piece{group: group})
		} else {
			return nil, fmt.Errorf(`\%d at byte %d: the pattern has only %d groups`, group, len(with)-len(after), groups)
		}
		rest = after[1:]
	}
	return pieces, nil
}

// apply replaces in a name.
func (r replacement) apply(name string) string {
	matches := 1
	if r.all {
		matches = -1
	}
	var b strings.Builder
	end := 0
	for _, match := range r.pattern.FindAllStringSubmatchIndex(name, matches) {
		b.WriteString(name[end:match[0]])
		for _, p := range r.with {
			if p.group < 0 {
				b.WriteString(p.literal)
			} else if from := match[2*p.group]; from >= 0 {
				b.WriteString(name[from:match[2*p.group+1]])
			}
		}
		end = match[1]
	}
	b.WriteString(name[end:])
	return b.String()
}
