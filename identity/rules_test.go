package identity

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

var testNow = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

// in is a moment so many seconds from testNow, as a claim.
func in(seconds int) int64 { return testNow.Add(time.Duration(seconds) * time.Second).Unix() }

// judged is what the rules of s say about claims of a signed token.
func judged(t *testing.T, s Settings, c object, from claimSource) (porterhouse.Principal, error) {
	t.Helper()
	s.Name = "test"
	if s.Type == "" {
		s.Type, s.ExpectedIssuer = "openid", testIssuer
	}
	r, err := newRules(s, testResource, newTestProviders(t, at(testNow)))
	if err != nil {
		t.Fatal(err)
	}
	read, err := parseClaims(encoded(c))
	if err != nil {
		t.Fatal(err)
	}
	return r.judge(t.Context(), read, from)
}

func TestJudge(t *testing.T) {
	who, err := judged(t, Settings{}, goodClaims(testNow), claimSource{header: &header{}})
	if err != nil {
		t.Fatal(err)
	}
	want := porterhouse.Principal{
		Issuer: testIssuer, Subject: "4711", User: "4711", Client: "claude", TokenID: "t1", Proof: "test",
		Groups: []string{"analysts", "staff"}, Issued: testNow.Local(), Expires: testNow.Add(time.Hour + defaultLeeway).Local(),
		Audience: testResource.Audiences,
	}
	if !reflect.DeepEqual(who, want) {
		t.Errorf("judged %+v\nwant   %+v", who, want)
	}
}

