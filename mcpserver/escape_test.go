package mcpserver

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzEscape: what we escape, encoding/json reads back as the text itself, with
// U+FFFD for each byte that is no UTF-8.
func FuzzEscape(f *testing.F) {
	for _, text := range []string{
		"", "plain", "a\tb\nc\rd", `quo"te \ back`, "\x00\x01\x1f\x7f", "\xff\xfe\xc3", "é€😀", "\u2028\u2029\ufffd", "\xed\xa0\x80", "</script>&",
		strings.Repeat("x", escapePiece-1) + "é", strings.Repeat("\x00", 2*escapePiece) + "😀", strings.Repeat("y", escapePiece-1) + "\xf0\x9f",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		escaped := appendEscaped([]byte(`"`), text)
		if strings.ContainsAny(string(escaped), "\n\r") {
			t.Fatalf("%q has a line break, which would end an event", escaped)
		}
		var got string
		if err := json.Unmarshal(append(escaped, '"'), &got); err != nil {
			t.Fatalf("%q: %v", escaped, err)
		}
		var want strings.Builder
		for rest := text; len(rest) > 0; {
			r, size := utf8.DecodeRune(rest)
			want.WriteRune(r)
			rest = rest[size:]
		}
		if got != want.String() {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
