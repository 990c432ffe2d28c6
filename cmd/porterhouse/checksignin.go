package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/identity"
)

// arrival tries signing in at one provider, as far as that goes without a person:
//
//	where would a browser be sent? ─▶ what is asked for ─▶ does the token endpoint know us?
type arrival struct {
	client   string // our id there
	party    *identity.RelyingParty
	callback string // our redirect URI
}

// arrivalsOf are the providers at which people sign in, by processor.
func arrivalsOf(e entrance) (map[string]*arrival, error) {
	all := map[string]*arrival{}
	for _, p := range e.SignIn.Providers {
		party, err := e.party(p)
		if err != nil {
			return nil, err
		}
		all[p.Processor] = &arrival{p.ClientID, party, redirectURI(e.Config, p.Processor)}
	}
	return all, nil
}

// tellRedirects says what is to be registered for us at the providers.
func tellRedirects(c Config, w io.Writer) {
	if len(c.SignIn.Providers) == 0 {
		fmt.Fprintf(w, "The redirect URI to register for signing in at this server: %s, and the name of the token processor behind it\n", redirectURI(c, ""))
		return
	}
	for _, p := range c.SignIn.Providers {
		fmt.Fprintf(w, "The redirect URI to register at the provider of %s: %s\n", p.Processor, redirectURI(c, p.Processor))
	}
}

func (a *arrival) findings(ctx context.Context, issuer string) []finding {
	trip := identity.Trip{State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), RedirectURI: a.callback}
	address, err := a.party.AuthorizationURL(ctx, trip)
	if err != nil {
		return []finding{{wrong, "people cannot sign in there: " + explained(err).Reason}}
	}
	return append(a.asked(address), a.known(ctx, trip, issuer))
}

// asked tells what a browser is sent there with.
func (a *arrival) asked(address string) []finding {
	to, err := url.Parse(address)
	if err != nil {
		return []finding{{wrong, "people cannot sign in there: its authorization_endpoint is no URL"}}
	}
	scopes := strings.Fields(to.Query().Get("scope"))
	found := []finding{{fine, fmt.Sprintf("people sign in at %s, as users of our client %q there, which is asked for %s", to.Host, a.client, strings.Join(scopes, ", "))}}
	// Google has a word of its own; some give a refresh token to whoever asks.
	if !slices.Contains(scopes, "offline_access") && to.Query().Get("access_type") == "" {
		found = append(found, finding{careful, "it is not asked for offline_access, so it may give nothing by which it could be asked about somebody again: their sessions then end after sign_in.session_without_recheck"})
	}
	return found
}

// known tries a code that nobody was given: the refusal tells whether the provider
// knows our client and its secret.
func (a *arrival) known(ctx context.Context, trip identity.Trip, issuer string) finding {
	_, _, err := a.party.Redeem(ctx, trip, "porterhouse-check-"+rand.Text(), issuer)
	switch kind, _ := porterhouse.Explain(err); {
	case err == nil:
		return finding{wrong, "it gave tokens for a code that we made up: is this an identity provider?"}
	case kind == porterhouse.Unauthenticated:
		return finding{fine, "its token endpoint refuses a made-up code, and says nothing against our client id and secret; whether the redirect URI is registered shows when somebody signs in"}
	}
	return finding{wrong, "its token endpoint does not take us as its client: " + explained(err).Reason}
}
