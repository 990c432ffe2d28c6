package identity_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// Each kind of processor, with a provider that runs: what the conformance suite
// and the attacks are tried on.

// door is the resource that tokens are for, and client the program that got them.
var (
	door   = identity.Resource{Door: "mcp", Cluster: "main", Audiences: []string{"https://door.example.com/mcp"}}
	client = idp.App.ID
)

// house is a processor with its provider.
type house struct {
	settings identity.Settings
	outbound identity.OutboundConfig
	wire     *idp.Wire   // the provider; nil: nobody is asked
	signer   *idp.Issuer // with its keys; nil: it signs nothing
	clock    *clock
	// claims are those of a sound token of a person, and mint makes a token of them.
	claims func(idp.Person) idp.Claims
	mint   func(idp.Person, idp.Claims, ...idp.Claims) string
	rotate func() // the provider's keys; nil: it has none that could change
	person idp.Person
	issuer string // of the Principal
	tells  string // which claims there are to tamper with
	fits   bool   // mint signs claims: they and the header may be anything

	lastID   idp.Claims // of the ID token that was signed last
	stranger *idp.Key   // of nobody here
}

// clock is the time of the processors and the provider.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// good is a sound token, another one each time.
func (h *house) good() string {
	h.clock.pass(time.Second)
	return h.mint(h.person, h.claims(h.person))
}

// providers are new ones: nothing is known yet.
func (h *house) providers(t testing.TB) *identity.Providers {
	t.Helper()
	return h.providersWith(t, slog.New(slog.DiscardHandler))
}

