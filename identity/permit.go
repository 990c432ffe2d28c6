package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"porterhouse"
)

// May this person come in? The token is good here, and the person known: another
// token would not help, so the answer is 403 and says what is missing.

// notAllowed is the answer to a person who is known, and may not come in. The
// format is of the private reason.
func notAllowed(public, format string, args ...any) error {
	return &porterhouse.Error{Kind: porterhouse.Refused, Public: public, Err: fmt.Errorf(format, args...)}
}

// errLacksScope is of a token that could be had with more scopes.
var errLacksScope = errors.New("the token was not given enough")

// LacksScope tells whether an error of Verify means that the same person's token
// would pass if it had more scopes.
func LacksScope(err error) bool { return errors.Is(err, errLacksScope) }

// checkClaims wants everything in Settings.Claims.
func (h *hearing) checkClaims() error {
	for name, want := range h.required {
		if !contains(h.claims[name], want) {
			return notAllowed("you are signed in, but not as somebody who is let in here; ask the operator of this server",
				"the claim %s of %q is not what claims asks for", name, h.who.User)
		}
		h.note("claims: %s is as asked for", name)
	}
	return nil
}

// checkScopes wants all RequiredScopes, in scope or scp.
func (h *hearing) checkScopes() error {
	if len(h.settings.RequiredScopes) == 0 {
		return nil
	}
	var granted []string
	for _, name := range []string{"scope", "scp"} {
		words, err := h.claims.words(name)
		if err != nil {
			return refuse("%w", err)
		}
		granted = append(granted, words...)
	}
	for _, scope := range h.settings.RequiredScopes {
		if !slices.Contains(granted, scope) {
			return notAllowed(fmt.Sprintf("your token lacks the scope %q; sign in again and agree to it", scope),
				"%w: that of %q lacks the scope %q; it has %s", errLacksScope, h.who.User, scope, quoted(granted))
		}
	}
	h.note("scopes: %s", shown(h.settings.RequiredScopes))
	return nil
}

// checkEmail wants a verified address where the settings do.
func (h *hearing) checkEmail() error {
	if !h.settings.EmailVerified {
		return nil
	}
	if email, ok := h.claims["email"].(string); !ok || email == "" || !isVerified(h.claims, h.from) {
		return notAllowed("your e-mail address is not verified at the identity provider; verify it there, then sign in again",
			"the token of %q has no e-mail address with email_verified true", h.who.User)
	}
	h.note("e-mail: email_verified is true")
	return nil
}

// checkDomain wants a domain of AllowedDomains: of a verified address, or one that
// the provider itself vouches for.
func (h *hearing) checkDomain() error {
	if len(h.settings.AllowedDomains) == 0 {
		return nil
	}
	domains := h.domainsOf(h.claims, h.from)
	for _, allowed := range h.settings.AllowedDomains {
		if slices.Contains(domains, lowerASCII(allowed)) {
			h.note("domain: %q", allowed)
			return nil
		}
	}
	return notAllowed("you are signed in, but people of your e-mail domain are not let in here; use your work account, or ask the operator of this server",
		"%q has the verified domains %s, none of allowed_domains", h.who.User, quoted(domains))
}

// domainsOf are the domains that a person was proved to be of, in lower case.
func (r *rules) domainsOf(c claims, from claimSource) (domains []string) {
	email, _ := c["email"].(string)
	if _, domain, ok := strings.Cut(email, "@"); ok && isVerified(c, from) {
		domains = append(domains, lowerASCII(domain)) // with an @ in it, it is nobody's
	}
	if hosted, _ := c["hd"].(string); r.trait.hostedDomain && hosted != "" {
		domains = append(domains, lowerASCII(hosted))
	}
	return domains
}

// lowerASCII lowers A–Z alone: Unicode has letters that look different and fold
// into those (the Kelvin sign into k).
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// checkGroups wants one of AllowedGroups.
func (h *hearing) checkGroups() error {
	allowed := h.settings.AllowedGroups
	if len(allowed) == 0 {
		return nil
	}
	if !sharesOne(h.who.Groups, allowed) {
		return notAllowed("you are signed in, but in none of the groups that are let in here; ask the operator of this server",
			"%q is in %s, none of allowed_groups", h.who.User, quoted(h.who.Groups))
	}
	h.note("groups: one of allowed_groups")
	return nil
}
