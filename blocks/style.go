package blocks

import (
	"strconv"
	"unicode/utf8"
)

// style is how a value is written, of those ways that ClickHouse's formats have.
type style int

const (
	raw     style = iota // as it is: TSVRaw, the keys of a map in JSON
	escaped              // with backslashes: TabSeparated
	quoted               // inside of an array, a tuple or a map of the two above
	inJSON               // JSON
)

// appendString writes a text.
func appendString(b []byte, text []byte, s style) []byte {
	switch s {
	case escaped:
		return appendEscaped(b, text)
	case quoted:
		return append(appendEscaped(append(b, '\''), text), '\'')
	case inJSON:
		return appendJSON(b, text)
	}
	return append(b, text...)
}

// escapes has the letter that stands behind a backslash for a byte; 0: the byte stands
// for itself.
var escapes = [256]byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', 0: '0', '\'': '\'', '\\': '\\'}

// appendEscaped writes a text as TabSeparated has it.
func appendEscaped(b []byte, text []byte) []byte {
	from := 0
	for i, c := range text {
		if letter := escapes[c]; letter != 0 {
			b = append(append(b, text[from:i]...), '\\', letter)
			from = i + 1
		}
	}
	return append(b, text[from:]...)
}

// jsonEscapes has what ClickHouse writes for a byte in JSON; "": the byte itself.
var jsonEscapes = func() (table [256]string) {
	for c := range 0x20 {
		table[c] = `\u00` + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15])
	}
	for c, text := range map[byte]string{'\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '"': `\"`, '\\': `\\`, '/': `\/`} {
		table[c] = text
	}
	return table
}()

// appendJSON writes a text as JSON. Bytes that are no UTF-8 stay: see appendValid.
// The two line breaks of Unicode that are none in JSON are escaped.
func appendJSON(b []byte, text []byte) []byte {
	b = append(b, '"')
	from := 0
	for i, c := range text {
		what := jsonEscapes[c]
		skip := 1
		if c == 0xe2 && i+2 < len(text) && text[i+1] == 0x80 && text[i+2]&^1 == 0xa8 {
			what, skip = `\u202`+string("89"[text[i+2]&1]), 3
		}
		if what != "" {
			b = append(append(b, text[from:i]...), what...)
			from = i + skip
		}
	}
	return append(append(b, text[from:]...), '"')
}

// appendValid appends text with what is no UTF-8 replaced, as ClickHouse does in a
// whole document of JSON: a run of such bytes by one U+FFFD.
func appendValid(b []byte, text []byte) []byte {
	replaced := false
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		invalid := r == utf8.RuneError && size == 1
		switch {
		case !invalid:
			b = append(b, text[:size]...)
		case !replaced:
			b = utf8.AppendRune(b, utf8.RuneError)
		}
		replaced, text = invalid, text[size:]
	}
	return b
}

// enclosed writes what plain writes in the quotes of a style.
func enclosed(plain show) show {
	return func(b, value []byte, s style) []byte {
		mark := byte('\'')
		switch s {
		case raw, escaped:
			return plain(b, value, s)
		case inJSON:
			mark = '"'
		}
		return append(plain(append(b, mark), value, s), mark)
	}
}

// appendPadded appends a number with at least so many digits.
func appendPadded(b []byte, n uint64, digits int) []byte {
	var buffer [20]byte
	text := strconv.AppendUint(buffer[:0], n, 10)
	for range digits - len(text) {
		b = append(b, '0')
	}
	return append(b, text...)
}
