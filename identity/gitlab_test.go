package identity

import (
	"encoding/json"
	"net/http"
	"testing"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

// answerJSON writes a JSON answer.
func answerJSON(t *testing.T, w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		t.Error(err)
	}
}

func TestGitLab(t *testing.T) {
	member := idp.Person{Subject: "42", Name: "carol", Email: "carol@example.com", Groups: []string{"acme", "acme/data", "acme2", "evil/acme"}}
	outside := idp.Person{Subject: "43", Name: "mallory", Groups: []string{"acme2"}}
	g := idp.StartGitLab(t, idp.Options{People: []idp.Person{outside, member}})
	s := Settings{Type: "gitlab", BaseURL: g.URL, ClientIDs: []string{"app"}}
	verify := processorOf(t, OutboundConfig{}, s)
	carol := porterhouse.Principal{Issuer: g.URL, Subject: "42", User: "carol", Client: "app", Groups: member.Groups}
	wantPerson(t, verify, g.Access(member, "app"), carol)
	for token, why := range map[string]string{
		g.Access(member, "another"):      "another",
		"unknown":                        "refuses the token",
		"glpat-personal":                 "personal access token",
		"non-ascii-é":                    "characters that no token has",
		g.Sign(g.IDToken(member, "app")): "ID token",
	} {
		_, err := verify(t.Context(), token)
		wantError(t, err, porterhouse.Unauthenticated, why, token)
	}
	s.Organization = "acme"
	carol.Groups = []string{"acme", "acme/data"}
	verify = processorOf(t, OutboundConfig{}, s)
	wantPerson(t, verify, g.Access(member, "app"), carol)
	_, err := verify(t.Context(), g.Access(outside, "app"))
	wantError(t, err, porterhouse.Refused, "not in the group", "")

	s.GroupsClaim = "all" // not GitLab's, and not to be trusted with other groups either
	g.Answer("/oauth/userinfo", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(t, w, http.StatusOK, idp.Claims{"sub": "42", "preferred_username": "carol", "groups": []string{"acme"}, "all": member.Groups})
	})
	wantPerson(t, processorOf(t, OutboundConfig{}, s), g.Access(member, "app"), carol)
}

func TestGitLabAnswers(t *testing.T) {
	info := idp.Claims{"resource_owner_id": 42, "scope": []string{"openid"}, "expires_in": 60, "application": idp.Claims{"uid": "app"}}
	for name, c := range map[string]struct {
		info idp.Claims
		kind porterhouse.Kind
		why  string
	}{
		"other person":   {info.With("resource_owner_id", 43), porterhouse.Unauthenticated, "userinfo is about"},
		"no application": {info.With("application", nil), porterhouse.Unauthenticated, "names no client"},
		"ended":          {info.With("expires_in", -3600), porterhouse.Unauthenticated, "expired"},
		"odd end":        {info.With("expires_in", 1.5), porterhouse.Unavailable, "expires_in"},
		"sound":          {info, "", ""},
		"endless":        {info.With("expires_in", nil), "", ""},
	} {
		g := idp.StartGitLab(t, idp.Options{})
		g.AnswerJSON("/oauth/token/info", http.StatusOK, c.info)
		g.AnswerJSON("/oauth/userinfo", http.StatusOK, idp.Claims{"sub": "42", "preferred_username": "carol"})
		_, err := processorOf(t, OutboundConfig{}, Settings{Type: "gitlab", BaseURL: g.URL, ClientIDs: []string{"app"}})(t.Context(), "token-of-carol")
		if c.kind == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if c.kind != "" {
			wantError(t, err, c.kind, c.why, "token-of-carol")
		}
	}
}
