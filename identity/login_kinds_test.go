package identity_test

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// Each kind of provider at which people can sign in. The houses are those of kinds;
// here their providers learn what they say to who signs in.
var logins = map[string]func(*house){
	"openid JWT":           nil,
	"openid introspection": nil,
	"jwt_dynamic_jwks":     nil,
	"jwt_static_jwks":      nil,
	"jwt_static_key RS256": nil,
	"entra v2":             nil,
	"google access token":  nil,
	"github":               nil,
	"gitlab access token":  nil,
	// Roles stand in access tokens only, unless a mapper puts them elsewhere.
	"keycloak": func(h *house) {
		i := h.signer
		i.IDTokens = func(p idp.Person, c string) idp.Claims {
			return i.IDToken(p, c).With("typ", "ID").With("groups", nil)
		}
		i.AccessTokens = func(p idp.Person, c, _ string) string { return i.Sign(i.Keycloak(p, "account", c)) }
	},
	// An ID token has the id as sub, and of groups what its own claim tells: mostly nothing.
	"okta": func(h *house) {
		i := h.signer
		i.IDTokens = func(p idp.Person, c string) idp.Claims {
			return i.IDToken(p, c).With("preferred_username", p.Email).With("azp", nil).With("groups", nil)
		}
		i.AccessTokens = func(p idp.Person, c, _ string) string { return i.Sign(i.Okta(p, "api://default", c)) }
	},
	"auth0": func(h *house) {
		i := h.signer
		i.IDTokens = func(p idp.Person, c string) idp.Claims {
			return i.IDToken(p, c).With("sub", "auth0|"+p.Subject).With("groups", nil).With("https://acme.com/groups", p.Groups)
		}
	},
	"cognito": func(h *house) {
		i := h.signer
		i.IDTokens = i.CognitoID
		i.AccessTokens = func(p idp.Person, c, _ string) string { return i.Sign(i.Cognito(p, c)) }
		i.Offline = func(url.Values) bool { return true }
	},
}

// loginHouse starts a house where people sign in.
func loginHouse(t testing.TB, kind string) *house {
	t.Helper()
	h := kinds[kind](t)
	if prepare := logins[kind]; prepare != nil {
		prepare(h)
	}
	if h.signer != nil {
		h.signer.SignInAs(h.person)
	}
	return h
}

// party is us at the provider of h.
func (h *house) party(t testing.TB, changes ...func(*identity.Settings, *identity.ClientSettings)) *identity.RelyingParty {
	t.Helper()
	return h.partyOf(t, h.providers(t), changes...)
}

func (h *house) partyOf(t testing.TB, p *identity.Providers, changes ...func(*identity.Settings, *identity.ClientSettings)) *identity.RelyingParty {
	t.Helper()
	s, c := h.settings, identity.ClientSettings{ClientID: client, ClientSecret: porterhouse.NewSecret(idp.App.Secret)}
	if strings.HasPrefix(s.Type, "jwt_") {
		c.AuthorizationEndpoint, c.TokenEndpoint = h.signer.URL+"/authorize", h.signer.URL+"/token"
	}
	for _, change := range changes {
		change(&s, &c)
	}
	party, err := identity.NewRelyingParty(s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	return party
}

// newTrip is a visit that begins.
func newTrip() identity.Trip {
	return identity.Trip{State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), RedirectURI: idp.App.Redirect}
}

// visit sends the person of h to the provider and brings back a code.
func (h *house) visit(t testing.TB, r *identity.RelyingParty, trip identity.Trip) (code, iss string) {
	t.Helper()
	page, err := r.AuthorizationURL(t.Context(), trip)
	if err != nil {
		t.Fatal(err)
	}
	visit := idp.Visit
	if h.outbound.Proxy != "" {
		visit = (&idp.Internet{Proxy: h.outbound.Proxy, CAFile: h.outbound.CAFile}).Visit
	}
	back := visit(t, page, h.person).Query()
	if back.Get("state") != trip.State {
		t.Fatalf("the browser came back with %v", back)
	}
	return back.Get("code"), back.Get("iss")
}

// signIn signs the person of h in.
func (h *house) signIn(t testing.TB, r *identity.RelyingParty) (porterhouse.Principal, identity.Kept, error) {
	t.Helper()
	trip := newTrip()
	code, iss := h.visit(t, r, trip)
	return r.Redeem(t.Context(), trip, code, iss)
}

// mustSignIn wants that to succeed.
func (h *house) mustSignIn(t testing.TB, r *identity.RelyingParty) (porterhouse.Principal, identity.Kept) {
	t.Helper()
	who, kept, err := h.signIn(t, r)
	if err != nil {
		t.Fatal(err)
	}
	return who, kept
}

// gitHubHouse starts a house at GitHub, with its stand-in.
func gitHubHouse(t testing.TB) (*house, *idp.GitHub) {
	t.Helper()
	g := idp.StartGitHub(t, idp.Options{})
	h := &house{wire: g.Wire, clock: newClock(), person: idp.Octo, issuer: g.URL}
	h.settings = identity.Settings{Name: "the-processor", Type: "github", BaseURL: g.URL, ClientIDs: []string{client}, ClientSecret: porterhouse.NewSecret(idp.App.Secret)}
	h.outbound.AllowHosts = []string{strings.TrimPrefix(g.URL, "http://")}
	return h, g
}

// openIDHouse is the plainest house: an OpenID provider that tells all in its ID tokens.
func openIDHouse(t testing.TB) *house { t.Helper(); return loginHouse(t, "openid JWT") }

// wantAwayAtLogin wants err to be of a provider that cannot be asked.
func wantAwayAtLogin(t testing.TB, err error) {
	t.Helper()
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Unavailable {
		t.Fatalf("refused as %s, want unavailable: %v", kind, err)
	}
}

// day is as long as a login lasts whose provider cannot be asked again, and more.
const day = 24 * time.Hour
