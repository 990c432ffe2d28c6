package identity_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// offlineHouse is where somebody is signed in, with a refresh token.
func offlineHouse(t *testing.T) (*house, *identity.RelyingParty, porterhouse.Principal, identity.Kept) {
	t.Helper()
	h := openIDHouse(t)
	party := h.party(t)
	who, kept := h.mustSignIn(t, party)
	if kept.RefreshToken == "" || kept.AccessToken != "" || !party.CanRecheck(kept) {
		t.Fatalf("kept: %t, %t", kept.RefreshToken != "", kept.AccessToken != "")
	}
	h.clock.pass(time.Minute)
	return h, party, who, kept
}

// A person who is asked for again is as the provider knows them now, and the refresh
// token changes each time.
func TestRecheckByRefreshToken(t *testing.T) {
	h, party, who, kept := offlineHouse(t)
	alice := h.person
	alice.Groups = []string{"directors"}
	h.signer.Know(alice)
	for range 3 {
		again, next, err := party.Recheck(t.Context(), who, kept)
		if err != nil {
			t.Fatal(err)
		}
		if again.Key() != who.Key() || !slices.Equal(again.Groups, alice.Groups) || !again.Issued.After(who.Issued) || next.RefreshToken == kept.RefreshToken {
			t.Errorf("asked again, it is %+v", again)
		}
		kept = next
	}
}

// A provider that changes no refresh token leaves us the one we have, and one that
// gives no ID token is asked by userinfo.
func TestRecheckByUserinfo(t *testing.T) {
	h, party, who, kept := offlineHouse(t)
	h.signer.TamperAnswer(func(answer idp.Claims) idp.Claims { return answer.With("id_token", nil).With("refresh_token", nil) })
	again, next, err := party.Recheck(t.Context(), who, kept)
	if err != nil || again.Key() != who.Key() || !slices.Equal(again.Groups, who.Groups) || next != kept {
		t.Errorf("asked again, it is %+v, %v", again, err)
	}
}

// What ends a login, and what does not: the provider's no is told from its absence.
func TestRecheckRefusals(t *testing.T) {
	userinfo := func(of idp.Claims) func(*testing.T, *house) {
		return func(_ *testing.T, h *house) {
			h.signer.TamperAnswer(func(answer idp.Claims) idp.Claims { return answer.With("id_token", nil) })
			h.wire.AnswerJSON("/userinfo", http.StatusOK, of)
		}
	}
	answer := func(status int, body any) func(*testing.T, *house) {
		return func(_ *testing.T, h *house) { h.wire.AnswerJSON("/token", status, body) }
	}
	id := func(name string, value any) func(*testing.T, *house) {
		return func(_ *testing.T, h *house) {
			h.signer.TamperID(func(id idp.Claims) idp.Claims { return id.With(name, value) })
		}
	}
	for _, test := range []struct {
		name   string
		before func(*testing.T, *house)
		want   porterhouse.Kind
	}{
		{"the person is disabled", func(_ *testing.T, h *house) { h.signer.Disable(h.person.Subject) }, no401},
		{"the person must do something there", answer(http.StatusBadRequest, idp.Claims{"error": "interaction_required"}), no401},
		{"the person is blocked, as Auth0 says it", answer(http.StatusForbidden, idp.Claims{"error": "access_denied"}), no401},
		{"somebody else's ID token", id("sub", idp.Bob.Subject), no401},
		{"an ID token of another client", id("aud", "another"), no401},
		{"an ID token of another issuer", id("iss", "https://evil.example.com"), no401},
		{"an ID token that expired", id("exp", time.Now().Add(-time.Hour).Unix()), no401},
		{"userinfo about somebody else", userinfo(idp.Claims{"sub": idp.Bob.Subject}), no401},
		{"userinfo about nobody", userinfo(idp.Claims{}), no401},
		{"userinfo refuses", func(t *testing.T, h *house) {
			userinfo(nil)(t, h)
			h.wire.AnswerJSON("/userinfo", http.StatusUnauthorized, idp.Claims{"error": "invalid_token"})
		}, no401},
		{"the provider is down", func(_ *testing.T, h *house) { h.wire.Down() }, away503},
		{"the provider is broken", answer(http.StatusInternalServerError, idp.Claims{"error": "invalid_grant"}), away503},
		{"the provider has too much to do", answer(http.StatusTooManyRequests, idp.Claims{}), away503},
		{"the provider knows us no more", answer(http.StatusUnauthorized, idp.Claims{"error": "invalid_client"}), away503},
		{"the provider knows us no more, as Auth0 says it", answer(http.StatusUnauthorized, idp.Claims{"error": "access_denied"}), away503},
		{"a page in front of the provider", answer(http.StatusForbidden, "go away"), away503},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, party, who, kept := offlineHouse(t)
			test.before(t, h)
			is, next, err := party.Recheck(t.Context(), who, kept)
			wantRefusal(t, is, err, test.want, kept.RefreshToken)
			if next.RefreshToken == "" {
				t.Error("nothing is kept any more")
			}
		})
	}
}

