package identity

import (
	"net/http"
	"sync"
	"testing"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

// entraAPI is the application that the tokens are for, as a client of its own.
var entraAPI = idp.Client{ID: idp.API, Secret: "the secret of the API"}

func entraSettings() Settings {
	return Settings{
		Type: "entra", TenantID: idp.Tenant, ExpectedAudience: []string{idp.API, "api://porterhouse"},
		IntrospectionClientSecret: porterhouse.NewSecret(entraAPI.Secret),
	}
}

func TestEntra(t *testing.T) {
	e := idp.StartEntra(t, idp.Options{})
	n := idp.StartInternet(t, e)
	for _, name := range []string{"entra", "azure"} {
		s := entraSettings()
		s.Type = name
		verify := processorOf(t, on(n), s)
		alice := porterhouse.Principal{Issuer: idp.EntraV2, Subject: "u-1001@" + idp.Tenant, User: "alice@example.com", Client: "client", Groups: idp.Alice.Groups}
		wantPerson(t, verify, e.Sign(e.V2(idp.Alice, idp.API, "client")), alice)
		who, err := verify(t.Context(), e.Sign(e.V1(idp.Alice, "api://porterhouse", "client")))
		if err != nil || who.Subject != alice.Subject || who.User != alice.User || who.Client != "client" {
			t.Errorf("version 1: %+v, %v", who, err)
		}
	}
	sound := e.V2(idp.Alice, idp.API, "client")
	verify := processorOf(t, on(n), entraSettings())
	for name, c := range map[string]struct{ token, why string }{
		"other tenant":    {e.Sign(sound.With("tid", "11111111-1111-1111-1111-111111111111")), "tenant"},
		"no tenant":       {e.Sign(sound.With("tid", nil)), "tenant"},
		"other audience":  {e.Sign(sound.With("aud", "x")), "it is for"},
		"for Graph":       {e.GraphToken(idp.Alice, "client"), "Microsoft Graph"},
		"without oid":     {e.Sign(sound.With("oid", nil)), "oid and tid"},
		"Graph as target": {e.Sign(sound.With("aud", "https://graph.microsoft.com")), "Microsoft Graph"},
	} {
		_, err := verify(t.Context(), c.token)
		if wantError(t, err, porterhouse.Unauthenticated, c.why, c.token); t.Failed() {
			t.Fatal(name)
		}
	}
	if e.Asked("/v1.0/me/transitiveMemberOf") != 0 {
		t.Error("Graph was asked for groups that the tokens have")
	}
}

// People and programs of one tenant have a processor each, in whatever order; a
// person is never its client, and without a processor for them programs are nobody.
func TestEntraPrograms(t *testing.T) {
	e := idp.StartEntra(t, idp.Options{})
	p, err := NewProviders(ProvidersConfig{Outbound: outbound(t, nil, on(idp.StartInternet(t, e)))})
	if err != nil {
		t.Fatal(err)
	}
	people, programs := entraSettings(), entraSettings()
	people.Name, programs.Name = "people", "programs"
	programs.UsernameClaim, programs.GroupsClaim = "azp", "roles"
	sound := e.V2(idp.Alice, idp.API, "client")
	person := e.Sign(sound)
	program := e.Sign(sound.With("scp", nil).With("preferred_username", nil).With("roles", []string{"Reader"}).With("idtyp", "app"))
	robot := porterhouse.Principal{Issuer: idp.EntraV2, Subject: "u-1001@" + idp.Tenant, User: "client", Client: "client", Groups: []string{"Reader"}}
	alice := porterhouse.Principal{Issuer: idp.EntraV2, Subject: robot.Subject, User: "alice@example.com", Client: "client", Groups: idp.Alice.Groups}

	for _, both := range [][]Settings{{people, programs}, {programs, people}} {
		v := newTestVerifier(t, p, both...)
		wantPerson(t, v.Verify, person, alice)
		wantPerson(t, v.Verify, program, robot)
	}
	_, err = newTestVerifier(t, p, people).Verify(t.Context(), program)
	wantError(t, err, porterhouse.Unauthenticated, "not of a person", program)
	_, err = newTestVerifier(t, p, programs).Verify(t.Context(), person)
	wantError(t, err, porterhouse.Unauthenticated, "it is of a person", person)
	people.UsernameClaim = "oid"
	_, err = newTestVerifier(t, p, people).Verify(t.Context(), program)
	wantError(t, err, porterhouse.Unauthenticated, "not of a person", program)
}

// Many who come at once with a token that has too many groups cost Graph one question.
func TestEntraOverageIsAskedOnce(t *testing.T) {
	e := idp.StartEntra(t, idp.Options{Clients: []idp.Client{entraAPI}})
	p, err := NewProviders(ProvidersConfig{Outbound: outbound(t, nil, on(idp.StartInternet(t, e)))})
	if err != nil {
		t.Fatal(err)
	}
	s := entraSettings()
	s.Name = "entra"
	v, token := newTestVerifier(t, p, s), e.Sign(idp.Overage(e.V2(idp.Alice, idp.API, "client")))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if keys, lists := e.Asked("/"+idp.Tenant+"/oauth2/v2.0/token"), e.Asked("/v1.0/me/transitiveMemberOf"); keys != 1 || lists != 1 {
		t.Errorf("asked %d times for a token for Graph and %d times for groups", keys, lists)
	}
}

// A token that says that its person is in too many groups for a token.
func TestEntraOverage(t *testing.T) {
	many := idp.Person{Subject: "u-1003", Name: "carol", Email: "carol@example.com", Groups: []string{"g1", "g2", "g3", "g4", "g5"}}
	e := idp.StartEntra(t, idp.Options{People: []idp.Person{many}, Clients: []idp.Client{entraAPI}})
	n := idp.StartInternet(t, e)
	overage := idp.Overage(e.V2(many, idp.API, "client"))
	carol := porterhouse.Principal{Issuer: idp.EntraV2, Subject: "u-1003@" + idp.Tenant, User: many.Email, Client: "client", Groups: many.Groups}

	s := entraSettings()
	s.AllowedGroups = []string{"g5"}
	wantPerson(t, processorOf(t, on(n), s), e.Sign(overage), carol)
	wantPerson(t, processorOf(t, on(n), s), e.Sign(overage.With("_claim_names", nil).With("hasgroups", true)), carol)

	asked := e.Asked("/" + idp.Tenant + "/oauth2/v2.0/token")
	token := e.Sign(overage.With("aud", "x"))
	_, err := processorOf(t, on(n), s)(t.Context(), token)
	wantError(t, err, porterhouse.Unauthenticated, "it is for", token)
	if e.Asked("/"+idp.Tenant+"/oauth2/v2.0/token") != asked {
		t.Error("a token for others got as far as Graph")
	}

	s = entraSettings()
	s.GroupLimit = 3
	carol.Groups = many.Groups[:3]
	wantPerson(t, processorOf(t, on(n), s), e.Sign(overage), carol)

	s = entraSettings()
	s.IntrospectionClientSecret = porterhouse.Secret{}
	token = e.Sign(overage)
	_, err = processorOf(t, on(n), s)(t.Context(), token)
	wantError(t, err, porterhouse.Refused, "overage", token)

	s.GroupsClaim = "roles"
	carol.Groups = []string{"Reader"}
	wantPerson(t, processorOf(t, on(n), s), e.Sign(overage.With("roles", []string{"Reader"})), carol)

	s = entraSettings()
	s.IntrospectionClientSecret = porterhouse.NewSecret("wrong-secret")
	_, err = processorOf(t, on(n), s)(t.Context(), token)
	wantError(t, err, porterhouse.Unavailable, "AADSTS7000215", "wrong-secret")
}

func TestEntraGraphAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		status int
		body   any
		why    string
	}{
		"no token":       {"/" + idp.Tenant + "/oauth2/v2.0/token", 200, idp.Claims{"token_type": "Bearer"}, "no token for Graph"},
		"odd token":      {"/" + idp.Tenant + "/oauth2/v2.0/token", 200, idp.Claims{"access_token": "a\nb"}, "no token for Graph"},
		"forbidden":      {"/v1.0/me/transitiveMemberOf", 403, idp.Claims{}, "status 403"},
		"no list":        {"/v1.0/me/transitiveMemberOf", 200, idp.Claims{}, "no list of groups"},
		"list of texts":  {"/v1.0/me/transitiveMemberOf", 200, idp.Claims{"value": []string{"g"}}, "not an object"},
		"page elsewhere": {"/v1.0/me/transitiveMemberOf", 200, idp.Claims{"value": []string{}, "@odata.nextLink": "https://evil.example.com/v1.0/me/transitiveMemberOf"}, "the next page"},
	} {
		t.Run(name, func(t *testing.T) {
			e := idp.StartEntra(t, idp.Options{Clients: []idp.Client{entraAPI}})
			e.Answer(c.path, func(w http.ResponseWriter, _ *http.Request) { answerJSON(t, w, c.status, c.body) })
			token := e.Sign(idp.Overage(e.V2(idp.Alice, idp.API, "client")))
			_, err := processorOf(t, on(idp.StartInternet(t, e)), entraSettings())(t.Context(), token)
			wantError(t, err, porterhouse.Unavailable, c.why, token)
		})
	}
}

func TestEntraTenant(t *testing.T) {
	p, err := NewProviders(ProvidersConfig{Outbound: outbound(t, nil, OutboundConfig{})})
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"", "common", "organizations", "contoso.com", idp.Tenant + "/x", "x" + idp.Tenant} {
		s := entraSettings()
		s.Name, s.TenantID = "test", tenant
		if _, err := NewProcessors([]Settings{s}, door, p); err == nil {
			t.Errorf("the tenant %q is accepted", tenant)
		}
	}
}
