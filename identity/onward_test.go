package identity_test

import (
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// clickHouse is a resource at the provider (RFC 8707).
const clickHouse = "https://clickhouse.example.com"

// onward is how a party gets tokens for a target.
func onward(t *testing.T, party *identity.RelyingParty, target identity.Target) *identity.Onward {
	t.Helper()
	o, err := identity.NewOnward(party, target)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// npm's oidc-provider gives a token for ClickHouse alone to somebody who signed in with
// that in mind, changes the refresh token, and stops when the person is gone.
func TestOnwardAtOIDCProvider(t *testing.T) {
	provider := idp.StartOIDC(t, idp.Options{})
	h := realHouse(t, provider)
	party := h.party(t, func(_ *identity.Settings, c *identity.ClientSettings) { c.Resources = []string{clickHouse} })
	who, kept := h.mustSignIn(t, party)
	o := onward(t, party, identity.Target{Resource: clickHouse, Audience: clickHouse})
	granted, next, err := o.Token(t.Context(), who, kept)
	if err != nil || next.RefreshToken == kept.RefreshToken || next.AccessToken != "" {
		t.Fatalf("%v; it gave another refresh token: %t", err, next.RefreshToken != kept.RefreshToken)
	}
	s := h.settings
	s.ExpectedAudience = []string{clickHouse}
	h.settings = s
	got, err := h.verifier(t).Verify(t.Context(), granted.Token.Reveal())
	if err != nil || got.Key() != who.Key() || granted.Expires.IsZero() {
		t.Errorf("the token is of %+v, until %v: %v", got, granted.Expires, err)
	}
	if again, _, err := party.Recheck(t.Context(), who, next); err != nil || again.Key() != who.Key() {
		t.Errorf("asked about the person afterwards: %v", err)
	}

	who, kept = h.mustSignIn(t, party)
	elsewhere := onward(t, party, identity.Target{Resource: "https://else.example.com", Audience: "https://else.example.com"})
	_, same, err := elsewhere.Token(t.Context(), who, kept)
	wantRefusal(t, porterhouse.Principal{}, err, no401, kept.RefreshToken) // invalid_target
	if same != kept {
		t.Error("what was kept is another")
	}
	provider.SetPeople(t, idp.Bob)
	_, _, err = o.Token(t.Context(), who, kept)
	wantRefusal(t, porterhouse.Principal{}, err, no401, kept.RefreshToken)
}

// A token that is for something else than ClickHouse does not go on, nor one of somebody
// else; and what the provider gave for the next time is told, too.
func TestOnwardLooksAtTokens(t *testing.T) {
	for name, test := range map[string]struct {
		opaque bool
		target identity.Target
		refuse string   // "": it goes on
		aud    []string // nil: the door's
	}{
		"for whom it should be":    {false, identity.Target{Audience: door.Audiences[0], Ours: isOurs}, "", nil},
		"for something else":       {false, identity.Target{Audience: clickHouse}, "not for", nil},
		"whatever it is for":       {false, identity.Target{AllowAnyAudience: true}, "", nil},
		"for ClickHouse and us":    {false, identity.Target{Audience: clickHouse, Ours: isOurs}, "opens this server", []string{clickHouse, door.Audiences[0]}},
		"for us alone, if any":     {false, identity.Target{AllowAnyAudience: true, Ours: isOurs}, "opens this server", nil},
		"for us and others":        {false, identity.Target{AllowAnyAudience: true, Ours: isOurs}, "", []string{"x", door.Audiences[0]}},
		"opaque":                   {true, identity.Target{Audience: clickHouse}, "no JWT", nil},
		"opaque, and that is fine": {true, identity.Target{AllowAnyAudience: true}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := openIDHouse(t)
			party := h.party(t)
			who, kept := h.mustSignIn(t, party)
			access := h.good()
			if test.aud != nil {
				access = h.mint(idp.Alice, h.claims(idp.Alice).With("aud", test.aud))
			}
			if test.opaque {
				access = "opaque"
			}
			h.signer.TamperAnswer(func(answer idp.Claims) idp.Claims {
				return answer.With("access_token", access).With("id_token", nil)
			})
			granted, next, err := onward(t, party, test.target).Token(t.Context(), who, kept)
			switch {
			case test.refuse == "" && (err != nil || !granted.Token.Equal(access)):
				t.Errorf("it does not go on: %v", err)
			case test.refuse != "" && (err == nil || !strings.Contains(err.Error(), test.refuse) || !granted.Token.IsZero()):
				t.Errorf("%v: not %q", err, test.refuse)
			case next.RefreshToken == "":
				t.Error("nothing is left for the next time")
			}
		})
	}
}

// A token of somebody else, by the ID token beside it, does not go on.
func TestOnwardOfSomebodyElse(t *testing.T) {
	h := openIDHouse(t)
	party := h.party(t)
	who, kept := h.mustSignIn(t, party)
	h.signer.IDTokens = func(_ idp.Person, c string) idp.Claims { return h.signer.IDToken(idp.Bob, c) }
	granted, _, err := onward(t, party, identity.Target{AllowAnyAudience: true}).Token(t.Context(), who, kept)
	if err == nil || !strings.Contains(err.Error(), "one of") || !granted.Token.IsZero() {
		t.Errorf("%v", err)
	}
}

// What no provider could give, or nobody should want, is refused at the start.
func TestOnwardThatCannotBe(t *testing.T) {
	github, _ := gitHubHouse(t)
	h := openIDHouse(t)
	short := h.party(t, func(_ *identity.Settings, c *identity.ClientSettings) { c.Scopes = []string{"profile"} })
	for name, test := range map[string]struct {
		party  *identity.RelyingParty
		target identity.Target
		want   string
	}{
		"GitHub":                 {github.party(t), identity.Target{Audience: clickHouse}, "GitHub gives tokens for GitHub alone"},
		"without offline_access": {short, identity.Target{Audience: clickHouse}, "offline_access"},
		"for nobody":             {h.party(t), identity.Target{Resource: clickHouse}, "whom the token has to be for"},
		"for one and for all":    {h.party(t), identity.Target{Audience: clickHouse, AllowAnyAudience: true}, "one of the two"},
	} {
		if _, err := identity.NewOnward(test.party, test.target); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	who, kept := h.mustSignIn(t, h.party(t))
	kept.RefreshToken = ""
	if _, _, err := onward(t, h.party(t), identity.Target{AllowAnyAudience: true}).Token(t.Context(), who, kept); err == nil || !strings.Contains(err.Error(), "offline_access") {
		t.Errorf("without a refresh token: %v", err)
	}
}
