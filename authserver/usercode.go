package authserver

import (
	"crypto/rand"
	"strings"
)

// User codes are typed by people: eight letters of an alphabet without vowels, so
// that no words come out, and without digits, so that none looks like a letter (RFC
// 8628, 6.1). There are 20⁸ of them, 34 bits; whoever guesses is stopped long before
// (see devices.find).
const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
	userCodeHalf    = userCodeLength / 2
)

// newUserCode draws a code: eight letters without the hyphen that people see.
func newUserCode() string {
	var code strings.Builder
	for fair := byte(256 / len(userCodeLetters) * len(userCodeLetters)); code.Len() < userCodeLength; {
		random := make([]byte, 2*userCodeLength)
		_, _ = rand.Read(random) // never fails
		for _, b := range random {
			if b < fair && code.Len() < userCodeLength {
				code.WriteByte(userCodeLetters[int(b)%len(userCodeLetters)])
			}
		}
	}
	return code.String()
}

// parseUserCode reads what a person typed, in upper or lower case, with or without a
// hyphen and spaces. It is not a code when ok is false.
func parseUserCode(typed string) (code string, ok bool) {
	if len(typed) > 4*userCodeLength {
		return "", false
	}
	code = strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
	return code, len(code) == userCodeLength && strings.Trim(code, userCodeLetters) == ""
}

// showUserCode is a code as people see it: WDJB-MJHT.
func showUserCode(code string) string { return code[:userCodeHalf] + "-" + code[userCodeHalf:] }
