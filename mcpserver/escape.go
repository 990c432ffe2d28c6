package mcpserver

import "unicode/utf8"

// appendEscaped appends text as the inside of a JSON string. What is not UTF-8
// becomes U+FFFD, one for each byte, as encoding/json does it.
func appendEscaped(dst, text []byte) []byte {
	start := 0
	for i := 0; i < len(text); {
		b := text[i]
		if b >= utf8.RuneSelf {
			if r, size := utf8.DecodeRune(text[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		} else if b >= ' ' && b != '"' && b != '\\' {
			i++
			continue
		}
		dst = append(dst, text[start:i]...)
		dst = appendEscape(dst, b)
		i++
		start = i
	}
	return append(dst, text[start:]...)
}

// appendEscape appends the escape of a byte that cannot stand for itself.
func appendEscape(dst []byte, b byte) []byte {
	const hex = "0123456789abcdef"
	switch {
	case b == '"' || b == '\\':
		return append(dst, '\\', b)
	case b == '\t':
		return append(dst, `\t`...)
	case b == '\n':
		return append(dst, `\n`...)
	case b == '\r':
		return append(dst, `\r`...)
	case b < ' ':
		return append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
	}
	return append(dst, `\ufffd`...)
}
