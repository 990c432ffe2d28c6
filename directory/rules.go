package directory

import (
	"errors"
	"fmt"
	"strings"

	"porterhouse"
)

// rules are parsed Rules.
type rules struct {
	processor         string          // "": any but those in others
	others            map[string]bool // that other rules of the cluster are for
	denied            names           // in the cluster
	separators        string          // of all personas in the cluster
	template          template
	domains           map[string]bool // in lower case
	allow             names
	local             names
	lowerCase         bool
	allowUnicodeNames bool
	shared            bool
	roles             roleRules
	profile           string
	personas          []persona
}

func parseRules(c Rules, deniedRoles names) (*rules, error) {
	r := &rules{
		processor:         c.Processor,
		domains:           map[string]bool{},
		lowerCase:         c.LowerCase,
		allowUnicodeNames: c.AllowUnicodeNames,
		shared:            c.AllowShared,
		profile:           c.DefaultProfile,
	}
	var err error
	if r.template, err = parseTemplate(c.UserName); err != nil {
		return nil, err
	}
	for _, domain := range c.Domains {
		if err := checkDomain(domain); err != nil {
			return nil, fmt.Errorf("domain %q: %w", domain, err)
		}
		r.domains[strings.ToLower(domain)] = true
	}
	if r.allow, err = parseNames("the allow list", c.Allow, false); err != nil {
		return nil, err
	}
	if r.local, err = parseNames("the local users", c.LocalUsers, false); err != nil {
		return nil, err
	}
	if r.roles, err = parseRoleRules(c, deniedRoles); err != nil {
		return nil, err
	}
	for i, p := range c.Personas {
		parsed, err := parsePersona(p)
		if err != nil {
			return nil, fmt.Errorf("persona %d: %w", i+1, err)
		}
		r.personas = append(r.personas, parsed)
	}
	return r, r.check(c)
}

// check refuses rules that would let somebody in as somebody else.
func (r *rules) check(c Rules) error {
	if r.template.has(localpart) && len(r.domains) == 0 {
		return errors.New("{localpart} needs the domains whose people are let in: else alice@anywhere becomes alice")
	}
	if _, err := r.wellFormed(r.template.fill("a", "a")); err != nil {
		return fmt.Errorf("no account has a name like the template %q: %w", c.UserName, err)
	}
	if err := checkProfile(c.DefaultProfile); err != nil {
		return fmt.Errorf("default_profile: %w", err)
	}
	if c.AllowShared {
		return nil
	}
	if r.template.isConstant() {
		return fmt.Errorf("by the template %q everybody has the same account: write {user} or {localpart} into it, or allow shared accounts", c.UserName)
	}
	if r.template.has(localpart) && !r.template.has(user) && len(r.domains) > 1 {
		return fmt.Errorf("by the template %q the people of %d domains who have the same local part share an account: name one domain, write {user}, or allow shared accounts", c.UserName, len(r.domains))
	}
	return nil
}

// covers reports whether everybody whom other fits, r fits too.
func (r *rules) covers(other *rules) bool {
	if r.processor != other.processor {
		return false
	}
	if len(r.domains) == 0 {
		return true
	}
	for domain := range other.domains {
		if !r.domains[domain] {
			return false
		}
	}
	return len(other.domains) > 0
}

// fits says why the rules are not for somebody; nil: they are. The local part is
// that of the name, where it matters.
func (r *rules) fits(who porterhouse.Principal, person string) (local string, err error) {
	if r.processor == "" && r.others[who.Proof] {
		return "", fmt.Errorf("they are for those whom no other rules are for, and there are some for the processor %q", who.Proof)
	}
	if r.processor != "" && r.processor != who.Proof {
		return "", fmt.Errorf("they are for the processor %q, and the person was proved by %q", r.processor, who.Proof)
	}
	if len(r.domains) == 0 {
		return "", nil
	}
	return r.localOf(person)
}

// checkProfile accepts "", which is none.
func checkProfile(name string) error {
	if name == "" {
		return nil
	}
	if _, err := porterhouse.ParseUserName(name); err != nil {
		return fmt.Errorf("%q is no name of a profile: %w", name, err)
	}
	return nil
}

// checkDomain accepts host names of ASCII letters, digits, hyphens and dots.
func checkDomain(domain string) error {
	if domain == "" || len(domain) > 253 {
		return errors.New("a domain has 1 to 253 characters")
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return errors.New("it is not a host name, such as example.com")
		}
	}
	for _, r := range domain {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.", r) {
			return fmt.Errorf("the character %q is none of a host name (an international name is written in its ASCII form, xn--…)", r)
		}
	}
	return nil
}
