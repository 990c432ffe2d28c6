package page

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"plain":           {"Claude Code", "Claude Code"},
		"other scripts":   {"Анна Müller 田中 نور", "Анна Müller 田中 نور"},
		"symbols":         {"a™ (b) – 100 % 🦜", "a™ (b) – 100 % 🦜"},
		"exactly":         {strings.Repeat("a", 20), strings.Repeat("a", 20)},
		"longer":          {strings.Repeat("a", 21), strings.Repeat("a", 19) + "…"},
		"cut at a space":  {"0123456789 12345678 a b", "0123456789 12345678…"},
		"lines":           {"a\nb\r\n\tc\u2028d\u0085e", "a b c d e"},
		"spaces":          {"  a \u00a0 \u3000  b  ", "a b"},
		"right to left":   {"evil\u202emoc.elgoog", "evil�moc.elgoog"},
		"isolates":        {"\u2066a\u2069\u200f", "�a��"},
		"nothing to see":  {"\u200b\u200d\ufeff\u3164\u2800\u00ad", ""},
		"hardly anything": {"\u200b\u200d\ufeff\u3164\u2800\u00ad.", "������."},
		"a selector":      {"\ufe0f", ""},
		"a selector seen": {"❤\ufe0f", "❤\ufe0f"},
		"accents alone":   {" \u0301 \u0301", ""},
		"hidden, longer":  {strings.Repeat("\u200b", 30) + "a", ""},
		"tags":            {"a\U000E0041\U000E007F", "a��"},
		"control":         {"a\x00b\x1b[31mc\x7f", "a�b�[31mc�"},
		"not UTF-8":       {"a\xffb", "a�b"},
		"private use":     {"a\ue000", "a�"},
		"accents":         {"é" + strings.Repeat("\u0301", 50) + "z", "é\u0301\u0301\u0301z"},
		"Vietnamese":      {"Nguyễn Thị Đắc", "Nguyễn Thị Đắc"},
		"nothing":         {"", ""},
		"nothing but one": {" \t ", ""},
	} {
		if got := Clean(c.text, 20); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

// Whatever comes, what is shown is short, printable and cleaned again the same.
func FuzzClean(f *testing.F) {
	f.Add("a\u202eb", 5)
	f.Add(strings.Repeat("é", 9), 3)
	f.Fuzz(func(t *testing.T, text string, longest int) {
		longest = max(1, longest%100)
		got := Clean(text, longest)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > longest {
			t.Errorf("%q", got)
		}
		for _, r := range got {
			if r != unicode.ReplacementChar && (!unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Errorf("%q holds %U", got, r)
			}
		}
		if again := Clean(got, longest); again != got {
			t.Errorf("%q becomes %q", got, again)
		}
	})
}
