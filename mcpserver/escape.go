package mcpserver

import (
	"slices"
	"unicode/utf8"
)

// escapes says, for each byte, what JSON makes of it inside a string: nothing
// (0), a backslash and this letter, or one of the following.
var escapes = func() (t [256]byte) {
	for b := range t {
		switch {
		case b < ' ':
			t[b] = escapeControl
		case b >= utf8.RuneSelf:
			t[b] = escapeBroken
		}
	}
	t['\t'], t['\n'], t['\r'], t['"'], t['\\'] = 't', 'n', 'r', '"', '\\'
	return t
}()

const (
	escapeControl = 'u' // \u00 and two digits
	escapeBroken  = '?' // part of a longer character, or of none
)

// escapePiece is how much text is escaped between two looks at the room for it.
const escapePiece = 512

// appendEscaped appends text as the inside of a JSON string. What is not UTF-8
// becomes U+FFFD, one for each byte, as encoding/json does it. An answer of
// 75 kB spends a good part of its time here, hence no append for each byte.
func appendEscaped(dst, text []byte) []byte {
	for len(text) > 0 {
		piece := text[:min(len(text), escapePiece)]
		dst = slices.Grow(dst, 6*len(piece)+utf8.UTFMax) // no escape is longer than 6 bytes
		n, i := len(dst), 0
		for out := dst[:cap(dst)]; i < len(piece); {
			b := piece[i]
			switch e := escapes[b]; e {
			case 0:
				out[n] = b
				n++
				i++
			case escapeControl:
				const hex = "0123456789abcdef"
				n += copy(out[n:], []byte{'\\', 'u', '0', '0', hex[b>>4], hex[b&15]})
				i++
			case escapeBroken:
				r, size := utf8.DecodeRune(text[i:]) // it may reach beyond the piece
				if r == utf8.RuneError && size == 1 {
					n += copy(out[n:], `\ufffd`)
				} else {
					n += copy(out[n:], text[i:i+size])
				}
				i += size
			default:
				out[n], out[n+1] = '\\', e
				n += 2
				i++
			}
		}
		dst, text = dst[:n], text[i:]
	}
	return dst
}
