package authserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"porterhouse"
)

const (
	maxIdentityAssertion     = 16 << 10  // bytes
	maxIdentityAssertionLife = time.Hour // mostly it is five minutes
	// assertionLeeway is how much longer than its life an assertion is remembered as
	// used: whoever verifies it may allow for clocks that differ.
	assertionLeeway = 10 * time.Minute
)

// assertionGrant is the JWT bearer grant (RFC 7523) with an identity assertion
// (ID-JAG): a company's provider has decided that this client may act for this
// person here, so neither is asked. Each assertion is good for one token, and for
// the client that it names.
func assertionGrant(s *Server) grant {
	return grant{name: GrantAssertion, narrows: true, run: func(ctx context.Context, r *tokenRequest) (entitlement, error) {
		jwt := r.form.Get("assertion")
		switch {
		case r.client.Auth == AuthNone:
			return entitlement{}, refuse("unauthorized_client", "assertions are taken from clients that prove themselves, with a secret or a key")
		case s.Assertion == nil:
			return entitlement{}, refuse("unsupported_grant_type", "no identity provider is trusted with assertions here: the operator can name one")
		case jwt == "" || len(jwt) > maxIdentityAssertion:
			return entitlement{}, refuse("invalid_request", "assertion is missing, or longer than %d bytes", maxIdentityAssertion)
		}
		a, err := s.Assertion(ctx, jwt)
		if err != nil {
			return entitlement{}, untrusted(err)
		}
		found, err := asserted(s.Config, a, r.client)
		if err != nil {
			return entitlement{}, err
		}
		if len(a.Scopes) == 0 && len(scopesOf(r.form.Get("scope"))) == 0 { // nobody has asked for more
			found.scopes = intersect(found.scopes, []string{ScopeRead})
		}
		return found, useOnce(ctx, s.Config, a)
	}}
}

// asserted is what an assertion gives a client. It ends with its scopes, not with its
// time: that is how long it may be used, and a token of minutes outlives it by
// little (RFC 7521, 4.1).
func asserted(config Config, a Assertion, c Client) (entitlement, error) {
	found := entitlement{who: a.Who, scopes: without(c.Scopes, ScopeOffline), action: "exchange", note: "identity assertion"}
	found.who.Expires = time.Time{}
	if a.Client == "" || a.Client != c.ID {
		return entitlement{}, refuse("invalid_grant", "the assertion was made for another client")
	}
	if a.Resource != "" {
		resource, err := config.resourceOf(c, a.Resource)
		if err != nil {
			return entitlement{}, err
		}
		found.resource = resource.URI
	}
	if len(a.Scopes) > 0 {
		found.scopes = intersect(found.scopes, a.Scopes)
	}
	if len(found.scopes) == 0 {
		return entitlement{}, refuse("invalid_scope", "the assertion gives none of the scopes that this client may have")
	}
	return found, nil
}

// useOnce marks an assertion as used: of several who bring it, on any replica, one wins.
func useOnce(ctx context.Context, config Config, a Assertion) error {
	life := a.Expires.Sub(config.Now())
	switch {
	case a.ID == "":
		return refuse("invalid_grant", "the assertion has no id (jti), by which it would be known when it comes again")
	case life > maxIdentityAssertionLife:
		return refuse("invalid_grant", "the assertion lives longer than the %v that it would be remembered", maxIdentityAssertionLife)
	}
	sum := sha256.Sum256([]byte(a.Who.Issuer + "\x00" + a.ID))
	won, err := config.Store.Swap(ctx, "assertion/"+hex.EncodeToString(sum[:]), nil, []byte{1}, max(life, 0)+assertionLeeway)
	if err == nil && !won {
		return refuse("invalid_grant", "the assertion was used before: ask the identity provider for a new one")
	}
	return err
}

// untrusted says that an assertion is not good, and why only to the log. That nobody
// could tell is passed on.
func untrusted(err error) error {
	switch kind, _ := porterhouse.Explain(err); kind {
	case porterhouse.Unauthenticated, porterhouse.Refused, porterhouse.Invalid:
		return refuse("invalid_grant", "the assertion is not valid here; the operator finds the reason in the log").because(err)
	}
	return err
}
