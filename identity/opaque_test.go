package identity

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

// door is the resource of these tests.
var door = Resource{Door: "mcp", Cluster: "main", Audiences: []string{"https://mcp.example.com"}}

// processorOf is the one processor that s describes, at that door.
func processorOf(t testing.TB, c OutboundConfig, s Settings) Processor {
	t.Helper()
	if s.Name == "" {
		s.Name = "test"
	}
	p, err := NewProviders(ProvidersConfig{Outbound: outbound(t, nil, c)})
	if err != nil {
		t.Fatal(err)
	}
	processors, err := NewProcessors([]Settings{s}, door, p)
	if err != nil {
		t.Fatal(err)
	}
	return processors[0]
}

// on is how the stand-ins of n are reached.
func on(n *idp.Internet) OutboundConfig { return OutboundConfig{Proxy: n.Proxy, CAFile: n.CAFile} }

// wantError checks the kind of err, that its private half says why, and that the
// token is nowhere in it.
func wantError(t testing.TB, err error, kind porterhouse.Kind, why, token string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %s: %s", kind, why)
	}
	if got, _ := porterhouse.Explain(err); got != kind || !strings.Contains(err.Error(), why) {
		t.Errorf("error is %q, want %s: %s", err, kind, why)
	}
	if token != "" && strings.Contains(err.Error(), token) {
		t.Errorf("the token is in the error %q", err)
	}
}

// wantPerson checks whom a token proves.
func wantPerson(t testing.TB, verify Processor, token string, want porterhouse.Principal) {
	t.Helper()
	who, err := verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if who.Issuer != want.Issuer || who.Subject != want.Subject || who.User != want.User || who.Client != want.Client || !slices.Equal(who.Groups, want.Groups) {
		t.Errorf("proves %+v, want %+v", who, want)
	}
	if (who.Groups == nil) != (want.Groups == nil) {
		t.Errorf("groups are %#v, want %#v", who.Groups, want.Groups)
	}
	if who.Token.Reveal() != token || who.Proof == "" || who.Issued.IsZero() {
		t.Errorf("the principal is not complete: %+v", who)
	}
}

// opaqueSettings are of a client of the issuer.
func opaqueSettings(i *idp.Issuer) Settings {
	return Settings{
		Type: "openid", ConfigurationEndpoint: i.URL + "/.well-known/openid-configuration",
		IntrospectionClientID: idp.App.ID, IntrospectionClientSecret: porterhouse.NewSecret(idp.App.Secret),
	}
}

func TestIntrospection(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	verify := processorOf(t, OutboundConfig{}, opaqueSettings(i))
	sound := i.Claims(idp.Alice, door.Audiences[0])
	token := i.Opaque(sound)
	alice := porterhouse.Principal{Issuer: i.URL, Subject: "u-1001", User: "u-1001", Client: "porterhouse", Groups: idp.Alice.Groups}
	wantPerson(t, verify, token, alice)
	wantPerson(t, verify, token, alice)
	if n := i.Asked("/introspect"); n != 1 {
		t.Errorf("introspection was asked %d times", n)
	}
	for name, c := range map[string]struct {
		claims idp.Claims
		why    string
	}{
		"for another door": {sound.With("aud", "https://other.example.com"), "it is for"},
		"for nobody":       {sound.With("aud", nil), "does not say for whom"},
		"expired":          {sound.With("exp", time.Now().Add(-time.Hour).Unix()), "not active"},
		"of nobody":        {sound.With("sub", nil), "userinfo is about"},
		"other issuer":     {sound.With("iss", "https://evil.example.com"), "issuer"},
	} {
		token := i.Opaque(c.claims)
		_, err := verify(t.Context(), token)
		if wantError(t, err, porterhouse.Unauthenticated, c.why, token); t.Failed() {
			t.Fatal(name)
		}
	}
}