// Each row changes one thing of a good token or of the settings.
func TestRules(t *testing.T) {
	const refused, forbidden = porterhouse.Unauthenticated, porterhouse.Refused
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprint("group", i)
	}
	for _, test := range []struct {
		name     string
		settings Settings
		claims   object
		header   header
		kind     porterhouse.Kind // "": accepted
		reason   string           // a part of the private reason
	}{
		// Issuer.
		{"another issuer", Settings{}, object{"iss": "https://evil.example.com"}, header{}, refused, "its issuer"},
		{"a slash more", Settings{}, object{"iss": testIssuer + "/"}, header{}, refused, "its issuer"},
		{"another case", Settings{}, object{"iss": strings.ToUpper(testIssuer)}, header{}, refused, "its issuer"},
		{"no issuer", Settings{}, object{"iss": nil}, header{}, refused, "its issuer"},
		{"several issuers", Settings{}, object{"iss": []string{testIssuer}}, header{}, refused, "iss is an array"},

		// Audience.
		{"a list with ours", Settings{}, object{"aud": []string{"account", testAudience}}, header{}, "", ""},
		{"a list without ours", Settings{}, object{"aud": []string{"account", "other"}}, header{}, refused, "it is for"},
		{"another audience", Settings{}, object{"aud": "account"}, header{}, refused, "it is for"},
		{"ours as a part", Settings{}, object{"aud": testAudience + "/x"}, header{}, refused, "it is for"},
		{"no audience", Settings{}, object{"aud": nil}, header{}, refused, "for whom"},
		{"no audience, and our client", Settings{ClientIDs: []string{"claude"}}, object{"aud": nil}, header{}, refused, "for whom"},
		{"an empty list", Settings{}, object{"aud": []string{}}, header{}, refused, "for whom"},
		{"an empty audience", Settings{}, object{"aud": ""}, header{}, refused, "it is for"},
		{"an object for audience", Settings{}, object{"aud": object{testAudience: true}}, header{}, refused, "aud is an object"},
		{"a number in the list", Settings{}, object{"aud": []any{testAudience, 1}}, header{}, refused, "item 2 is a number"},
		{"any audience", Settings{AllowAnyAudience: true}, object{"aud": "account"}, header{}, "", ""},
		{"the processor's own audience", Settings{ExpectedAudience: []string{"api"}}, object{"aud": "api"}, header{}, "", ""},
		{"cognito: the client is the audience", Settings{Type: "cognito", ExpectedIssuer: testIssuer, ClientIDs: []string{"claude"}}, object{"aud": nil, "token_use": "access", "username": "alice"}, header{}, "", ""},
		{"cognito: another client", Settings{Type: "cognito", ExpectedIssuer: testIssuer, ClientIDs: []string{"other"}}, object{"aud": nil, "token_use": "access", "username": "alice"}, header{}, refused, `the client "claude"`},

		// Times.
		{"expired", Settings{}, object{"exp": in(-61)}, header{}, refused, "expired"},
		{"expired at this second, leeway spent", Settings{}, object{"exp": in(-60)}, header{}, refused, "expired"},
		{"expired within the leeway", Settings{}, object{"exp": in(-59)}, header{}, "", ""},
		{"expired, no leeway", Settings{VerifierLeeway: -1}, object{"exp": in(0)}, header{}, refused, "expired"},
		{"no end", Settings{}, object{"exp": nil}, header{}, refused, "no end"},
		{"no end, allowed", Settings{AllowNoExpiration: true}, object{"exp": nil}, header{}, "", ""},
		{"end as text", Settings{}, object{"exp": "1900000000"}, header{}, refused, "exp is a text"},
		{"end of zero", Settings{}, object{"exp": 0}, header{}, refused, "no moment"},
		{"end below zero", Settings{AllowNoExpiration: true}, object{"exp": -1}, header{}, refused, "no moment"},
		{"end beyond all", Settings{}, object{"exp": 1e300}, header{}, refused, "no moment"},
		{"end with a fraction", Settings{}, object{"exp": float64(in(1)) + 0.5}, header{}, "", ""},
		{"not yet", Settings{}, object{"nbf": in(61)}, header{}, refused, "nbf"},
		{"not yet, within the leeway", Settings{}, object{"nbf": in(60)}, header{}, "", ""},
		{"issued in the future", Settings{}, object{"iat": in(61)}, header{}, refused, "iat"},
		{"issued: a boolean", Settings{}, object{"iat": true}, header{}, refused, "iat is a boolean"},

		// What it is for.
		{"at+jwt", Settings{}, nil, header{typ: "at+jwt"}, "", ""},
		{"application/at+jwt", Settings{}, nil, header{typ: "application/at+JWT"}, "", ""},
		{"a logout token", Settings{}, nil, header{typ: "logout+jwt"}, refused, "typ header"},
		{"a DPoP proof", Settings{}, nil, header{typ: "dpop+jwt"}, refused, "typ header"},
		{"not the expected typ", Settings{ExpectedTyp: "at+jwt"}, nil, header{typ: "JWT"}, refused, "expected"},
		{"the expected typ", Settings{ExpectedTyp: "at+jwt"}, nil, header{typ: "application/at+jwt"}, "", ""},
		{"an event", Settings{}, object{"events": object{}}, header{}, refused, "events"},
		{"bound to a key", Settings{}, object{"cnf": object{"jkt": "x"}}, header{}, refused, "cnf"},
		{"an ID token: nonce", Settings{}, object{"nonce": "n"}, header{}, refused, "ID token"},
		{"an ID token: at_hash", Settings{}, object{"at_hash": "h"}, header{}, refused, "ID token"},
		{"an ID token: c_hash", Settings{}, object{"c_hash": "h"}, header{}, refused, "ID token"},
		{"an ID token: token_use", Settings{}, object{"token_use": "id"}, header{}, refused, "ID token"},
		{"an ID token: typ", Settings{}, object{"typ": "ID"}, header{}, refused, "ID token"},
		{"a refresh token", Settings{}, object{"typ": "Refresh"}, header{}, refused, "no token for access"},
		{"another use", Settings{}, object{"token_use": "client"}, header{}, refused, "no token for access"},
		{"for access, and a nonce", Settings{}, object{"typ": "Bearer", "nonce": "n"}, header{}, "", ""},
		{"at+jwt, and a nonce", Settings{}, object{"nonce": "n"}, header{typ: "at+jwt"}, "", ""},
		{"keycloak: typ is missing", Settings{Type: "keycloak", BaseURL: testIssuer}, object{"preferred_username": "alice"}, header{}, refused, "claim typ does not say"},
		{"an ID token, allowed", Settings{AllowIDTokens: true, ClientIDs: []string{"claude"}}, object{"nonce": "n", "aud": "claude"}, header{}, "", ""},
		{"an ID token of another client", Settings{AllowIDTokens: true, ClientIDs: []string{"grafana"}}, object{"nonce": "n", "aud": "claude", "azp": nil}, header{}, refused, "client_ids"},
		{"an ID token with our audience, but no client of ours", Settings{AllowIDTokens: true, ClientIDs: []string{"claude"}}, object{"nonce": "n"}, header{}, refused, "client_ids"},
		{"an ID token for several", Settings{AllowIDTokens: true, ClientIDs: []string{"claude"}}, object{"nonce": "n", "aud": []string{"claude", "x"}, "azp": nil}, header{}, refused, "azp"},
		{"an ID token for several, issued to another", Settings{AllowIDTokens: true, ClientIDs: []string{"claude"}}, object{"nonce": "n", "aud": []string{"claude", "x"}, "azp": "x"}, header{}, refused, `client "x"`},

		// Client.
		{"our client", Settings{ClientIDs: []string{"claude"}}, nil, header{}, "", ""},
		{"another client", Settings{ClientIDs: []string{"other"}}, nil, header{}, refused, `client "claude"`},
		{"no client, one is wanted", Settings{ClientIDs: []string{"other"}}, object{"azp": nil}, header{}, refused, "names no client"},
		{"a client that cannot be seen", Settings{}, object{"azp": "a\u200bb"}, header{}, refused, "cannot be seen"},
		{"a client that is a list", Settings{}, object{"client_id": []string{"x"}, "azp": nil}, header{}, refused, "client_id is an array"},

		// Who.
		{"no subject", Settings{}, object{"sub": nil}, header{}, refused, "who it is about"},
		{"an empty subject", Settings{UsernameClaim: "email"}, object{"sub": ""}, header{}, refused, "who it is about"},
		{"a subject that is a number", Settings{}, object{"sub": 4711}, header{}, refused, "sub is a number"},
		{"a subject with a line break", Settings{UsernameClaim: "email"}, object{"sub": "a\nb"}, header{}, refused, "cannot be seen"},
		{"a subject that is very long", Settings{UsernameClaim: "email"}, object{"sub": strings.Repeat("x", 256)}, header{}, refused, "255"},
		{"no name", Settings{UsernameClaim: "login"}, nil, header{}, refused, "no claim login"},
		{"an empty name", Settings{UsernameClaim: "login"}, object{"login": ""}, header{}, refused, "empty"},
		{"a name that is a list", Settings{UsernameClaim: "login"}, object{"login": []string{"alice"}}, header{}, refused, "an array"},
		{"a name with a bidirectional mark", Settings{UsernameClaim: "login"}, object{"login": "ali\u202ece"}, header{}, refused, "cannot be seen"},
		{"a name that is not in normal form", Settings{UsernameClaim: "login"}, object{"login": "ame\u0301lie"}, header{}, refused, "normal form"},
		{"a display name that is SQL", Settings{}, object{"name": "x'; DROP TABLE users --", "nickname": "\u202e"}, header{}, "", ""},
		{"e-mail as name", Settings{UsernameClaim: "email"}, nil, header{}, "", ""},
		{"e-mail as name, not verified", Settings{UsernameClaim: "email"}, object{"email_verified": false}, header{}, forbidden, "email_verified"},
		{"e-mail as name, nobody says whether verified", Settings{UsernameClaim: "email"}, object{"email_verified": nil}, header{}, forbidden, "email_verified"},
		{"e-mail as name, verified as text", Settings{UsernameClaim: "email"}, object{"email_verified": "true"}, header{}, forbidden, "email_verified"},
		{"e-mail as name, verified as number", Settings{UsernameClaim: "email"}, object{"email_verified": 1}, header{}, forbidden, "email_verified"},
		{"groups that are no texts", Settings{}, object{"groups": []any{"a", 1}}, header{}, refused, "groups"},
		{"groups that are an object", Settings{}, object{"groups": object{"a": true}}, header{}, refused, "groups"},
		{"a group that is one text", Settings{AllowedGroups: []string{"staff"}}, object{"groups": "staff"}, header{}, "", ""},

		// May come in.
		{"claims as asked for", Settings{Claims: `{"azp":"claude","groups":["staff"]}`}, nil, header{}, "", ""},
		{"claims otherwise", Settings{Claims: `{"groups":["admins"]}`}, nil, header{}, forbidden, "claim groups"},
		{"scopes", Settings{RequiredScopes: []string{"clickhouse"}}, nil, header{}, "", ""},
		{"scopes as a list", Settings{RequiredScopes: []string{"clickhouse"}}, object{"scope": nil, "scp": []string{"clickhouse"}}, header{}, "", ""},
		{"a scope is missing", Settings{RequiredScopes: []string{"clickhouse", "admin"}}, nil, header{}, forbidden, `scope "admin"`},
		{"a scope that is a part of another", Settings{RequiredScopes: []string{"click"}}, nil, header{}, forbidden, `scope "click"`},
		{"a verified address", Settings{EmailVerified: true}, nil, header{}, "", ""},
		{"an address that is not", Settings{EmailVerified: true}, object{"email_verified": false}, header{}, forbidden, "email_verified"},
		{"no address", Settings{EmailVerified: true}, object{"email": nil}, header{}, forbidden, "email_verified"},
		{"our domain", Settings{AllowedDomains: []string{"EXAMPLE.com"}}, nil, header{}, "", ""},
		{"another domain", Settings{AllowedDomains: []string{"corp.com"}}, nil, header{}, forbidden, "allowed_domains"},
		{"a subdomain", Settings{AllowedDomains: []string{"example.com"}}, object{"email": "a@sub.example.com"}, header{}, forbidden, "allowed_domains"},
		{"a domain that ends like ours", Settings{AllowedDomains: []string{"example.com"}}, object{"email": "a@notexample.com"}, header{}, forbidden, "allowed_domains"},
		{"two at signs", Settings{AllowedDomains: []string{"example.com"}}, object{"email": "a@evil.com@example.com"}, header{}, forbidden, "allowed_domains"},
		{"a Kelvin sign in the domain", Settings{AllowedDomains: []string{"kite.com"}}, object{"email": "a@\u212Aite.com"}, header{}, forbidden, "allowed_domains"},
		{"our domain, not verified", Settings{AllowedDomains: []string{"example.com"}}, object{"email_verified": "true"}, header{}, forbidden, "allowed_domains"},
		{"hd of whoever says so", Settings{AllowedDomains: []string{"corp.com"}}, object{"hd": "corp.com"}, header{}, forbidden, "allowed_domains"},
		{"hd of Google", Settings{Type: "google", AllowIDTokens: true, ClientIDs: []string{"claude"}, AllowedDomains: []string{"corp.com"}}, object{"iss": "https://accounts.google.com", "aud": "claude", "hd": "corp.com"}, header{}, "", ""},
		{"a group of ours", Settings{AllowedGroups: []string{"x", "staff"}}, nil, header{}, "", ""},
		{"no group of ours", Settings{AllowedGroups: []string{"x"}}, nil, header{}, forbidden, "allowed_groups"},
		{"no groups at all", Settings{AllowedGroups: []string{"x"}}, object{"groups": nil}, header{}, forbidden, "allowed_groups"},
		{"a group beyond the limit is none", Settings{AllowedGroups: []string{"group299"}}, object{"groups": many}, header{}, forbidden, "allowed_groups"},
	} {
		t.Run(test.name, func(t *testing.T) {
			who, err := judged(t, test.settings, with(goodClaims(testNow), test.claims), claimSource{header: &test.header})
			if test.kind == "" {
				if err != nil || who.Subject == "" {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantKind(t, err, test.kind)
			if err != nil && !strings.Contains(err.Error(), test.reason) {
				t.Errorf("the reason is %q, want one with %q", err, test.reason)
			}
			if who.Key() != nobody.Key() {
				t.Errorf("a refused token proved %v", who)
			}
		})
	}
}

// null is no value: whoever must be told gets nothing from it.
func TestNullIsNothing(t *testing.T) {
	for _, name := range []string{"iss", "sub", "aud", "exp"} {
		c := goodClaims(testNow)
		c[name] = nil
		_, err := judged(t, Settings{}, c, claimSource{header: &header{}})
		wantKind(t, err, porterhouse.Unauthenticated)
	}
}

// What a provider answers about an opaque token may leave out what only a token needs.
func TestRulesOfAnswers(t *testing.T) {
	answer := claimSource{issuer: testIssuer, clientAudience: true, endless: true}
	for _, test := range []struct {
		name     string
		settings Settings
		claims   object
		from     claimSource
		accepted bool
	}{
		{"as a token", Settings{}, nil, answer, true},
		{"without issuer and end", Settings{}, object{"iss": nil, "exp": nil}, answer, true},
		{"another issuer", Settings{}, object{"iss": "https://evil.example.com"}, answer, false},
		{"ended", Settings{}, object{"exp": in(-61)}, answer, false},
		{"without audience", Settings{}, object{"aud": nil}, answer, false},
		{"without audience, for our client", Settings{ClientIDs: []string{"claude"}}, object{"aud": nil}, answer, true},
		{"for another, by our client", Settings{ClientIDs: []string{"claude"}}, object{"aud": "other"}, answer, false},
		{"a nonce in it", Settings{}, object{"nonce": "x"}, answer, true},
		{"texts for numbers", Settings{UsernameClaim: "email"}, object{"exp": fmt.Sprint(in(1)), "email_verified": "true"}, claimSource{issuer: testIssuer, textual: true}, true},
		{"texts for numbers, unasked", Settings{}, object{"exp": fmt.Sprint(in(1))}, answer, false},
		{"a text that is false", Settings{UsernameClaim: "email"}, object{"email_verified": "false"}, claimSource{issuer: testIssuer, textual: true}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			who, err := judged(t, test.settings, with(goodClaims(testNow), test.claims), test.from)
			if (err == nil) != test.accepted {
				t.Fatalf("accepted: %v, want %v (%v)", err == nil, test.accepted, err)
			}
			if err == nil && (who.Issuer != testIssuer || !who.Issued.Equal(testNow)) {
				t.Errorf("proved %+v", who)
			}
		})
	}
}

