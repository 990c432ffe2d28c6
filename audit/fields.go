package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxSQL   = 64 << 10 // bytes of SQL that a line holds, escaped
	maxTail  = 16 << 10 // of them, the end of a longer statement
	maxText  = 1 << 10  // bytes of any other text
	maxParam = 256      // bytes of the name, or of the value, of a query parameter
)

// timeLayout is RFC 3339 in UTC with exactly six decimals, so that lines sort
// as text and the kind stands at a known place.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// appendTime appends t in timeLayout. time.Time.AppendFormat has to read the layout
// first, which takes longer than the MAC of a line.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(appendDigits(b, year, 4), '-')
	b = append(appendDigits(b, int(month), 2), '-')
	b = append(appendDigits(b, day, 2), 'T')
	b = append(appendDigits(b, hour, 2), ':')
	b = append(appendDigits(b, minute, 2), ':')
	b = append(appendDigits(b, second, 2), '.')
	return append(appendDigits(b, t.Nanosecond()/1000, 6), 'Z')
}

// appendDigits appends n with so many digits.
func appendDigits(b []byte, n, digits int) []byte {
	b = append(b, "000000"[:digits]...)
	for at := len(b) - 1; n > 0 && digits > 0; at, digits = at-1, digits-1 {
		b[at] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// fields are the members of a line's JSON object between its first and last
// ones, each with a comma before it.
type fields []byte

func (f *fields) name(name string) {
	*f = append(*f, ',', '"')
	*f = append(*f, name...)
	*f = append(*f, '"', ':')
}

// text adds a string, shortened to maxText bytes. An empty one is left out.
func (f *fields) text(name, value string) {
	if value != "" {
		f.name(name)
		*f = appendQuoted(*f, shortened(value, maxText))
	}
}

// maxList is how many texts of a list a line has; of more, only the number is kept.
const maxList = 100

// list adds a list of short texts; none adds nothing.
func (f *fields) list(name string, texts []string) {
	if len(texts) == 0 {
		return
	}
	f.name(name)
	*f = append(*f, '[')
	for i, text := range texts[:min(len(texts), maxList)] {
		if i > 0 {
			*f = append(*f, ',')
		}
		*f = appendQuoted(*f, shortened(text, maxParam))
	}
	*f = append(*f, ']')
	if len(texts) > maxList {
		f.count(name+"_count", int64(len(texts)))
	}
}

// count adds a whole number, zero as well.
func (f *fields) count(name string, n int64) {
	f.name(name)
	*f = strconv.AppendInt(*f, n, 10)
}

// some adds a whole number; zero is left out.
func (f *fields) some(name string, n int64) {
	if n != 0 {
		f.count(name, n)
	}
}

// moment adds a time.
func (f *fields) moment(name string, t time.Time) {
	f.name(name)
	*f = append(*f, '"')
	*f = appendTime(*f, t)
	*f = append(*f, '"')
}

// yes adds true; false is left out.
func (f *fields) yes(name string, value bool) {
	if value {
		f.name(name)
		*f = append(*f, "true"...)
	}
}

// sql adds a statement: its secrets masked, at most maxSQL bytes of it as they are
// escaped, and what is needed to know the whole. Of a longer one both ends are kept,
// so that a long comment in front does not hide what was asked.
func (f *fields) sql(statement string) {
	text, masked := mask(statement)
	head, tail := ends(text)
	f.exactly("sql", head)
	if tail != "" {
		f.exactly("sql_tail", tail)
	}
	f.yes("sql_masked", masked)
	if len(head) < len(text) {
		f.count("sql_bytes", int64(len(statement)))
		f.text("sql_sha256", digest(text))
	}
}

// exactly adds a text, and the same in base64 when it is not UTF-8.
func (f *fields) exactly(name, text string) {
	f.name(name)
	*f = appendQuoted(*f, text)
	if !utf8.ValidString(text) {
		f.name(name + "_base64")
		*f = append(*f, '"')
		*f = base64.StdEncoding.AppendEncode(*f, []byte(text))
		*f = append(*f, '"')
	}
}

// ends returns the whole text as head if it fits into maxSQL bytes when it is
// escaped, else its two ends. Escaping makes a byte up to six: without counting
// them, few statements would fill the disk.
func ends(text string) (head, tail string) {
	at := cutEscaped(text, maxSQL)
	if at == len(text) {
		return text, ""
	}
	at = cutEscaped(text, maxSQL-maxTail)
	return text[:at], text[tailFrom(text[at:])+at:]
}

// cutEscaped is the longest length of s, in whole runes, that escaping does not make
// longer than limit.
func cutEscaped(s string, limit int) (at int) {
	for at < len(s) {
		size, escaped := escapedRune(s[at:])
		if limit -= escaped; limit < 0 {
			break
		}
		at += size
	}
	return at
}

// tailFrom is where the longest end of s begins, in whole runes, that escaping does
// not make longer than maxTail.
func tailFrom(s string) int {
	for at, left := len(s), maxTail; at > 0; {
		_, size := utf8.DecodeLastRuneInString(s[:at])
		_, escaped := escapedRune(s[at-size : at])
		if left -= escaped; left < 0 {
			return at
		}
		at -= size
	}
	return 0
}

// escapedRune is the size of the first rune of s, and the one it has in a JSON string.
func escapedRune(s string) (size, escaped int) {
	if c := s[0]; c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
		return 1, 1
	}
	_, size = utf8.DecodeRuneInString(s)
	var room [16]byte
	return size, len(appendQuoted(room[:0], s[:size])) - len(`""`)
}

// shortened returns s, or when it is longer than limit its beginning with the length and the SHA-256 of the
// whole, so that two long texts with the same beginning stay two.
func shortened(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:cutAt(s, limit)] + "… (" + strconv.Itoa(len(s)) + " bytes, sha256 " + digest(s) + ")"
}

// digest is the SHA-256 of s, in hex.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// cutAt is the longest length up to limit that does not cut a rune of s in two.
func cutAt(s string, limit int) int {
	if len(s) <= limit {
		return len(s)
	}
	for back := range utf8.UTFMax {
		if utf8.RuneStart(s[limit-back]) {
			return limit - back
		}
	}
	return limit // not UTF-8 anyway
}

const hexDigits = "0123456789abcdef"

// appendQuoted appends s as a JSON string. What cannot be seen in a terminal or
// an editor (control, bidirectional, zero-width characters) is escaped, so that a
// statement cannot hide in the record. Bytes that are not UTF-8 become U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0 // s[from:at] is to be copied as it is
	for at := 0; at < len(s); {
		if c := s[at]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
				b = appendEscaped(append(b, s[from:at]...), c)
				from = at + 1
			}
			at++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[at:])
		if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) {
			b = appendUnit(append(b, s[from:at]...), r)
			from = at + size
		}
		at += size
	}
	return append(append(b, s[from:]...), '"')
}

// appendEscaped appends the JSON escape of an ASCII character.
func appendEscaped(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// appendUnit appends r as one \u escape, or two beyond the basic plane.
func appendUnit(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return appendUnit(appendUnit(b, high), low)
	}
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