// What introspection does not tell, userinfo does: of the same person only.
func TestIntrospectionAndUserinfo(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	verify := processorOf(t, OutboundConfig{}, opaqueSettings(i))
	bare := i.Claims(idp.Alice, door.Audiences[0]).With("groups", nil)
	i.AnswerJSON("/userinfo", http.StatusOK, idp.Claims{"sub": "u-1001", "groups": "staff", "aud": "x", "exp": 1, "client_id": "evil"})
	wantPerson(t, verify, i.Opaque(bare), porterhouse.Principal{Issuer: i.URL, Subject: "u-1001", User: "u-1001", Client: "porterhouse", Groups: []string{"staff"}})

	i.AnswerJSON("/userinfo", http.StatusOK, idp.Claims{"sub": "u-1002", "groups": "staff"})
	token := i.Opaque(bare)
	_, err := verify(t.Context(), token)
	wantError(t, err, porterhouse.Unauthenticated, "userinfo is about", token)

	// For whom a token is, userinfo has no say in.
	i.AnswerJSON("/userinfo", http.StatusOK, idp.Claims{"sub": "u-1001", "groups": "staff", "aud": door.Audiences[0]})
	token = i.Opaque(bare.With("aud", nil))
	_, err = verify(t.Context(), token)
	wantError(t, err, porterhouse.Unauthenticated, "does not say for whom", token)

	// A program's token: alive, and userinfo knows nobody.
	i.AnswerJSON("/userinfo", http.StatusForbidden, idp.Claims{"error": "insufficient_scope"})
	wantPerson(t, verify, i.Opaque(bare.With("sub", "robot")), porterhouse.Principal{Issuer: i.URL, Subject: "robot", User: "robot", Client: "porterhouse"})
}

// Userinfo alone cannot say for whom a token is.
func TestUserinfoAlone(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	s := opaqueSettings(i)
	s.IntrospectionClientID, s.IntrospectionClientSecret = "", porterhouse.Secret{}
	token := i.Opaque(i.Claims(idp.Alice, door.Audiences[0]))
	if _, err := processorOf(t, OutboundConfig{}, s)(t.Context(), token); !errors.Is(err, ErrNotMine) || i.Asked("/userinfo") != 0 {
		t.Errorf("without allow_any_audience: %v, userinfo was asked %d times", err, i.Asked("/userinfo"))
	}
	s.AllowAnyAudience = true
	verify := processorOf(t, OutboundConfig{}, s)
	wantPerson(t, verify, token, porterhouse.Principal{Issuer: i.URL, Subject: "u-1001", User: "u-1001", Groups: idp.Alice.Groups})
	_, err := verify(t.Context(), "unknown")
	wantError(t, err, porterhouse.Unauthenticated, "userinfo refuses", "unknown")
}

// A provider that is away, or talks nonsense, proves nothing and refutes nothing.
func TestProviderAway(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	verify := processorOf(t, OutboundConfig{}, opaqueSettings(i))
	token := i.Opaque(i.Claims(idp.Alice, door.Audiences[0]))
	if _, err := verify(t.Context(), i.Opaque(i.Claims(idp.Bob, door.Audiences[0]))); err != nil {
		t.Fatal(err) // the discovery document is known now
	}
	for name, answer := range map[string]string{
		"active is a text":          `{"active":"true","sub":"u-1001"}`,
		"active is a number":        `{"active":1}`,
		"active is missing":         `{"sub":"u-1001"}`,
		"active is null":            `{"active":null}`,
		"active twice":              `{"active":false,"active":true,"sub":"u-1001"}`,
		"an array":                  `[{"active":true}]`,
		"HTML":                      `<html>` + token,
		"nothing":                   ``,
		"cut off":                   `{"active":true,`,
		"something after":           `{"active":true}{"active":false}`,
		"echo of the token":         token,
		"a key that is there twice": `{"` + token + `":1,"` + token + `":1}`,
	} {
		i.Answer("/introspect", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		_, err := verify(t.Context(), token)
		if wantError(t, err, porterhouse.Unavailable, "introspection", token); t.Failed() {
			t.Fatal(name)
		}
	}
	for _, status := range []int{302, 401, 403, 404, 429, 500, 502, 503} {
		i.Answer("/introspect", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", i.URL+"/userinfo?"+token)
			w.WriteHeader(status)
		})
		_, err := verify(t.Context(), token)
		wantError(t, err, porterhouse.Unavailable, "introspection", token)
	}
	i.Down()
	_, err := verify(t.Context(), token)
	wantError(t, err, porterhouse.Unavailable, "hung up", token)
}

