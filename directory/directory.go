// Package directory turns a verified Principal into the ClickHouse account
// that the person acts as. It does not know how the person was proved.
//
//	Principal ─▶ name as people know it ─▶ template ─▶ deny list ─▶ Account
//
// The rule of the package: nobody reaches an account by the way their name is
// written. A name is never repaired; what could be read in two ways is refused.
// And two people share an account only where the operator said AllowShared.
//
// In this version the account of a person follows from the name alone, by a
// template, and whether it exists is for ClickHouse to say.
package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"porterhouse"
)

// Config is the rules of one cluster.
type Config struct {
	// UserName is the template of the ClickHouse user name: any text with
	//
	//	{user}       the person's name, as the token tells it
	//	{localpart}  what precedes the @ of it; needs Domains
	//
	// "" is {user}.
	UserName string
	// Domains are the e-mail domains whose people are let in, such as
	// "example.com" (subdomains are others); the ASCII form of international
	// ones. Empty: people of any domain, and of none.
	Domains []string
	// LowerCase makes A–Z of the person's name a–z, so that names which differ in
	// nothing else are one account. Other letters stay as they are: lower-casing
	// them can make one name of two that look different.
	LowerCase bool
	// Deny lists ClickHouse users that nobody acts as, however a name is written:
	// letters are compared without regard to case, width or style, though to
	// ClickHouse Admin is not admin. Always denied are default and Gateway.
	Deny []string
	// Gateway is the ClickHouse user that the statements are sent by.
	Gateway string
	// AllowUnicodeNames lets account names hold letters beyond ASCII, among
	// which there are some that look alike.
	AllowUnicodeNames bool
	// AllowShared accepts rules by which several people have one account: a
	// template without a placeholder, or {localpart} of several domains.
	AllowShared bool
}

// Directory turns people into accounts. It is safe for concurrent use.
type Directory struct {
	template          template
	domains           map[string]bool // in lower case
	denied            map[string]bool // folded
	lowerCase         bool
	allowUnicodeNames bool
}

// alwaysDenied has every right on a ClickHouse that nobody has hardened.
const alwaysDenied = "default"

// New checks the rules.
func New(c Config) (*Directory, error) {
	d := &Directory{
		domains:           map[string]bool{},
		denied:            map[string]bool{fold(alwaysDenied): true},
		lowerCase:         c.LowerCase,
		allowUnicodeNames: c.AllowUnicodeNames,
	}
	var err error
	if d.template, err = parseTemplate(c.UserName); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	for _, domain := range c.Domains {
		if err := checkDomain(domain); err != nil {
			return nil, fmt.Errorf("directory: domain %q: %w", domain, err)
		}
		d.domains[strings.ToLower(domain)] = true
	}
	for i, name := range c.Deny {
		if name == "" {
			return nil, fmt.Errorf("directory: name %d of the deny list is empty", i+1)
		}
		d.denied[fold(name)] = true
	}
	if c.Gateway != "" {
		d.denied[fold(c.Gateway)] = true
	}
	if err := d.check(c); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return d, nil
}

// check refuses rules that would let somebody in as somebody else.
func (d *Directory) check(c Config) error {
	if d.template.has(localpart) && len(d.domains) == 0 {
		return errors.New("{localpart} needs the domains whose people are let in: else alice@anywhere becomes alice")
	}
	example := d.template.fill("a", "a")
	if _, err := d.wellFormed(example); err != nil {
		return fmt.Errorf("no account has a name like the template %q: %w", c.UserName, err)
	}
	if d.template.isConstant() && d.denied[fold(example)] {
		return fmt.Errorf("the template %q is an account that nobody may act as", c.UserName)
	}
	if c.AllowShared {
		return nil
	}
	if d.template.isConstant() {
		return fmt.Errorf("by the template %q everybody has the same account: write {user} or {localpart} into it, or allow shared accounts", c.UserName)
	}
	if d.template.has(localpart) && !d.template.has(user) && len(d.domains) > 1 {
		return fmt.Errorf("by the template %q the people of %d domains who have the same local part share an account: name one domain, write {user}, or allow shared accounts", c.UserName, len(d.domains))
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

// Account finds the ClickHouse account of who. The error is a
// *porterhouse.Error: Unauthenticated when who is nobody, Refused when the
// rules give the person no account.
func (d *Directory) Account(_ context.Context, who porterhouse.Principal, _ porterhouse.Entry) (porterhouse.Account, error) {
	if who.Issuer == "" || who.Subject == "" {
		return porterhouse.Account{}, porterhouse.Errorf(porterhouse.Unauthenticated, "nobody was proved: sign in first")
	}
	name, err := d.name(who.User)
	if err != nil {
		return porterhouse.Account{}, &porterhouse.Error{
			Kind:   porterhouse.Refused,
			Public: "your name gives you no ClickHouse account here; ask the operator of this server which names do",
			Err:    fmt.Errorf("user %q of issuer %q: %w", who.User, who.Issuer, err),
		}
	}
	return porterhouse.Account{User: name}, nil
}
