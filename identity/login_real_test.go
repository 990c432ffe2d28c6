package identity_test

import (
	"slices"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// Signing in at providers that nobody here wrote.

// realHouse is where the people of a provider that runs sign in.
func realHouse(t *testing.T, p *idp.Provider) *house {
	t.Helper()
	host, _, _ := strings.Cut(strings.TrimPrefix(p.Issuer, "http://"), "/")
	h := &house{clock: newClock(), person: idp.Alice, issuer: p.Issuer}
	h.settings = identity.Settings{Name: "the-processor", Type: "openid", UsernameClaim: "email",
		ConfigurationEndpoint: p.Issuer + "/.well-known/openid-configuration"}
	h.settings.ClientIDs, h.settings.AllowIDTokens = []string{client}, true
	h.outbound.AllowHosts = []string{host}
	return h
}

// npm's oidc-provider says who it is in its redirect, changes the refresh token each
// time, and ends the family of one that is used twice.
func TestOIDCProviderLogin(t *testing.T) {
	provider := idp.StartOIDC(t, idp.Options{})
	h := realHouse(t, provider)
	party := h.party(t)
	trip := newTrip()
	code, iss := h.visit(t, party, trip)
	if iss != provider.Issuer {
		t.Errorf("the redirect is of %q", iss)
	}
	who, kept, err := party.Redeem(t.Context(), trip, code, iss)
	if err != nil {
		t.Fatal(err)
	}
	brought, err := h.verifier(t).Verify(t.Context(), provider.SignIn(t, idp.App, idp.Alice, door.Audiences[0]).Access)
	if err != nil || who.Key() != brought.Key() || who.User != brought.User || !slices.Equal(who.Groups, brought.Groups) {
		t.Errorf("who signs in is %+v, who brings a token %+v, %v", who, brought, err)
	}
	alice := idp.Alice
	alice.Groups = []string{"directors"}
	provider.SetPeople(t, alice, idp.Bob)
	again, next, err := party.Recheck(t.Context(), who, kept)
	if err != nil || again.Key() != who.Key() || !slices.Equal(again.Groups, alice.Groups) || next.RefreshToken == kept.RefreshToken {
		t.Fatalf("asked again, it is %+v, %v", again, err)
	}
	provider.SetPeople(t, idp.Bob)
	is, _, err := party.Recheck(t.Context(), who, next)
	wantRefusal(t, is, err, no401, next.RefreshToken)
	provider.SetPeople(t, idp.Alice)
	is, _, err = party.Recheck(t.Context(), who, kept)
	wantRefusal(t, is, err, no401, kept.RefreshToken)
	h.person = idp.Alice
	_, kept = h.mustSignIn(t, party)
	provider.Stop(t)
	_, _, err = party.Recheck(t.Context(), who, kept)
	wantAwayAtLogin(t, err)
}

// A code that was taken from another browser is of another visit.
func TestOIDCProviderRefuses(t *testing.T) {
	h := realHouse(t, idp.StartOIDC(t, idp.Options{}))
	party, mine, other := h.party(t), newTrip(), newTrip()
	code, iss := h.visit(t, party, mine)
	who, _, err := party.Redeem(t.Context(), other, code, iss)
	wantRefusal(t, who, err, no401, code)
	code, iss = h.visit(t, party, mine)
	if _, _, err := party.Redeem(t.Context(), mine, code, iss); err != nil {
		t.Fatal(err)
	}
	who, _, err = party.Redeem(t.Context(), mine, code, iss)
	wantRefusal(t, who, err, no401, code)
	wrong := h.party(t, func(_ *identity.Settings, c *identity.ClientSettings) {
		c.ClientSecret = porterhouse.NewSecret("wrong")
	})
	code, iss = h.visit(t, wrong, mine)
	_, _, err = wrong.Redeem(t.Context(), mine, code, iss)
	wantAwayAtLogin(t, err)
}

// dex asks for a password. It is never asked with a refresh token here: that stops it.
func TestDexLogin(t *testing.T) {
	provider := idp.StartDex(t, idp.Options{})
	h := realHouse(t, provider)
	who, kept := h.mustSignIn(t, h.party(t))
	brought, err := h.verifier(t).Verify(t.Context(), provider.Password(t, idp.App, idp.Alice).Access)
	if err != nil || who.Key() != brought.Key() || who.User != idp.Alice.Email || !slices.Equal(who.Groups, brought.Groups) {
		t.Errorf("who signs in is %+v, who brings a token %+v, %v", who, brought, err)
	}
	if kept.RefreshToken == "" {
		t.Error("offline_access was not asked for, or not given")
	}
	without := h.party(t, func(_ *identity.Settings, c *identity.ClientSettings) {
		c.Scopes = []string{"profile", "email", "groups"}
	})
	h.person = idp.Bob
	if who, kept := h.mustSignIn(t, without); who.User != idp.Bob.Email || kept != (identity.Kept{}) {
		t.Errorf("without offline_access: %+v", who)
	}
}