func (h *house) providersWith(t testing.TB, log *slog.Logger) *identity.Providers {
	t.Helper()
	config := h.outbound
	config.Now = h.clock.Now
	outbound, err := identity.NewOutbound(config)
	if err != nil {
		t.Fatal(err)
	}
	p, err := identity.NewProviders(identity.ProvidersConfig{Outbound: outbound, Log: log, Now: h.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// verifier is one of a new processor that knows nothing yet, with the settings
// changed.
func (h *house) verifier(t testing.TB, changes ...func(*identity.Settings)) *identity.Verifier {
	t.Helper()
	return h.verifierOf(t, h.providers(t), door, changes...)
}

func (h *house) verifierOf(t testing.TB, p *identity.Providers, r identity.Resource, changes ...func(*identity.Settings)) *identity.Verifier {
	t.Helper()
	v, err := identity.New(identity.Config{Processors: h.processors(t, p, r, changes...)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (h *house) processors(t testing.TB, p *identity.Providers, r identity.Resource, changes ...func(*identity.Settings)) []identity.Processor {
	t.Helper()
	s := h.settings
	for _, change := range changes {
		if change != nil {
			change(&s)
		}
	}
	all, err := identity.NewProcessors([]identity.Settings{s}, r, p)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// kinds start a house of each kind.
var kinds = map[string]func(testing.TB) *house{
	"jwt_static_key HS256": staticSecret,
	"jwt_static_key RS256": staticKey,
	"jwt_static_jwks":      staticJWKS,
	"jwt_dynamic_jwks":     dynamicJWKS,
	"openid JWT":           openID,
	"openid introspection": introspection,
	"keycloak":             keycloak,
	"okta":                 okta,
	"auth0":                auth0,
	"cognito":              cognito,
	"entra v2":             entraV2,
	"azure v1":             entraV1,
	"google access token":  googleAccess,
	"google ID token":      googleID,
	"github":               gitHub,
	"gitlab access token":  gitLab,
	"gitlab ID token":      gitLabID,
}

const everyClaim = "iss aud exp nbf iat sub scope groups email typ"

// issuersKey is the first key of all houses' issuers: to make one for RSA takes long.
var issuersKey struct {
	sync.Once
	*idp.Key
}

func options(t testing.TB, people ...idp.Person) idp.Options {
	t.Helper()
	issuersKey.Do(func() { issuersKey.Key = idp.NewKey(t, "RS256") })
	return idp.Options{People: people, Key: issuersKey.Key}
}

// signing is what houses of signed tokens have in common.
func signing(t testing.TB, s identity.Settings) (*house, *idp.Issuer) {
	t.Helper()
	i, c := idp.StartIssuer(t, options(t)), newClock()
	i.Now = c.Now
	h := &house{settings: s, wire: i.Wire, signer: i, clock: c, person: idp.Alice, issuer: i.Name, tells: everyClaim, fits: true}
	h.settings.Name = "the-processor"
	h.outbound.AllowHosts = []string{strings.TrimPrefix(i.URL, "http://")}
	h.claims = func(p idp.Person) idp.Claims { return i.Claims(p, door.Audiences[0]) }
	h.mint = func(_ idp.Person, c idp.Claims, header ...idp.Claims) string { return i.Sign(c, header...) }
	h.rotate = func() { i.Rotate(t, "ES256") }
	return h, i
}

func staticSecret(t testing.TB) *house {
	key := idp.NewKey(t, "HS256")
	h, i := signing(t, identity.Settings{Type: "jwt_static_key", Algo: "HS256", StaticKey: porterhouse.NewSecret(string(key.Secret))})
	i.AddKey(key)
	h.settings.ExpectedIssuer, h.wire, h.rotate = i.Name, nil, nil
	return h
}

func staticKey(t testing.TB) *house {
	h, i := signing(t, identity.Settings{Type: "jwt_static_key", Algo: "RS256"})
	der, err := x509.MarshalPKIXPublicKey(i.Key().Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	h.settings.PublicKey = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	h.settings.ExpectedIssuer, h.wire, h.rotate = i.Name, nil, nil
	return h
}

func staticJWKS(t testing.TB) *house {
	h, i := signing(t, identity.Settings{Type: "jwt_static_jwks"})
	i.AddKey(idp.NewKey(t, "ES256"))
	i.AddKey(idp.NewKey(t, "EdDSA"))
	set, err := json.Marshal(i.KeySet())
	if err != nil {
		t.Fatal(err)
	}
	h.settings.StaticJWKS, h.settings.ExpectedIssuer, h.wire, h.rotate = string(set), i.Name, nil, nil
	return h
}

func dynamicJWKS(t testing.TB) *house {
	h, i := signing(t, identity.Settings{Type: "jwt_dynamic_jwks"})
	h.settings.JWKSURI, h.settings.ExpectedIssuer = i.URL+"/jwks", i.Name
	return h
}

func openID(t testing.TB) *house {
	h, i := signing(t, identity.Settings{Type: "openid"})
	h.settings.ConfigurationEndpoint = i.URL + "/.well-known/openid-configuration"
	return h
}

func introspection(t testing.TB) *house {
	h, i := signing(t, identity.Settings{Type: "openid", IntrospectionClientID: idp.App.ID, IntrospectionClientSecret: porterhouse.NewSecret(idp.App.Secret)})
	h.settings.ConfigurationEndpoint = i.URL + "/.well-known/openid-configuration"
	h.mint = func(_ idp.Person, c idp.Claims, _ ...idp.Claims) string { return i.Opaque(c) }
	h.tells, h.fits, h.rotate = "iss aud nbf iat sub scope groups email", false, nil
	return h
}

// at moves an issuer to a path below its URL, as many providers are.
func at(h *house, i *idp.Issuer, name, discovery string) {
	i.Name, h.issuer = name, name
	i.Answer(discovery, func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(out).Encode(i.Discovery()) // the caller may be gone
	})
}

func keycloak(t testing.TB) *house {
	h, i := signing(t, identity.Settings{Type: "keycloak", GroupsClaim: "realm_access.roles"})
	at(h, i, i.URL+"/realms/main", "/realms/main/.well-known/openid-configuration")
	h.settings.BaseURL = i.Name
	h.claims = func(p idp.Person) idp.Claims { return i.Keycloak(p, door.Audiences[0], client) }
	h.tells = "iss aud exp nbf iat sub scope email typ"
	return h
}

func okta(t testing.TB) *house {
	h, i := signing(t, identity.Settings{Type: "okta"})
	at(h, i, i.URL+"/oauth2/default", "/oauth2/default/.well-known/openid-configuration")
	h.settings.BaseURL = i.Name
	h.claims = func(p idp.Person) idp.Claims { return i.Okta(p, door.Audiences[0], client) }
	h.tells = "iss aud exp nbf iat scp groups typ"
	return h
}

func auth0(t testing.TB) *house {
	h, i := signing(t, identity.Settings{Type: "auth0", GroupsClaim: `"https://acme.com/groups"`})
	h.settings.BaseURL = i.URL
	at(h, i, i.URL+"/", "/.well-known/openid-configuration")
	h.claims = func(p idp.Person) idp.Claims { return i.Auth0(p, door.Audiences[0], client) }
	h.tells = "iss aud exp nbf iat sub scope typ"
	return h
}

// named gives an issuer a name of the true internet.
type named struct {
	host string
	*idp.Issuer
}

func (n named) Hosts() map[string]http.Handler { return map[string]http.Handler{n.host: n} }

// through lets a house reach its provider under its true name.
func through(h *house, n *idp.Internet) { h.outbound.Proxy, h.outbound.CAFile = n.Proxy, n.CAFile }

func cognito(t testing.TB) *house {
	const pool = "eu-central-1_AbCdEfGhI"
	h, i := signing(t, identity.Settings{Type: "cognito", Organization: "eu-central-1/" + pool, ClientIDs: []string{client}})
	at(h, i, "https://cognito-idp.eu-central-1.amazonaws.com/"+pool, "/"+pool+"/.well-known/openid-configuration")
	through(h, idp.StartInternet(t, named{"cognito-idp.eu-central-1.amazonaws.com", i}))
	h.claims = func(p idp.Person) idp.Claims { return i.Cognito(p, client) }
	h.tells = "iss exp nbf iat sub scope typ"
	return h
}

func entra(t testing.TB, kind string, claims func(*idp.Entra, idp.Person) idp.Claims) *house {
	e, c := idp.StartEntra(t, options(t)), newClock()
	e.Now = c.Now
	h := &house{wire: e.Wire, signer: e.Issuer, clock: c, person: idp.Alice, tells: "iss aud exp nbf iat groups scp typ", fits: true}
	h.settings = identity.Settings{Name: "the-processor", Type: kind, TenantID: idp.Tenant, ExpectedAudience: []string{idp.API, "api://" + idp.API},
		IntrospectionClientID: client, IntrospectionClientSecret: porterhouse.NewSecret(idp.App.Secret)}
	through(h, idp.StartInternet(t, e))
	h.claims = func(p idp.Person) idp.Claims { return claims(e, p) }
	h.mint = func(p idp.Person, c idp.Claims, header ...idp.Claims) string {
		e.Know(p)
		return e.Sign(c, header...)
	}
	h.rotate = func() { e.Rotate(t, "RS256") }
	return h
}

func entraV2(t testing.TB) *house {
	h := entra(t, "entra", func(e *idp.Entra, p idp.Person) idp.Claims { return e.V2(p, idp.API, client) })
	h.issuer = idp.EntraV2
	return h
}

func entraV1(t testing.TB) *house {
	h := entra(t, "azure", func(e *idp.Entra, p idp.Person) idp.Claims { return e.V1(p, "api://"+idp.API, client) })
	h.issuer = idp.EntraV2 // one person, whichever version the token has
	return h
}

func google(t testing.TB) (*house, *idp.Google) {
	g, c := idp.StartGoogle(t, options(t)), newClock()
	g.Now = c.Now
	h := &house{wire: g.Wire, signer: g.Issuer, clock: c, person: idp.Alice, issuer: g.Name}
	h.settings = identity.Settings{Name: "the-processor", Type: "google", ClientIDs: []string{client}}
	through(h, idp.StartInternet(t, g))
	return h, g
}

func googleAccess(t testing.TB) *house {
	h, g := google(t)
	h.claims = func(p idp.Person) idp.Claims {
		return idp.Claims{"aud": client, "exp": h.clock.Now().Add(time.Minute * 10).Unix(), "scope": strings.Join([]string{"openid", idp.GoogleEmailScope, idp.GoogleGroupsScope}, " ")}
	}
	h.mint = func(p idp.Person, c idp.Claims, _ ...idp.Claims) string {
		g.Know(p)
		token := g.Access(p, client)
		g.Amend(token, c.With("azp", c["aud"]))
		return token
	}
	h.tells = "scope email person"
	return h
}

func googleID(t testing.TB) *house {
	h, g := google(t)
	h.settings.AllowIDTokens = true
	h.claims = func(p idp.Person) idp.Claims { return g.IDToken(p, client) }
	h.mint = func(_ idp.Person, c idp.Claims, header ...idp.Claims) string { return g.Sign(c, header...) }
	h.rotate = func() { g.Rotate(t, "RS256") }
	h.tells, h.fits = "iss exp nbf iat sub email typ", true
	return h
}

func gitHub(t testing.TB) *house {
	g := idp.StartGitHub(t, idp.Options{})
	h := &house{wire: g.Wire, clock: newClock(), person: idp.Octo, issuer: "https://github.com", tells: "scope email person"}
	h.settings = identity.Settings{Name: "the-processor", Type: "github", ClientIDs: []string{client}, ClientSecret: porterhouse.NewSecret(idp.App.Secret)}
	through(h, idp.StartInternet(t, g))
	h.claims = func(idp.Person) idp.Claims {
		return idp.Claims{"aud": client, "scope": "read:user user:email read:org"}
	}
	h.mint = func(p idp.Person, c idp.Claims, _ ...idp.Claims) string {
		return g.Access(p, c["aud"].(string), strings.Fields(c["scope"].(string))...)
	}
	return h
}

// octo is a person as GitLab knows one: by a number.
var octo = idp.Person{Subject: "4711", Name: "octo", Email: "octo@example.com", Groups: []string{"acme", "acme/analysts"}}

func gitLabs(t testing.TB) (*house, *idp.GitLab) {
	g, c := idp.StartGitLab(t, options(t, octo)), newClock()
	g.Now = c.Now
	h := &house{wire: g.Wire, signer: g.Issuer, clock: c, person: octo, issuer: g.Name}
	h.settings = identity.Settings{Name: "the-processor", Type: "gitlab", BaseURL: g.URL, ClientIDs: []string{client}}
	h.outbound.AllowHosts = []string{strings.TrimPrefix(g.URL, "http://")}
	return h, g
}

func gitLab(t testing.TB) *house {
	h, g := gitLabs(t)
	h.claims = func(p idp.Person) idp.Claims { return idp.Claims{"client_id": client} }
	h.mint = func(p idp.Person, c idp.Claims, _ ...idp.Claims) string {
		token := g.Access(p, client)
		g.Amend(token, c)
		return token
	}
	h.tells = "scope groups email person"
	return h
}

func gitLabID(t testing.TB) *house {
	h, g := gitLabs(t)
	h.settings.AllowIDTokens = true
	h.claims = func(p idp.Person) idp.Claims { return g.IDToken(p, client).With("groups", p.Groups) }
	h.mint = func(_ idp.Person, c idp.Claims, header ...idp.Claims) string { return g.Sign(c, header...) }
	h.rotate = func() { g.Rotate(t, "RS256") }
	h.tells, h.fits = "iss exp nbf iat sub groups email typ", true
	return h
}

// tell reports whether a rule about the claims has something to tamper with.
func (h *house) tell(about string) bool {
	all := strings.Fields(h.tells)
	for name := range strings.FieldsSeq(about) {
		if !slices.Contains(all, name) {
			return false
		}
	}
	return true
}
