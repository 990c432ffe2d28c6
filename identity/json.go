package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"
)

// jsonReader reads JSON (RFC 8259) from valid UTF-8. It is our own because
// encoding/json takes the last of two equal keys, repairs broken text, and would
// have to read a token twice to notice either.
type jsonReader struct {
	text string
	at   int // the next byte
}

func (r *jsonReader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next skips space and returns the byte there, 0 at the end.
func (r *jsonReader) next() byte {
	r.space()
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *jsonReader) value(depth int) (any, error) {
	if depth > maxClaimsDepth {
		return nil, fmt.Errorf("it is nested deeper than the %d levels allowed", maxClaimsDepth)
	}
	switch c := r.next(); c {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		return r.string()
	case 't':
		return true, r.literal("true")
	case 'f':
		return false, r.literal("false")
	case 'n':
		return nil, r.literal("null")
	case 0:
		return nil, errors.New("it ends too early")
	}
	return r.number()
}

func (r *jsonReader) literal(word string) error {
	if !strings.HasPrefix(r.text[r.at:], word) {
		return errors.New("no JSON value begins so")
	}
	r.at += len(word)
	return nil
}

func (r *jsonReader) object(depth int) (any, error) {
	object := map[string]any{}
	for more := r.open('}'); more; {
		if r.next() != '"' {
			return nil, errors.New("a key is expected here")
		}
		key, err := r.string()
		if err != nil {
			return nil, err
		}
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("the key %q is there twice", abridged(key))
		}
		if r.next() != ':' {
			return nil, errors.New("a colon is expected here")
		}
		r.at++
		if object[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
		if more, err = r.more('}'); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func (r *jsonReader) array(depth int) (any, error) {
	list := []any{}
	for more := r.open(']'); more; {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
		if more, err = r.more(']'); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// open steps into an object or array, and reports whether anything is in it.
func (r *jsonReader) open(end byte) bool {
	r.at++
	if r.next() != end {
		return true
	}
	r.at++
	return false
}

// more steps over what follows an item: a comma, or the end.
func (r *jsonReader) more(end byte) (bool, error) {
	c := r.next()
	if c != ',' && c != end {
		return false, fmt.Errorf("a comma or %q is expected here", string(end))
	}
	r.at++
	return c == ',', nil
}

// string reads a text; most have no escape in them and are not copied.
func (r *jsonReader) string() (string, error) {
	r.at++
	start := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[start : r.at-1], nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", errors.New("a control character stands in a text")
		}
	}
	return "", errors.New("a text has no end")
}

// escaped reads on from the first backslash of a text that began at start.
func (r *jsonReader) escaped(start int) (string, error) {
	text := []byte(r.text[start:r.at])
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(text), nil
		case c < ' ':
			return "", errors.New("a control character stands in a text")
		case c != '\\':
			text = append(text, c)
			continue
		}
		char, err := r.escape()
		if err != nil {
			return "", err
		}
		text = append(text, string(char)...)
	}
	return "", errors.New("a text has no end")
}

// escape reads what follows a backslash.
func (r *jsonReader) escape() (rune, error) {
	if r.at == len(r.text) {
		return 0, errors.New("a text has no end")
	}
	c := r.text[r.at]
	r.at++
	if c == 'u' {
		return r.unicode()
	}
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	return 0, errors.New("there is no such escape")
}

// unicode reads the digits of \uXXXX, and the second half of a surrogate pair.
func (r *jsonReader) unicode() (rune, error) {
	char, err := r.hex()
	if err != nil {
		return 0, err
	}
	if utf16.IsSurrogate(char) {
		if !strings.HasPrefix(r.text[r.at:], `\u`) {
			return 0, errors.New("half a surrogate pair stands alone")
		}
		r.at += 2
		low, err := r.hex()
		if err != nil {
			return 0, err
		}
		if char = utf16.DecodeRune(char, low); char == '\uFFFD' {
			return 0, errors.New("half a surrogate pair stands alone")
		}
	}
	if char == 0 {
		return 0, errors.New("NUL stands in a text")
	}
	return char, nil
}

func (r *jsonReader) hex() (rune, error) {
	if len(r.text)-r.at < 4 {
		return 0, errors.New("a text has no end")
	}
	digits := r.text[r.at : r.at+4]
	code, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || digits[0] == '+' {
		return 0, errors.New(`\u needs four hexadecimal digits`)
	}
	r.at += 4
	return rune(code), nil
}

// number reads a number, and keeps it exactly as it is written.
func (r *jsonReader) number() (any, error) {
	start := r.at
	r.skip("-")
	leadingZero := strings.HasPrefix(r.text[r.at:], "0")
	whole := digits(r)
	if whole == 0 || leadingZero && whole > 1 {
		return nil, errors.New("no JSON value begins so")
	}
	if r.skip(".") && digits(r) == 0 {
		return nil, errors.New("a number ends too early")
	}
	if r.skip("eE") {
		r.skip("+-")
		if digits(r) == 0 {
			return nil, errors.New("a number ends too early")
		}
	}
	return json.Number(r.text[start:r.at]), nil
}

// skip steps over one byte if it is one of those.
func (r *jsonReader) skip(bytes string) bool {
	if r.at == len(r.text) || strings.IndexByte(bytes, r.text[r.at]) < 0 {
		return false
	}
	r.at++
	return true
}

// digits steps over digits, and counts them.
func digits(r *jsonReader) (n int) {
	for r.skip("0123456789") {
		n++
	}
	return n
}

// sameNumber compares two numbers by value: 1 is 1.0. A number with a huge
// exponent is equal only to itself, letter by letter.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, okX := exact(a)
	y, okY := exact(b)
	return okX && okY && x.Cmp(y) == 0
}

// exact is the value of a number that a clock or a claim could have.
func exact(n json.Number) (*big.Rat, bool) {
	if len(n) > 40 {
		return nil, false
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(n.String()), "e"); ok && len(exponent) > 3 {
		return nil, false
	}
	return new(big.Rat).SetString(n.String())
}

// abridged is the beginning of a text that may be anything, for a reason in the log.
func abridged(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
