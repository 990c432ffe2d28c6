package blocks

import (
	"errors"
	"strconv"
	"strings"
)

// errKind says that a text names no type as ClickHouse names them.
var errKind = errors.New("this is no name of a type as ClickHouse writes them")

// split takes the name of a type apart: Map(String, UInt8) is Map, and String and
// UInt8.
func split(text string) (name string, arguments []string, err error) {
	name, rest, parametric := strings.Cut(text, "(")
	if !parametric {
		return name, nil, nil
	}
	rest, closed := strings.CutSuffix(rest, ")")
	if !closed {
		return "", nil, errKind
	}
	for rest != "" {
		end, err := argument(rest)
		if err != nil {
			return "", nil, err
		}
		arguments = append(arguments, strings.TrimSpace(rest[:end]))
		rest = strings.TrimPrefix(rest[end:], ",")
	}
	return name, arguments, nil
}

// argument returns where the first argument ends: before a comma that is in no
// brackets and no quotes.
func argument(text string) (end int, err error) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\'', '`', '"':
			size := enclosedSize(text[i:])
			if size == 0 {
				return 0, errKind
			}
			i += size - 1
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return 0, errKind
			}
		case ',':
			if depth == 0 {
				return i, nil
			}
		}
	}
	if depth != 0 {
		return 0, errKind
	}
	return len(text), nil
}

// enclosedSize returns how long the text in quotes is with which text begins; 0 when
// it has no end.
func enclosedSize(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return 0
}

// unquote returns what stands in quotes.
func unquote(text string) string {
	if len(text) < 2 {
		return text
	}
	text = text[1 : len(text)-1]
	if !strings.Contains(text, `\`) {
		return text
	}
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			i++
			c = unescaped(text[i])
		}
		plain = append(plain, c)
	}
	return string(plain)
}

// unescaped returns the byte for the letter behind a backslash.
func unescaped(letter byte) byte {
	switch letter {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case '0':
		return 0
	}
	return letter
}

// element takes an element of a Tuple apart: its name, if it has one, and its type.
func element(text string) (name, kind string, named bool) {
	end := strings.IndexAny(text, " (")
	if strings.HasPrefix(text, "`") || strings.HasPrefix(text, `"`) {
		end = enclosedSize(text)
		name = unquote(text[:end])
	} else if end > 0 {
		name = text[:end]
	}
	if end <= 0 || end >= len(text) || text[end] != ' ' {
		return "", text, false
	}
	return name, text[end+1:], true
}

// number reads the argument at a place as a number from 0 to most.
func number(arguments []string, at, most int) (int, bool) {
	if at >= len(arguments) {
		return 0, false
	}
	n, err := strconv.Atoi(arguments[at])
	return n, err == nil && n >= 0 && n <= most
}

// enumNames reads the values of an Enum; nil when they are none.
func enumNames(arguments []string) map[int64]string {
	names := make(map[int64]string, len(arguments))
	for _, a := range arguments {
		end := enclosedSize(a)
		value, err := strconv.ParseInt(strings.TrimLeft(a[end:], " ="), 10, 16)
		if end == 0 || a[0] != '\'' || err != nil {
			return nil
		}
		names[value] = unquote(a[:end])
	}
	return names
}