// Where the provider goes away between two questions, what it gave by then is not lost.
func TestHalfAnAnswerKeepsTheNewToken(t *testing.T) {
	h, party, who, kept := offlineHouse(t)
	h.signer.TamperID(func(id idp.Claims) idp.Claims { return id.With("groups", nil) })
	h.wire.AnswerJSON("/userinfo", http.StatusBadGateway, idp.Claims{})
	_, next, err := party.Recheck(t.Context(), who, kept)
	wantAwayAtLogin(t, err)
	h.signer.TamperID(nil)
	if _, _, err := party.Recheck(t.Context(), who, next); err != nil {
		t.Errorf("with what was kept: %v", err)
	}
}

// Without a refresh token, introspection tells of a token that lives long enough; one
// that does not is not kept.
func TestRecheckByIntrospection(t *testing.T) {
	h := loginHouse(t, "openid introspection")
	h.signer.Options.Lifetime = 30 * day
	h.signer.Offline = func(url.Values) bool { return false }
	party := h.party(t)
	who, kept := h.mustSignIn(t, party)
	if kept.AccessToken == "" || !party.CanRecheck(kept) {
		t.Fatal("nothing was kept")
	}
	h.clock.pass(20 * day)
	h.signer.Amend(kept.AccessToken, idp.Claims{"aud": "https://an.api.example.com"})
	again, next, err := party.Recheck(t.Context(), who, kept)
	if err != nil || again.Key() != who.Key() || !slices.Equal(again.Groups, who.Groups) || next != kept {
		t.Errorf("asked again, it is %+v, %v", again, err)
	}
	h.wire.AnswerJSON("/userinfo", http.StatusOK, idp.Claims{"sub": idp.Bob.Subject})
	is, _, err := party.Recheck(t.Context(), who, kept)
	wantRefusal(t, is, err, no401, kept.AccessToken)
	h.signer.Revoke(kept.AccessToken)
	is, _, err = party.Recheck(t.Context(), who, kept)
	wantRefusal(t, is, err, no401, kept.AccessToken)

	h.signer.Options.Lifetime = time.Hour
	if _, kept := h.mustSignIn(t, party); party.CanRecheck(kept) {
		t.Error("a token for an hour was kept")
	}
	is, _, err = party.Recheck(t.Context(), who, identity.Kept{})
	wantRefusal(t, is, err, no401, "")
}

