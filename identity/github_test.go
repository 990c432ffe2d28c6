package identity

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

func githubSettings() Settings {
	return Settings{Type: "github", ClientIDs: []string{idp.App.ID}, ClientSecret: porterhouse.NewSecret(idp.App.Secret)}
}

func TestGitHub(t *testing.T) {
	g := idp.StartGitHub(t, idp.Options{})
	n := idp.StartInternet(t, g)
	octo := porterhouse.Principal{Issuer: "https://github.com", Subject: "583231", User: "octo", Client: idp.App.ID, Groups: []string{"acme", "acme:analysts", "acme:staff"}}
	verify := processorOf(t, on(n), githubSettings())
	wantPerson(t, verify, g.Access(idp.Octo, idp.App.ID), octo)

	noGroups := octo
	noGroups.Groups = nil
	wantPerson(t, verify, g.Access(idp.Octo, idp.App.ID, "read:user"), noGroups)

	byMail := githubSettings()
	byMail.UsernameClaim = "email"
	octo.User = "octo@example.com"
	wantPerson(t, processorOf(t, on(n), byMail), g.Access(idp.Octo, idp.App.ID), octo)

	revoked := g.Access(idp.Octo, idp.App.ID)
	g.Revoke(revoked)
	for token, why := range map[string]string{
		g.Access(idp.Octo, "another application"): "no such token of the application",
		revoked:             "no such token of the application",
		"gho_unknown":       "no such token of the application",
		"ghs_installation":  "installation",
		"ghr_refresh":       "refresh token",
		"ghp_personal":      "personal access token",
		"github_pat_11A":    "personal access token",
		"gho_line\r\nbreak": "characters that no token has",
	} {
		_, err := verify(t.Context(), token)
		wantError(t, err, porterhouse.Unauthenticated, why, strings.TrimPrefix(token, "gho_"))
	}
}

// An Enterprise Server, whose tokens of any application are let in.
func TestGitHubEnterprise(t *testing.T) {
	g := idp.StartGitHub(t, idp.Options{})
	s := Settings{Type: "github", BaseURL: g.URL + "/", AllowAnyAudience: true, RequiredScopes: []string{"read:user"}}
	verify := processorOf(t, OutboundConfig{}, s)
	wantPerson(t, verify, g.Access(idp.Octo, "any"), porterhouse.Principal{Issuer: g.URL, Subject: "583231", User: "octo", Groups: idp.Octo.Groups})
	if g.Asked("/api/v3/user") != 1 || g.Asked("/applications/any/token") != 0 {
		t.Error("the API was not asked at /api/v3, or the application was")
	}
	_, err := verify(t.Context(), g.Access(idp.Octo, "any", "user:email"))
	wantError(t, err, porterhouse.Refused, "read:user", "")
	_, err = verify(t.Context(), "gho_unknown")
	wantError(t, err, porterhouse.Unauthenticated, "status 401", "gho_unknown")
}

func TestGitHubOrganization(t *testing.T) {
	other := idp.Person{Subject: "7", Name: "mallory", Email: "m@example.com", Groups: []string{"acme2", "acme2:analysts"}}
	both := idp.Person{Subject: "8", Name: "eve", Email: "eve@example.com", Groups: []string{"ACME", "evil", "ACME:staff", "evil:admins"}}
	g := idp.StartGitHub(t, idp.Options{People: []idp.Person{other, both}})
	s := githubSettings()
	s.Organization = "acme"
	verify := processorOf(t, on(idp.StartInternet(t, g)), s)
	_, err := verify(t.Context(), g.Access(other, idp.App.ID))
	wantError(t, err, porterhouse.Refused, "not in the organization", "")
	_, err = verify(t.Context(), g.Access(both, idp.App.ID, "read:user"))
	wantError(t, err, porterhouse.Refused, "not in the organization", "")
	wantPerson(t, verify, g.Access(both, idp.App.ID), porterhouse.Principal{Issuer: "https://github.com", Subject: "8", User: "eve", Client: idp.App.ID, Groups: []string{"ACME", "ACME:staff"}})
}

func TestGitHubUnverifiedEmail(t *testing.T) {
	anon := idp.Person{Subject: "9", Name: "anon", Email: "ceo@example.com", Unverified: true}
	g := idp.StartGitHub(t, idp.Options{People: []idp.Person{anon}})
	n := idp.StartInternet(t, g)
	for _, change := range []func(*Settings){
		func(s *Settings) { s.UsernameClaim = "email" },
		func(s *Settings) { s.EmailVerified = true },
		func(s *Settings) { s.AllowedDomains = []string{"example.com"} },
	} {
		s := githubSettings()
		change(&s)
		_, err := processorOf(t, on(n), s)(t.Context(), g.Access(anon, idp.App.ID))
		wantError(t, err, porterhouse.Refused, "", "")
	}
}

