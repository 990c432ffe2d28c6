package authserver

import (
	"strings"
	"testing"
)

// Codes are of the alphabet, of one length, and each letter stands in them as often
// as any other.
func TestNewUserCode(t *testing.T) {
	const codes = 20_000
	counts := map[rune]int{}
	for range codes {
		code := newUserCode()
		if parsed, ok := parseUserCode(code); !ok || parsed != code {
			t.Fatalf("the code %q is read as %q, %v", code, parsed, ok)
		}
		for _, letter := range code {
			counts[letter]++
		}
	}
	expected := codes * userCodeLength / len(userCodeLetters)
	for _, letter := range userCodeLetters {
		if n := counts[letter]; n < expected*9/10 || n > expected*11/10 {
			t.Errorf("%c stands in the codes %d times, not about %d", letter, n, expected)
		}
	}
}

func TestParseUserCode(t *testing.T) {
	for typed, want := range map[string]string{
		"WDJB-MJHT":               "WDJBMJHT",
		"wdjbmjht":                "WDJBMJHT",
		" wdjb mjht ":             "WDJBMJHT",
		"W-D-J-B-M-J-H-T":         "WDJBMJHT",
		"":                        "",
		"WDJB-MJH":                "", // too short
		"WDJB-MJHTW":              "", // too long
		"WDJB-MJHA":               "", // a vowel
		"WDJB-MJH0":               "", // a digit
		"WDJB–MJHT":               "", // another dash
		"ＷDJBMJHT":                "", // another alphabet
		strings.Repeat("-", 1000): "",
	} {
		if code, ok := parseUserCode(typed); ok != (want != "") || ok && code != want {
			t.Errorf("%.20q is read as %q, %v; want %q", typed, code, ok, want)
		}
	}
}