// A secret that a provider wants in the form, and one with characters of its own.
func TestIntrospectionClient(t *testing.T) {
	odd := idp.Client{ID: "a:b c", Secret: "p+q%:/é"}
	i := idp.StartIssuer(t, idp.Options{Clients: []idp.Client{odd}})
	s := opaqueSettings(i)
	s.IntrospectionClientID, s.IntrospectionClientSecret = odd.ID, porterhouse.NewSecret(odd.Secret)
	token := i.Opaque(i.Claims(idp.Alice, door.Audiences[0]))
	if _, err := processorOf(t, OutboundConfig{}, s)(t.Context(), token); err != nil {
		t.Errorf("in the header: %v", err)
	}
	i.Answer("/introspect", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.PostFormValue("client_id") != odd.ID || r.PostFormValue("client_secret") != odd.Secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"active":true,"sub":"u-1001","groups":[],"client_id":"x","aud":"https://mcp.example.com"}`)
	})
	if _, err := processorOf(t, OutboundConfig{}, s)(t.Context(), token); err != nil {
		t.Errorf("in the form: %v", err)
	}
	asked := i.Asked("/introspect")
	i.AnswerJSON("/.well-known/openid-configuration", http.StatusOK, i.Discovery().With("introspection_endpoint_auth_methods_supported", []string{"client_secret_post"}))
	if _, err := processorOf(t, OutboundConfig{}, s)(t.Context(), token); err != nil || i.Asked("/introspect") != asked+1 {
		t.Errorf("in the form, as the provider says: %v, asked %d times", err, i.Asked("/introspect")-asked)
	}
	s.IntrospectionClientSecret = porterhouse.NewSecret("wrong-secret")
	_, err := processorOf(t, OutboundConfig{}, s)(t.Context(), token)
	wantError(t, err, porterhouse.Unavailable, "refuses our own client id", "wrong-secret")
}

// A thousand callers with one token make one request; a provider that holds its
// answers back stalls nobody of another one.
func TestCrowdAtTheProvider(t *testing.T) {
	slow, quick := idp.StartIssuer(t, idp.Options{}), idp.StartIssuer(t, idp.Options{})
	one, two := opaqueSettings(slow), opaqueSettings(quick)
	verify, other := processorOf(t, OutboundConfig{Timeout: time.Hour}, one), processorOf(t, OutboundConfig{}, two)
	if _, err := verify(t.Context(), "unknown"); err == nil {
		t.Fatal("an unknown token is accepted")
	}
	token := slow.Opaque(slow.Claims(idp.Alice, door.Audiences[0]))
	asked := slow.Asked("/introspect")
	slow.Hold()
	var callers sync.WaitGroup
	for range 1000 {
		callers.Go(func() {
			if _, err := verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	for slow.Asked("/introspect") == asked {
		time.Sleep(time.Millisecond)
	}
	if _, err := other(t.Context(), quick.Opaque(quick.Claims(idp.Bob, door.Audiences[0]))); err != nil {
		t.Errorf("the other provider: %v", err)
	}
	slow.Release()
	callers.Wait()
	if n := slow.Asked("/introspect") - asked; n != 1 {
		t.Errorf("a thousand callers made %d requests", n)
	}
}
