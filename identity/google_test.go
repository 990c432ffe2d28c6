package identity

import (
	"net/http"
	"testing"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

const googleClient = "325.apps.googleusercontent.com"

func TestGoogle(t *testing.T) {
	private := idp.Person{Subject: "1112607", Name: "dave", Email: "dave@gmail.com", Unverified: true}
	g := idp.StartGoogle(t, idp.Options{People: []idp.Person{idp.Alice, private}})
	n := idp.StartInternet(t, g)
	s := Settings{Type: "google", ClientIDs: []string{googleClient}, AllowIDTokens: true}
	verify := processorOf(t, on(n), s)

	alice := porterhouse.Principal{Issuer: "https://accounts.google.com", Subject: "u-1001", User: "alice@example.com", Client: googleClient, Groups: idp.Alice.Groups}
	wantPerson(t, verify, g.Access(idp.Alice, googleClient), alice)
	noGroups := alice
	noGroups.Groups = nil
	wantPerson(t, verify, g.Access(idp.Alice, googleClient, "openid", idp.GoogleEmailScope), noGroups)

	for _, issuer := range []string{"https://accounts.google.com", "accounts.google.com"} {
		wantPerson(t, verify, g.Sign(g.IDToken(idp.Alice, googleClient).With("iss", issuer)), noGroups)
	}
	for name, c := range map[string]struct {
		token, why string
		kind       porterhouse.Kind
	}{
		"of another site":     {token: g.Access(idp.Alice, "evil.apps.googleusercontent.com"), why: "none of client_ids"},
		"unknown":             {token: "ya29.unknown", why: "tokeninfo refuses"},
		"line break":          {token: "ya29.un\r\nknown", why: "characters that no token has"},
		"without e-mail":      {token: g.Access(idp.Alice, googleClient, "openid"), why: "no name"},
		"unverified":          {token: g.Access(private, googleClient), why: "email_verified", kind: porterhouse.Refused},
		"ID token for others": {token: g.Sign(g.IDToken(idp.Alice, "evil")), why: "evil"},
	} {
		_, err := verify(t.Context(), c.token)
		if c.kind == "" {
			c.kind = porterhouse.Unauthenticated
		}
		if wantError(t, err, c.kind, c.why, c.token); t.Failed() {
			t.Fatal(name)
		}
	}
}

// An address is quoted in the query for its groups.
func TestGoogleQuotes(t *testing.T) {
	odd := idp.Person{Subject: "1112606", Name: "carol", Email: `o'hara\x@example.com`}
	g := idp.StartGoogle(t, idp.Options{People: []idp.Person{odd}})
	verify := processorOf(t, on(idp.StartInternet(t, g)), Settings{Type: "google", ClientIDs: []string{googleClient}})
	g.Answer(`/v1/groups/-/memberships:searchDirectGroups`, func(w http.ResponseWriter, r *http.Request) {
		if want := `member_key_id == 'o\'hara\\x@example.com'`; r.FormValue("query") != want {
			t.Errorf("query is %s, want %s", r.FormValue("query"), want)
		}
		_, _ = w.Write([]byte(`{}`)) // Google leaves empty lists out
	})
	wantPerson(t, verify, g.Access(odd, googleClient), porterhouse.Principal{
		Issuer: "https://accounts.google.com", Subject: "1112606", User: odd.Email, Client: googleClient, Groups: []string{},
	})
}

func TestGoogleDomainsAndPages(t *testing.T) {
	crowded := idp.Person{Subject: "1112606", Name: "carol", Email: "carol@example.com", Groups: []string{"a", "b", "c", "d", "e"}}
	outside := idp.Person{Subject: "1112607", Name: "dave", Email: "dave@gmail.com"}
	g := idp.StartGoogle(t, idp.Options{People: []idp.Person{crowded, outside}})
	n := idp.StartInternet(t, g)
	s := Settings{Type: "google", ClientIDs: []string{googleClient}, AllowedDomains: []string{"example.com"}}
	verify := processorOf(t, on(n), s)
	wantPerson(t, verify, g.Access(crowded, googleClient), porterhouse.Principal{
		Issuer: "https://accounts.google.com", Subject: "1112606", User: crowded.Email, Client: googleClient, Groups: crowded.Groups,
	})
	_, err := verify(t.Context(), g.Access(outside, googleClient))
	wantError(t, err, porterhouse.Refused, "allowed_domains", "")
	_, err = verify(t.Context(), g.Sign(g.IDToken(crowded, googleClient)))
	wantError(t, err, porterhouse.Unauthenticated, "ID token", "")

	s.GroupLimit = 2
	asked := g.Asked("/v1/groups/-/memberships:searchDirectGroups")
	wantPerson(t, processorOf(t, on(n), s), g.Access(crowded, googleClient), porterhouse.Principal{
		Issuer: "https://accounts.google.com", Subject: "1112606", User: crowded.Email, Client: googleClient, Groups: crowded.Groups[:2],
	})
	if n := g.Asked("/v1/groups/-/memberships:searchDirectGroups") - asked; n != 2 {
		t.Errorf("%d pages were asked for, want 2: one that is full and one that shows that there are more", n)
	}
}

func TestGoogleAway(t *testing.T) {
	g := idp.StartGoogle(t, idp.Options{})
	n := idp.StartInternet(t, g)
	verify := processorOf(t, on(n), Settings{Type: "google", ClientIDs: []string{googleClient}})
	token := g.Access(idp.Alice, googleClient)
	for _, path := range []string{"/tokeninfo", "/v1/userinfo", "/v1/groups/-/memberships:searchDirectGroups"} {
		g := idp.StartGoogle(t, idp.Options{})
		verify := processorOf(t, on(idp.StartInternet(t, g)), Settings{Type: "google", ClientIDs: []string{googleClient}})
		g.AnswerJSON(path, http.StatusServiceUnavailable, idp.Claims{"error": "backendError"})
		token := g.Access(idp.Alice, googleClient)
		_, err := verify(t.Context(), token)
		wantError(t, err, porterhouse.Unavailable, "503", token)
	}
	g.Down()
	_, err := verify(t.Context(), token)
	wantError(t, err, porterhouse.Unavailable, "oauth2.googleapis.com/tokeninfo", token)
	g.Up()
	if _, err := verify(t.Context(), token); err != nil {
		t.Errorf("when Google is back: %v", err)
	}
}

func TestGoogleNeedsClientIDs(t *testing.T) {
	p, err := NewProviders(ProvidersConfig{Outbound: outbound(t, nil, OutboundConfig{})})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Settings{{Type: "google"}, {Type: "google", AllowAnyAudience: true}} {
		if _, err := newGoogle(s, Resource{}, p); err == nil {
			t.Errorf("accepted without client_ids: %+v", s)
		}
	}
}
