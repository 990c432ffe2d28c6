package porterhouse

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Account is the ClickHouse account that a Principal acts as.
type Account struct {
	User    UserName
	Roles   []string // that the rules give, sorted; what ClickHouse grants beside them is its own affair
	Profile string   // the settings profile that the rules give; "": none

	// What the account logs in with by itself. Both are zero almost always: the
	// gateway has a login of its own.
	Password Secret // its own password, where its owner has shown it
	Token    Secret // its owner's token; for the access mode that forwards it only
}

// UserName is the name of a ClickHouse user that passed ParseUserName. The zero
// UserName names nobody; whoever runs a statement refuses it, because an empty
// name means "everyone's rights" to some ClickHouse protocols.
type UserName struct{ name string }

// maxUserName is the longest user name accepted, in bytes.
const maxUserName = 128

// ParseUserName accepts a name that ClickHouse, a log line and a human eye all
// read the same way: 1 to 128 bytes of valid UTF-8, only printable characters
// (no control, bidirectional or zero-width ones), no space at either end. Names
// are case-sensitive and are never changed.
func ParseUserName(name string) (UserName, error) {
	switch {
	case name == "":
		return UserName{}, errors.New("user name is empty")
	case len(name) > maxUserName:
		return UserName{}, fmt.Errorf("user name has %d bytes, more than the %d allowed", len(name), maxUserName)
	case !utf8.ValidString(name):
		return UserName{}, errors.New("user name is not valid UTF-8")
	case name[0] == ' ' || name[len(name)-1] == ' ':
		return UserName{}, errors.New("user name begins or ends with a space")
	}
	for at, r := range name {
		// unicode.IsPrint admits letters, marks, numbers, punctuation, symbols and
		// the ASCII space: no Cc, Cf (bidi, zero-width), Zl, Zp or other spaces.
		if !unicode.IsPrint(r) || r == utf8.RuneError || invisible(r) {
			return UserName{}, fmt.Errorf("user name has the character %U at byte %d, which cannot be seen", r, at)
		}
	}
	return UserName{name}, nil
}

// invisible reports printable characters that show nothing: fillers, blank
// Braille and variation selectors.
func invisible(r rune) bool {
	return unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) ||
		unicode.Is(unicode.Variation_Selector, r) || r == '\u2800'
}

// String returns the name, unquoted.
func (n UserName) String() string { return n.name }

// IsZero reports whether n names nobody.
func (n UserName) IsZero() bool { return n.name == "" }
