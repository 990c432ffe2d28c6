package identity_test

import (
	"testing"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// A token may be exchanged when it is for an audience on the client's list, and
// nothing that the processor lets pass besides takes the place of that.
func TestExchange(t *testing.T) {
	const app = "https://app.example.com"
	aud := func(value any) func(*house, idp.Claims) idp.Claims { return setting("aud", value) }
	any := func(s *identity.Settings) { s.AllowAnyAudience = true }
	for _, test := range []struct {
		name   string
		kind   string
		list   []string
		claims func(*house, idp.Claims) idp.Claims
		change func(*identity.Settings)
		want   porterhouse.Kind // "": it may be
	}{
		{name: "on the list", kind: "openid JWT", list: []string{"x", app}, claims: aud(app)},
		{name: "among others", kind: "openid JWT", list: []string{app}, claims: aud([]string{"y", app})},
		{name: "not on the list", kind: "openid JWT", list: []string{"x"}, claims: aud(app), want: no401},
		{name: "for our door, which is not on the list", kind: "openid JWT", list: []string{app}, want: no401},
		{name: "for nobody", kind: "openid JWT", list: []string{app}, claims: aud(nil), want: no401},
		{name: "any audience", kind: "openid JWT", list: []string{"x"}, claims: aud(app), change: any, want: no401},
		{name: "the processor's own audience", kind: "openid JWT", list: []string{"x"}, claims: aud(app), change: func(s *identity.Settings) { s.ExpectedAudience = []string{app} }, want: no401},
		{name: "a client in place of an audience", kind: "openid introspection", list: []string{app}, claims: aud(nil),
			change: func(s *identity.Settings) { s.ClientIDs = []string{client} }, want: no401},
		{name: "a client in place of an audience, on the list", kind: "openid introspection", list: []string{client}, claims: aud(nil),
			change: func(s *identity.Settings) { s.ClientIDs = []string{client} }},
		{name: "an ID token of another application", kind: "openid JWT", list: []string{app}, claims: func(_ *house, c idp.Claims) idp.Claims { return c.With("aud", client).With("nonce", "n") },
			change: func(s *identity.Settings) { s.AllowIDTokens, s.ClientIDs = true, []string{client} }, want: no401},
		{name: "an ID token of an application on the list", kind: "openid JWT", list: []string{client}, claims: func(_ *house, c idp.Claims) idp.Claims { return c.With("aud", client).With("nonce", "n") },
			change: func(s *identity.Settings) { s.AllowIDTokens, s.ClientIDs = true, []string{client} }},
		{name: "an ID token, where they are not allowed", kind: "openid JWT", list: []string{client}, claims: func(_ *house, c idp.Claims) idp.Claims { return c.With("aud", client).With("nonce", "n") }, want: no401},
		{name: "Cognito's client, on the list", kind: "cognito", list: []string{client}},
		{name: "Cognito's client, not on the list", kind: "cognito", list: []string{app}, want: no401},
		{name: "GitHub's application, on the list", kind: "github", list: []string{client}},
		{name: "GitHub's application, not on the list", kind: "github", list: []string{app}, want: no401},
		{name: "GitHub, any application", kind: "github", list: []string{app}, change: any, want: no401},
		{name: "Google's client, on the list", kind: "google access token", list: []string{client}},
		{name: "Google's client, not on the list", kind: "google access token", list: []string{app}, want: no401},
		{name: "GitLab's application, not on the list", kind: "gitlab access token", list: []string{app}, want: no401},
		{name: "Entra's API, on the list", kind: "entra v2", list: []string{idp.API}},
		{name: "Entra's API, not on the list", kind: "entra v2", list: []string{app}, want: no401},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := kinds[test.kind](t)
			s := h.settings
			if test.change != nil {
				test.change(&s)
			}
			v, err := identity.NewSubjectVerifier([]identity.Settings{s}, test.list, h.providers(t))
			if err != nil {
				t.Fatal(err)
			}
			claims := h.claims(h.person)
			if test.claims != nil {
				claims = test.claims(h, claims)
			}
			token := h.mint(h.person, claims)
			who, err := v.Verify(t.Context(), token)
			if test.want != "" {
				wantRefusal(t, who, err, test.want, token)
			} else if err != nil || who.Issuer != h.issuer {
				t.Errorf("proved %+v, %v", who, err)
			}
		})
	}
	h := openIDHouse(t)
	if _, err := identity.NewSubjectVerifier([]identity.Settings{h.settings}, nil, h.providers(t)); err == nil {
		t.Error("without a list, anything may be exchanged")
	}
}