func TestGroupsOfEachType(t *testing.T) {
	c := with(goodClaims(testNow), object{
		"groups": []string{"/team/sub", "admin", "admin", "", "a\nb"}, "typ": "Bearer", "preferred_username": "alice",
		"realm_access":    object{"roles": []string{"admin", "offline_access"}},
		"resource_access": object{"claude": object{"roles": []string{"admin"}}, "other": object{"roles": []string{"root"}}},
	})
	for _, test := range []struct {
		name     string
		settings Settings
		want     []string
	}{
		{"plain", Settings{}, []string{"/team/sub", "admin"}},
		{"keycloak", Settings{Type: "keycloak", BaseURL: testIssuer, ClientIDs: []string{"claude"}}, []string{"/team/sub", "admin", "offline_access", "claude:admin"}},
		{"a path", Settings{GroupsClaim: "resource_access.other.roles"}, []string{"root"}},
		{"none", Settings{GroupsClaim: "teams"}, nil},
		{"a limit", Settings{GroupLimit: 1}, []string{"/team/sub"}},
	} {
		who, err := judged(t, test.settings, c, claimSource{header: &header{}})
		if err != nil || !slices.Equal(who.Groups, test.want) || (who.Groups == nil) != (test.want == nil) {
			t.Errorf("%s: %q, %v; want %q", test.name, who.Groups, err, test.want)
		}
	}
}