// GitHub says who a token is of, and whose application's, each time.
func TestGitHubLogin(t *testing.T) {
	h, g := gitHubHouse(t)
	party := h.party(t)
	who, kept := h.mustSignIn(t, party)
	if who.Key() != g.URL+"\x00583231" || who.User != "octo" || !slices.Equal(who.Groups, []string{"acme", "acme:analysts", "acme:staff"}) {
		t.Fatalf("who signs in is %+v", who)
	}
	h.clock.pass(60 * day)
	if again, next, err := party.Recheck(t.Context(), who, kept); err != nil || again.Key() != who.Key() || next != kept {
		t.Errorf("asked again, it is %+v, %v", again, err)
	}
	g.SetLimited(true)
	_, _, err := party.Recheck(t.Context(), who, kept)
	wantAwayAtLogin(t, err)
	g.SetLimited(false)
	g.Revoke(kept.AccessToken)
	is, _, err := party.Recheck(t.Context(), who, kept)
	wantRefusal(t, is, err, no401, kept.AccessToken)
	other := identity.Kept{AccessToken: g.Access(idp.Octo, "another application")}
	is, _, err = party.Recheck(t.Context(), who, other)
	wantRefusal(t, is, err, no401, other.AccessToken)
	other.AccessToken = g.Access(idp.Person{Subject: "1", Name: "octo"}, client)
	is, _, err = party.Recheck(t.Context(), who, other)
	wantRefusal(t, is, err, no401, other.AccessToken)
}

// Tokens of a GitHub App end, and are changed for new ones by then.
func TestGitHubApp(t *testing.T) {
	h, g := gitHubHouse(t)
	g.SetExpiring(true)
	party := h.party(t)
	who, kept := h.mustSignIn(t, party)
	if _, next, err := party.Recheck(t.Context(), who, kept); err != nil || next != kept {
		t.Errorf("a token that is alive was changed: %v", err)
	}
	h.clock.pass(9 * time.Hour)
	_, next, err := party.Recheck(t.Context(), who, kept)
	if err != nil || next.RefreshToken == kept.RefreshToken || next.AccessToken == kept.AccessToken {
		t.Errorf("it was not changed: %v", err)
	}
	is, _, err := party.Recheck(t.Context(), who, kept) // as if somebody had it, too
	wantRefusal(t, is, err, no401, kept.RefreshToken)
}

// GitHub's errors have status 200.
func TestGitHubLoginIsRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer any
		want   porterhouse.Kind
	}{
		{"a code that is used", idp.Claims{"error": "bad_verification_code"}, no401},
		{"no verified address", idp.Claims{"error": "unverified_user_email"}, no401},
		{"we are wrong", idp.Claims{"error": "incorrect_client_credentials"}, away503},
		{"our redirect URI is wrong", idp.Claims{"error": "redirect_uri_mismatch"}, away503},
		{"a token of nobody", idp.Claims{"access_token": "gho_" + strings.Repeat("x", 36), "token_type": "bearer", "scope": "read:user,user:email"}, no401},
		{"something else", idp.Claims{"access_token": "eyJ", "token_type": "bearer"}, away503},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, g := gitHubHouse(t)
			g.AnswerJSON("/login/oauth/access_token", http.StatusOK, test.answer)
			who, _, err := h.signIn(t, h.party(t))
			wantRefusal(t, who, err, test.want, "")
		})
	}
	h, g := gitHubHouse(t)
	g.Answer("/login/oauth/access_token", func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		_, _ = out.Write([]byte(`{"access_token":"` + g.Access(idp.Octo, "another application") + `","token_type":"bearer","scope":""}`))
	})
	who, _, err := h.signIn(t, h.party(t))
	wantRefusal(t, who, err, no401, "")
}

// Only members of the organization sign in, at GitHub and GitLab.
func TestOrganizationsAtSignIn(t *testing.T) {
	for _, kind := range []string{"github", "gitlab access token"} {
		for organization, want := range map[string]porterhouse.Kind{"acme": "", "other": no403} {
			t.Run(kind+" "+organization, func(t *testing.T) {
				h := loginHouse(t, kind)
				who, _, err := h.signIn(t, h.party(t, func(s *identity.Settings, _ *identity.ClientSettings) { s.Organization = organization }))
				if want != "" {
					wantRefusal(t, who, err, want, "")
				} else if err != nil {
					t.Error(err)
				}
			})
		}
	}
}