// The wire can say anything: too often asked, pages elsewhere or without end, an
// account that is no person, an end that has passed.
func TestGitHubAnswers(t *testing.T) {
	check := func(more idp.Claims) idp.Claims {
		answer := idp.Claims{"app": idp.Claims{"client_id": idp.App.ID}, "scopes": []string{"read:org"}}
		for name, value := range more {
			answer = answer.With(name, value)
		}
		return answer
	}
	user := idp.Claims{"login": "octo", "id": 583231, "type": "User"}
	for name, c := range map[string]struct {
		path   string
		status int
		body   any
		header http.Header
		kind   porterhouse.Kind
		why    string
	}{
		"other application":    {path: "/applications/porterhouse/token", body: idp.Claims{"app": idp.Claims{"client_id": "evil"}}, kind: porterhouse.Unauthenticated, why: "another application"},
		"no application":       {path: "/applications/porterhouse/token", body: idp.Claims{}, kind: porterhouse.Unauthenticated, why: "another application"},
		"wrong credentials":    {path: "/applications/porterhouse/token", status: 401, kind: porterhouse.Unavailable, why: "status 401"},
		"ended":                {path: "/applications/porterhouse/token", body: check(idp.Claims{"expires_at": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}), kind: porterhouse.Unauthenticated, why: "expired"},
		"odd end":              {path: "/applications/porterhouse/token", body: check(idp.Claims{"expires_at": "soon"}), kind: porterhouse.Unavailable, why: "expires_at"},
		"end is a number":      {path: "/applications/porterhouse/token", body: check(idp.Claims{"expires_at": 5}), kind: porterhouse.Unavailable, why: "expires_at"},
		"limited":              {path: "/user", status: 403, header: http.Header{"X-Ratelimit-Remaining": {"0"}}, body: idp.Claims{"message": "rate limit"}, kind: porterhouse.Unavailable, why: "status 403"},
		"limited, orgs":        {path: "/user/orgs", status: 403, header: http.Header{"Retry-After": {"60"}}, kind: porterhouse.Unavailable, why: "status 403"},
		"too many, teams":      {path: "/user/teams", status: 429, kind: porterhouse.Unavailable, why: "status 429"},
		"a program":            {path: "/user", body: user.With("type", "Bot"), kind: porterhouse.Unauthenticated, why: "not of a person"},
		"no id":                {path: "/user", body: user.With("id", nil), kind: porterhouse.Unavailable, why: "no id"},
		"id is a text":         {path: "/user", body: user.With("id", "583231"), kind: porterhouse.Unavailable, why: "no id"},
		"id is no whole":       {path: "/user", body: user.With("id", 1.5), kind: porterhouse.Unavailable, why: "no id"},
		"no list":              {path: "/user/orgs", body: idp.Claims{}, kind: porterhouse.Unavailable, why: "no JSON array"},
		"list of texts":        {path: "/user/orgs", body: []string{"acme"}, kind: porterhouse.Unavailable, why: "not an object"},
		"next page elsewhere":  {path: "/user/orgs", body: []string{}, header: http.Header{"Link": {`<https://evil.example.com/user/orgs?page=2>; rel="next"`}}, kind: porterhouse.Unavailable, why: "the next page"},
		"next page of another": {path: "/user/orgs", body: []string{}, header: http.Header{"Link": {`<https://api.github.com/other>; rel="next"`}}, kind: porterhouse.Unavailable, why: "the next page"},
	} {
		t.Run(name, func(t *testing.T) {
			g := idp.StartGitHub(t, idp.Options{})
			g.Answer(c.path, func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range c.header {
					w.Header()[name] = values
				}
				answerJSON(t, w, max(c.status, 200), c.body)
			})
			token := g.Access(idp.Octo, idp.App.ID)
			_, err := processorOf(t, on(idp.StartInternet(t, g)), githubSettings())(t.Context(), token)
			wantError(t, err, c.kind, c.why, token)
		})
	}
}

func TestGitHubPagesEnd(t *testing.T) {
	g := idp.StartGitHub(t, idp.Options{})
	g.Answer("/user/teams", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `<https://api.github.com/user/teams?page=2>; rel="next"`)
		answerJSON(t, w, http.StatusOK, []string{})
	})
	if _, err := processorOf(t, on(idp.StartInternet(t, g)), githubSettings())(t.Context(), g.Access(idp.Octo, idp.App.ID)); err != nil {
		t.Fatal(err)
	}
	if n := g.Asked("/user/teams"); n != maxPages {
		t.Errorf("%d pages were asked for, want %d", n, maxPages)
	}
}

func TestGitHubAPI(t *testing.T) {
	for base, want := range map[string]string{
		"": "https://api.github.com", "https://github.com/": "https://api.github.com", "https://acme.ghe.com": "https://api.acme.ghe.com",
		"https://github.example.com": "https://github.example.com/api/v3", "https://github.example.com/x": "", "github.example.com": "",
	} {
		if api, err := githubAPI(base); api != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", base, api, err, want)
		}
	}
}
