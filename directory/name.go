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

// placed is what the rules alone make of a person, before anybody is asked whose
// the account is and whether it exists.
type placed struct {
	rules   *rules
	base    porterhouse.UserName // the person's own account
	persona *persona             // nil: the person acts
	user    porterhouse.UserName // the account that is acted as
}

// place finds the rules for a person and applies them to the name.
func (d *Directory) place(who porterhouse.Principal, because *trail) (placed, error) {
	if _, err := porterhouse.ParseUserName(who.User); err != nil {
		return placed{}, err
	}
	var reasons []error
	for i, r := range d.rules {
		person := who.User
		if r.lowerCase {
			person = lowerASCII(person)
		}
		local, err := r.fits(who, person)
		if err != nil {
			because.say("rules %d are not for this person: %v", i+1, err)
			reasons = append(reasons, fmt.Errorf("rules %d: %w", i+1, err))
			continue
		}
		because.say("rules %d are for this person, proved by the processor %q", i+1, who.Proof)
		return r.place(who, r.template.fill(person, local), because)
	}
	return placed{}, fmt.Errorf("no rules are for this person: %w", errors.Join(reasons...))
}

// place makes the accounts of a finished name.
func (r *rules) place(who porterhouse.Principal, name string, because *trail) (placed, error) {
	p := placed{rules: r}
	var err error
	if p.base, err = r.account(name); err != nil {
		return placed{}, err
	}
	if at := strings.IndexAny(name, r.separators); at >= 0 {
		return placed{}, fmt.Errorf("the account %q has a %q, which begins the name of a persona", name, name[at])
	}
	if !r.allow.isEmpty() && !r.allow.has(name) {
		return placed{}, fmt.Errorf("the account %q is none of those that the rules may lead to", name)
	}
	because.say("the name %q gives the account %q", who.User, name)
	p.user, p.persona = p.base, r.personaOf(who.Client, because)
	if p.persona == nil {
		return p, nil
	}
	p.user, err = r.account(name + p.persona.suffix)
	because.say("to ClickHouse %q is another user: row policies and quotas that ask currentUser() do not see %q", p.user, name)
	return p, err
}

// account checks a finished name.
func (r *rules) account(name string) (porterhouse.UserName, error) {
	parsed, err := r.wellFormed(name)
	if err == nil && r.denied.has(name) {
		return porterhouse.UserName{}, fmt.Errorf("the account %q is one that nobody may act as", name)
	}
	return parsed, err
}

// localOf splits an address of one of the domains. An address with two @ is
// read in different ways by different programs.
func (r *rules) localOf(person string) (string, error) {
	local, domain, found := strings.Cut(person, "@")
	switch {
	case !found:
		return "", errors.New("the name has no domain, and only people of certain domains are let in")
	case strings.Contains(domain, "@"):
		return "", errors.New("the name has more than one @")
	case !r.domains[lowerASCII(domain)]:
		return "", fmt.Errorf("people of the domain %q are not let in", domain)
	case local == "":
		return "", errors.New("the name has nothing before the @")
	}
	return local, nil
}

// wellFormed holds a name to how an account's may be written.
func (r *rules) wellFormed(name string) (porterhouse.UserName, error) {
	if !norm.NFC.IsNormalString(name) {
		return porterhouse.UserName{}, fmt.Errorf("the account name %+q is not in Unicode normal form C", name)
	}
	if !r.allowUnicodeNames && !isASCII(name) {
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
