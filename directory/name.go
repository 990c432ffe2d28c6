package directory

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"porterhouse"
)

// name applies the rules to the name of a person.
func (d *Directory) name(person string) (porterhouse.UserName, error) {
	if _, err := porterhouse.ParseUserName(person); err != nil {
		return porterhouse.UserName{}, err
	}
	if d.lowerCase {
		person = lowerASCII(person)
	}
	local := ""
	if len(d.domains) > 0 {
		var err error
		if local, err = d.local(person); err != nil {
			return porterhouse.UserName{}, err
		}
	}
	return d.account(d.template.fill(person, local))
}

// local splits an address of one of the domains. An address with two @ is
// read in different ways by different programs.
func (d *Directory) local(person string) (string, error) {
	local, domain, found := strings.Cut(person, "@")
	switch {
	case !found:
		return "", errors.New("the name has no domain, and only people of certain domains are let in")
	case strings.Contains(domain, "@"):
		return "", errors.New("the name has more than one @")
	case !d.domains[lowerASCII(domain)]:
		return "", fmt.Errorf("people of the domain %q are not let in", domain)
	case local == "":
		return "", errors.New("the name has nothing before the @")
	}
	return local, nil
}

// account checks the finished name.
func (d *Directory) account(name string) (porterhouse.UserName, error) {
	parsed, err := d.wellFormed(name)
	if err == nil && d.denied[fold(name)] {
		return porterhouse.UserName{}, fmt.Errorf("the account %q is one that nobody may act as", name)
	}
	return parsed, err
}

// wellFormed holds a name to how an account's may be written.
func (d *Directory) wellFormed(name string) (porterhouse.UserName, error) {
	if !norm.NFC.IsNormalString(name) {
		return porterhouse.UserName{}, fmt.Errorf("the account name %+q is not in Unicode normal form C", name)
	}
	if !d.allowUnicodeNames && !isASCII(name) {
		return porterhouse.UserName{}, fmt.Errorf("the account name %+q has letters beyond ASCII, which the rules do not allow", name)
	}
	return porterhouse.ParseUserName(name)
}

// fold is equal for names that a person could take for one another because of
// case, width or style. It only serves to deny: more than ClickHouse needs.
func fold(name string) string {
	if isASCII(name) {
		return lowerASCII(name)
	}
	return cases.Fold().String(norm.NFKC.String(name))
}

func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
