package identity_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// The attack list: people. The issuer is sound and signed every word, but the words
// are those that a person could get it to write.

// byEmail makes the address the name.
func byEmail(s *identity.Settings) { s.UsernameClaim = "email" }

// ofDomain lets only people of one domain in.
func ofDomain(domain string) func(*identity.Settings) {
	return func(s *identity.Settings) { s.AllowedDomains = []string{domain} }
}

// claimed changes claims of a sound token.
type claimed map[string]any

var impostors = []struct {
	name     string
	settings func(*identity.Settings)
	claims   claimed
	want     porterhouse.Kind
}{
	{"an address with two @", ofDomain("example.com"), claimed{"email": "alice@evil.example@example.com"}, no403},
	{"an address with two @, ours first", ofDomain("example.com"), claimed{"email": "alice@example.com@evil.example"}, no403},
	{"an address with a quoted @", ofDomain("example.com"), claimed{"email": `"alice@evil.example"@example.com`}, no403},
	{"an address without @", ofDomain("example.com"), claimed{"email": "example.com"}, no403},
	{"a domain that ends as ours", ofDomain("example.com"), claimed{"email": "alice@notexample.com"}, no403},
	{"a domain below ours", ofDomain("example.com"), claimed{"email": "alice@evil.example.com"}, no403},
	{"ours below another", ofDomain("example.com"), claimed{"email": "alice@example.com.evil.example"}, no403},
	{"our domain with a dot at the end", ofDomain("example.com"), claimed{"email": "alice@example.com."}, no403},
	{"our domain with a space", ofDomain("example.com"), claimed{"email": "alice@example.com "}, no403},
	{"our domain with a line break", ofDomain("example.com"), claimed{"email": "alice@example.com\n"}, no403},
	{"a domain that looks like ours", ofDomain("example.com"), claimed{"email": "alice@ехample.com"}, no403},
	{"a domain whose letter folds into ours", ofDomain("kiwi.example"), claimed{"email": "alice@\u212aiwi.example"}, no403},
	{"a domain in full-width letters", ofDomain("example.com"), claimed{"email": "alice@ｅxample.com"}, no403},
	{"our domain in a list of addresses", ofDomain("example.com"), claimed{"email": []string{"alice@example.com"}}, no403},
	{"our domain in hd, which this provider does not have", ofDomain("corp.example"), claimed{"hd": "corp.example"}, no403},
	{"our domain in the name", ofDomain("corp.example"), claimed{"name": "alice@corp.example", "preferred_username": "alice@corp.example"}, no403},
	{"our domain, not verified", ofDomain("example.com"), claimed{"email_verified": false}, no403},
	{"our domain, nothing said of verified", ofDomain("example.com"), claimed{"email_verified": nil}, no403},
	{"our domain, verified as a text", ofDomain("example.com"), claimed{"email_verified": "true"}, no403},
	{"our domain, verified as a number", ofDomain("example.com"), claimed{"email_verified": 1}, no403},
	{"our domain, verified as a list", ofDomain("example.com"), claimed{"email_verified": []bool{true}}, no403},
	{"our domain, verified in another case", ofDomain("example.com"), claimed{"email_verified": nil, "Email_Verified": true}, no403},

	{"the name is an address that nobody verified", byEmail, claimed{"email_verified": false}, no403},
	{"the name is an address of which nothing is said", byEmail, claimed{"email_verified": nil}, no403},
	{"the name is a verified text", byEmail, claimed{"email_verified": "true"}, no403},
	{"the name is missing", byEmail, claimed{"email": nil}, no401},
	{"the name is empty", byEmail, claimed{"email": ""}, no401},
	{"the name is a space", byEmail, claimed{"email": " "}, no401},
	{"the name begins with a space", byEmail, claimed{"email": " alice@example.com"}, no401},
	{"the name ends with NUL", byEmail, claimed{"email": "alice@example.com\x00"}, no401},
	{"the name has a line break", byEmail, claimed{"email": "alice\nlevel=ERROR@example.com"}, no401},
	{"the name has an escape sequence", byEmail, claimed{"email": "\x1b]0;x\x07alice@example.com"}, no401},
	{"the name has a zero-width space", byEmail, claimed{"email": "al\u200bice@example.com"}, no401},
	{"the name is written from right to left", byEmail, claimed{"email": "\u202ealice@example.com"}, no401},
	{"the name has a soft hyphen", byEmail, claimed{"email": "al\u00adice@example.com"}, no401},
	{"the name has a variation selector", byEmail, claimed{"email": "alice\ufe0f@example.com"}, no401},
	{"the name is spelled in another normal form", byEmail, claimed{"email": "ame\u0301lie@example.com"}, no401},
	{"the name is very long", byEmail, claimed{"email": strings.Repeat("a", 200) + "@example.com"}, no401},
	{"the name is a number", byEmail, claimed{"email": 1001}, no401},
	{"the name is a list", byEmail, claimed{"email": []string{"alice@example.com"}}, no401},
	{"the name is an object", byEmail, claimed{"email": idp.Claims{"address": "alice@example.com"}}, no401},
	{"the name is a claim with dots in place of a nested one", func(s *identity.Settings) { s.UsernameClaim = "person.id" }, claimed{"person": idp.Claims{"id": ""}}, no401},

	{"the required claim is of another type", func(s *identity.Settings) { s.Claims = `{"admin":true}` }, claimed{"admin": "true"}, no403},
	{"the required claim is null", func(s *identity.Settings) { s.Claims = `{"admin":true}` }, claimed{"admin": nil}, no403},
	{"the required claim is elsewhere", func(s *identity.Settings) { s.Claims = `{"org":{"id":7}}` }, claimed{"id": 7, "org": idp.Claims{}}, no403},
	{"the required number is written otherwise, and another", func(s *identity.Settings) { s.Claims = `{"level":9007199254740993}` }, claimed{"level": 9007199254740992}, no403},
	{"a part of the required list", func(s *identity.Settings) { s.Claims = `{"roles":["a","b"]}` }, claimed{"roles": []string{"a"}}, no403},
	{"a text in place of the required list", func(s *identity.Settings) { s.Claims = `{"roles":["a"]}` }, claimed{"roles": "a"}, no403},
	{"the required scope as part of another", func(s *identity.Settings) { s.RequiredScopes = []string{"read"} }, claimed{"scope": "read:org thread"}, no403},
	{"the required scope in another case", func(s *identity.Settings) { s.RequiredScopes = []string{"read"} }, claimed{"scope": "READ"}, no403},
	{"the required scope after a comma", func(s *identity.Settings) { s.RequiredScopes = []string{"read"} }, claimed{"scope": "write,read"}, no403},
	{"the scopes are an object", func(s *identity.Settings) { s.RequiredScopes = []string{"read"} }, claimed{"scope": idp.Claims{"read": true}}, no401},
	{"the required group in another case", func(s *identity.Settings) { s.AllowedGroups = []string{"admins"} }, claimed{"groups": []string{"Admins"}}, no403},
	{"the required group as part of another", func(s *identity.Settings) { s.AllowedGroups = []string{"admins"} }, claimed{"groups": []string{"not-admins", "admins-2"}}, no403},
	{"the required group within a text", func(s *identity.Settings) { s.AllowedGroups = []string{"admins"} }, claimed{"groups": "staff,admins"}, no403},
	{"the required group with a line break", func(s *identity.Settings) { s.AllowedGroups = []string{"admins"} }, claimed{"groups": []string{"admins\n"}}, no403},
	{"the required group beyond the limit", func(s *identity.Settings) { s.AllowedGroups, s.GroupLimit = []string{"admins"}, 2 }, claimed{"groups": []string{"a", "b", "admins"}}, no403},

	{"issued to another client", func(s *identity.Settings) { s.ClientIDs = []string{"only this"} }, nil, no401},
	{"issued to nobody", func(s *identity.Settings) { s.ClientIDs = []string{"only this"} }, claimed{"azp": nil, "client_id": nil}, no401},
	{"two clients, the right one second", func(s *identity.Settings) { s.ClientIDs = []string{"only this"} }, claimed{"client_id": "only this"}, no401},

	{"an ID token of our client, by its nonce", ourClient, claimed{"nonce": "n", "aud": client}, no401},
	{"an ID token of our client, by at_hash", ourClient, claimed{"at_hash": "x", "aud": client}, no401},
	{"an ID token of our client, by c_hash", ourClient, claimed{"c_hash": "x", "aud": client}, no401},
	{"an ID token of our client, by its typ", ourClient, claimed{"typ": "ID", "aud": client}, no401},
	{"an ID token of our client, by token_use", ourClient, claimed{"token_use": "id", "aud": client}, no401},
	{"an ID token of another client, where ours pass", allowIDTokens, claimed{"nonce": "n", "aud": "another client"}, no401},
	{"an ID token for the door, where ours pass", allowIDTokens, claimed{"nonce": "n", "azp": nil, "client_id": nil}, no401},
	{"an ID token for several, and no azp", allowIDTokens, claimed{"nonce": "n", "aud": []string{"x", client}, "azp": nil, "client_id": nil}, no401},
	{"an ID token for several, and another azp", allowIDTokens, claimed{"nonce": "n", "aud": []string{"x", client}, "azp": "x", "client_id": nil}, no401},
}

