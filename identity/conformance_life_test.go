package identity_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// eachKind runs a test on every kind whose provider is asked for something.
func eachKind(t *testing.T, test func(*testing.T, *house)) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(name, func(t *testing.T) {
			if h := kinds[name](t); h.wire != nil {
				test(t, h)
			}
		})
	}
}

func mustProve(t *testing.T, v *identity.Verifier, token string) porterhouse.Principal {
	t.Helper()
	who, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// While a provider is away, those who are known go on until their verdict ends;
// nobody else is let in, and everybody is told to come back. When it is back, all is
// well.
func TestOutage(t *testing.T) {
	eachKind(t, func(t *testing.T, h *house) {
		known, other := h.good(), h.good()
		v, late := h.verifier(t), h.verifier(t)
		mustProve(t, v, known)

		h.wire.Down()
		mustProve(t, v, known)
		refused(t, late, known, porterhouse.Unavailable)
		if h.fits { // the keys are known
			mustProve(t, v, other)
		} else {
			refused(t, v, other, porterhouse.Unavailable)
			h.clock.pass(61 * time.Second) // the verdict has ended
			refused(t, v, known, porterhouse.Unavailable)
		}

		h.wire.Up()
		h.clock.pass(11 * time.Second)
		for _, token := range []string{known, other} {
			mustProve(t, v, token)
			mustProve(t, late, token)
		}
	})
}

func refused(t *testing.T, v *identity.Verifier, token string, want porterhouse.Kind) {
	t.Helper()
	who, err := v.Verify(t.Context(), token)
	wantRefusal(t, who, err, want, token)
}

// A provider takes a new key and drops the old one: new tokens pass, and old ones
// pass no longer than keys are kept.
func TestRotation(t *testing.T) {
	eachKind(t, func(t *testing.T, h *house) {
		if h.rotate == nil {
			return
		}
		v := h.verifier(t)
		mustProve(t, v, h.good())
		early, before := h.good(), h.good()
		h.rotate()
		h.clock.pass(11 * time.Second)
		mustProve(t, v, h.good())
		refused(t, v, before, porterhouse.Unauthenticated)

		h.wire.Down() // and the new key is kept through an outage
		h.clock.pass(11 * time.Second)
		mustProve(t, v, h.good())
		if err := errorOf(v.Verify(t.Context(), early)); err == nil {
			t.Error("a token of the dropped key passes in an outage")
		}
	})
}

func errorOf(_ porterhouse.Principal, err error) error { return err }

// Many who come at once with one token cost the provider what one does.
func TestFlightsAreShared(t *testing.T) {
	eachKind(t, func(t *testing.T, h *house) {
		before := h.wire.Asked("")
		mustProve(t, h.verifier(t), h.good())
		alone := h.wire.Asked("") - before

		v, token := h.verifier(t), h.good()
		before = h.wire.Asked("")
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := v.Verify(t.Context(), token); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if together := h.wire.Asked("") - before; together > alone {
			t.Errorf("50 at once cost %d requests, and one alone %d", together, alone)
		}
	})
}

// A verdict is one processor's, for one resource: neither a good one nor a bad one
// counts anywhere else.
func TestVerdictsAreNotShared(t *testing.T) {
	elsewhere := identity.Resource{Door: "http", Cluster: "other", Audiences: []string{"https://elsewhere.example.com"}}
	eachKind(t, func(t *testing.T, h *house) {
		for _, goodFirst := range []bool{true, false} {
			p, token := h.providers(t), h.good()
			here := h.verifierOf(t, p, door)
			strict := h.verifierOf(t, p, door, func(s *identity.Settings) { s.AllowedGroups = []string{"directors"} })
			there := h.verifierOf(t, p, elsewhere)
			if goodFirst {
				mustProve(t, here, token)
			}
			refused(t, strict, token, porterhouse.Refused)
			if h.tell("aud") && h.settings.ExpectedAudience == nil {
				refused(t, there, token, porterhouse.Unauthenticated)
			}
			mustProve(t, here, token)
		}
	})
}

// A token of one kind proves nobody to a processor of another; and where its
// issuer is known, it is passed on to whoever comes next.
func TestOthersTokens(t *testing.T) {
	houses := map[string]*house{}
	for name, start := range kinds {
		houses[name] = start(t)
	}
	for mine, h := range houses {
		process := h.processors(t, h.providers(t), door)[0]
		for theirs, other := range houses {
			if other.issuer == h.issuer {
				continue
			}
			t.Run(fmt.Sprintf("%s at %s", theirs, mine), func(t *testing.T) {
				token := other.good()
				who, err := process(t.Context(), token)
				if err == nil {
					t.Fatalf("proves %+v", who)
				}
				if other.fits && !errors.Is(err, identity.ErrNotMine) {
					t.Errorf("not passed on: %v", err)
				}
			})
		}
	}
}

// All processors together: each token finds its own, in whatever order they stand.
func TestProcessorsTogether(t *testing.T) {
	h, i := signing(t, identity.Settings{})
	second, j := signing(t, identity.Settings{})
	j.Rotate(t, "ES256") // to a key of its own
	h.outbound.AllowHosts = append(h.outbound.AllowHosts, second.outbound.AllowHosts...)
	p := h.providers(t)
	all := []identity.Settings{
		{Name: "asking", Type: "openid", ExpectedIssuer: j.Name, TokenIntrospectionEndpoint: j.URL + "/introspect", JWKSURI: j.URL + "/jwks",
			IntrospectionClientID: idp.App.ID, IntrospectionClientSecret: porterhouse.NewSecret(idp.App.Secret)},
		{Name: "signed", Type: "jwt_dynamic_jwks", ExpectedIssuer: i.Name, JWKSURI: i.URL + "/jwks"},
	}
	for range 2 {
		slices.Reverse(all)
		processors, err := identity.NewProcessors(all, door, p)
		if err != nil {
			t.Fatal(err)
		}
		v, err := identity.New(identity.Config{Processors: processors})
		if err != nil {
			t.Fatal(err)
		}
		if who := mustProve(t, v, h.good()); who.Proof != "signed" || who.Issuer != i.Name {
			t.Errorf("proved by %q of %q", who.Proof, who.Issuer)
		}
		opaque := j.Opaque(j.Claims(idp.Alice, door.Audiences[0]))
		who := mustProve(t, v, opaque)
		if who.Proof != "asking" || who.Issuer != j.Name {
			t.Errorf("proved by %q of %q", who.Proof, who.Issuer)
		}
		// The same subject at another issuer is another person.
		if same := mustProve(t, v, h.good()); same.Subject != who.Subject || same.Key() == who.Key() {
			t.Errorf("%q and %q are one person", same.Key(), who.Key())
		}
		// What one issuer's key signed in the name of the other is final: nobody else is asked.
		asked := j.Asked("/introspect")
		refused(t, v, i.Sign(j.Claims(idp.Alice, door.Audiences[0])), porterhouse.Unauthenticated)
		refused(t, v, j.Sign(i.Claims(idp.Alice, door.Audiences[0])), porterhouse.Unauthenticated)
		if n := j.Asked("/introspect") - asked; n != 0 {
			t.Errorf("%d forged tokens were sent to the provider", n)
		}
	}
}

// Real providers, which nobody of us wrote: JWTs and opaque tokens of oidc-provider,
// and dex.
func TestRealProviders(t *testing.T) {
	real := idp.StartOIDC(t, idp.Options{})
	dex := idp.StartDex(t, idp.Options{})
	h := &house{clock: newClock(), outbound: identity.OutboundConfig{AllowHosts: []string{"127.0.0.1"}}}
	processors, err := identity.NewProcessors([]identity.Settings{
		{Name: "oidc", Type: "openid", ConfigurationEndpoint: real.Issuer + "/.well-known/openid-configuration", ClientIDs: []string{client}, UsernameClaim: "email",
			IntrospectionClientID: idp.App.ID, IntrospectionClientSecret: porterhouse.NewSecret(idp.App.Secret)},
		// dex's access tokens cannot be told from its ID tokens: both have at_hash, and are for the client.
		{Name: "dex", Type: "openid", ConfigurationEndpoint: dex.Issuer + "/.well-known/openid-configuration", ClientIDs: []string{client}, AllowIDTokens: true, UsernameClaim: "email"},
	}, door, h.providers(t))
	if err != nil {
		t.Fatal(err)
	}
	v, err := identity.New(identity.Config{Processors: processors})
	if err != nil {
		t.Fatal(err)
	}
	jwt, opaque := real.SignIn(t, idp.App, idp.Alice, door.Audiences[0]), real.SignIn(t, idp.App, idp.Alice, "")
	for name, token := range map[string]string{"JWT": jwt.Access, "opaque": opaque.Access, "dex": dex.Password(t, idp.App, idp.Alice).Access} {
		who := mustProve(t, v, token)
		if who.User != idp.Alice.Email || !slices.Equal(who.Groups, idp.Alice.Groups) {
			t.Errorf("%s: %+v", name, who)
		}
	}
	for name, token := range map[string]string{
		"ID token": jwt.ID, "refresh token": opaque.Refresh, "another door's": real.SignIn(t, idp.App, idp.Bob, "https://elsewhere.example.com").Access,
		"a robot's without a name": real.Robot(t, idp.App, door.Audiences[0]).Access,
	} {
		if token != "" {
			t.Run(name, func(t *testing.T) { refused(t, v, token, porterhouse.Unauthenticated) })
		}
	}
	real.Rotate(t)
	h.clock.pass(11 * time.Second)
	mustProve(t, v, real.SignIn(t, idp.App, idp.Bob, door.Audiences[0]).Access)
}