func TestLeftOutGroupsAreLogged(t *testing.T) {
	var log bytes.Buffer
	p := newTestProviders(t, at(testNow))
	p.log = slog.New(slog.NewTextHandler(&log, nil))
	r, err := newRules(Settings{Name: "test", Type: "openid", GroupLimit: 1}, testResource, p)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseClaims(encoded(with(goodClaims(testNow), object{"groups": []string{"a", "b", ""}})))
	if err != nil {
		t.Fatal(err)
	}
	who, err := r.judge(t.Context(), c, claimSource{header: &header{}})
	if err != nil || !slices.Equal(who.Groups, []string{"a"}) {
		t.Errorf("groups %q, %v", who.Groups, err)
	}
	for _, want := range []string{"more than group_limit", "groups=2 limit=1", "cannot be seen"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
}

// The same id at two providers is two people, whatever a token claims to be.
func TestIssuersAreNameSpaces(t *testing.T) {
	keys := map[string]bool{}
	for _, s := range []Settings{
		{Name: "a", Type: "openid", ExpectedIssuer: testIssuer},
		{Name: "b", Type: "jwt_static_jwks"},
		{Name: "c", Type: "jwt_static_jwks"},
	} {
		r, err := newRules(s, testResource, newTestProviders(t, at(testNow)))
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseClaims(encoded(goodClaims(testNow)))
		if err != nil {
			t.Fatal(err)
		}
		who, err := r.judge(t.Context(), c, claimSource{header: &header{}})
		if err != nil || keys[who.Key()] {
			t.Errorf("%s: %q, %v, or seen before", s.Name, who.Key(), err)
		}
		keys[who.Key()] = true
	}
}

func TestSubjectOfEachType(t *testing.T) {
	for _, test := range []struct {
		settings Settings
		claims   object
		want     string // "": refused
	}{
		{Settings{Type: "okta", BaseURL: testIssuer}, object{"uid": "00u1", "sub": "alice@example.com"}, "00u1"},
		{Settings{Type: "okta", BaseURL: testIssuer}, object{"sub": "00u1", "preferred_username": "a"}, "00u1"},
		{Settings{Type: "entra", ExpectedIssuer: testIssuer}, object{"oid": "o", "tid": "t", "upn": "a"}, "o@t"},
		{Settings{Type: "entra", ExpectedIssuer: testIssuer}, object{"tid": "t", "upn": "a"}, ""},
	} {
		who, err := judged(t, test.settings, with(goodClaims(testNow), test.claims), claimSource{header: &header{}})
		if who.Subject != test.want {
			t.Errorf("%s %v: subject %q, %v; want %q", test.settings.Type, test.claims, who.Subject, err, test.want)
		}
	}
}

// One answer's address is not verified by what another says of another.
func TestJoinedAddresses(t *testing.T) {
	for _, test := range []struct {
		token, person claims
		verified      any
	}{
		{claims{"sub": "1"}, claims{"sub": "1", "email": "a@x", "email_verified": true}, true},
		{claims{"sub": "1", "email": "a@x"}, claims{"sub": "1", "email": "a@x", "email_verified": true}, true},
		{claims{"sub": "1", "email": "b@x"}, claims{"sub": "1", "email": "a@x", "email_verified": true}, nil},
		{claims{"sub": "1", "email": "b@x"}, claims{"sub": "1", "email_verified": true}, nil},
	} {
		all, err := joinClaims(test.token, test.person)
		if err != nil || all["email_verified"] != test.verified {
			t.Errorf("%v and %v: %v, %v", test.token, test.person, all, err)
		}
	}
}