func ourClient(s *identity.Settings) { s.ClientIDs = []string{client} }

func allowIDTokens(s *identity.Settings) { s.AllowIDTokens, s.ClientIDs = true, []string{client} }

func TestImpostors(t *testing.T) {
	h := openID(t)
	mustProve(t, h.verifier(t, allowIDTokens), h.mint(h.person, h.claims(h.person).With("nonce", "n").With("aud", client)))
	for _, a := range impostors {
		t.Run(a.name, func(t *testing.T) {
			claims := h.claims(h.person)
			for name, value := range a.claims {
				claims = claims.With(name, value)
			}
			token := h.mint(h.person, claims)
			who, err := h.verifier(t, a.settings).Verify(t.Context(), token)
			wantRefusal(t, who, err, a.want, token)
		})
	}
}

// Names that a person may well have are accepted, and a display name is never used.
func TestHarmlessNames(t *testing.T) {
	h := openID(t)
	for name, claims := range map[string]claimed{
		"an accent":              {"email": "am\u00e9lie@example.com"},
		"an apostrophe":          {"email": "o'neil@example.com"},
		"a plus":                 {"email": "alice+x@example.com"},
		"SQL as the name":        {"name": "'; DROP USER alice; --"},
		"control characters":     {"name": "a\u0007b", "nickname": "\u202ebob"},
		"the name is no text":    {"name": 7},
		"a thousand and a group": {"groups": slices.Repeat([]string{"g"}, 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			sound := h.claims(h.person)
			for claim, value := range claims {
				sound = sound.With(claim, value)
			}
			who := mustProve(t, h.verifier(t, byEmail), h.mint(h.person, sound))
			if who.User != sound["email"] {
				t.Errorf("the user is %q", who.User)
			}
		})
	}
}

// More groups than the limit: the first count, and the log says so.
func TestGroupLimitIsLogged(t *testing.T) {
	h, log := openID(t), &bytes.Buffer{}
	p := h.providersWith(t, slog.New(slog.NewTextHandler(log, nil)))
	groups := make([]string, 205)
	for n := range groups {
		groups[n] = fmt.Sprintf("group-%d", n)
	}
	who := mustProve(t, h.verifierOf(t, p, door), h.mint(h.person, h.claims(h.person).With("groups", groups)))
	if !slices.Equal(who.Groups, groups[:200]) {
		t.Errorf("%d groups count", len(who.Groups))
	}
	if !strings.Contains(log.String(), "group_limit") || !strings.Contains(log.String(), "groups=205") {
		t.Errorf("not logged: %s", log)
	}
}
