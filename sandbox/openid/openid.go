// Package openid is the demo's identity provider: a real OpenID provider on loopback,
// where signing in is choosing a person.
//
//	GET  /.well-known/openid-configuration   what it can do, and that it is a demo
//	GET  /authorize            the request, read ─▶ the page with the people on it
//	POST /authorize            the same request, read again, and who was chosen ─▶ 303, with a code
//	POST /device_authorization, GET, POST /device      RFC 8628: the code on one screen, the person on another
//	POST /token                code + PKCE, refresh token (rotated), device code ─▶ ID token, access token
//	GET  /userinfo, /jwks
//
// The rule of the package: the protocol is kept to the letter, so that a client that
// works here works elsewhere; only nobody proves who they are. Everybody can be
// anybody here, so it says in its discovery document and in every token that it is a
// demo ("porterhouse_demo": true), and `porterhouse serve` refuses it.
package openid

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Person is somebody whom one can choose to be.
type Person struct {
	Subject string
	Name    string
	Email   string
	About   string // who it is and what it may do, in one sentence
	Groups  []string
}

// Client is an application that people may sign in to.
type Client struct {
	ID, Secret   string   // no secret: a public client
	Name         string   // for people; "": the ID
	RedirectURIs []string // compared byte for byte
}

// Config is what a Provider is made of.
type Config struct {
	Issuer  string // http://127.0.0.1:port, perhaps with a path
	People  []Person
	Clients []Client
	Now     func() time.Time // nil: time.Now
}

// Provider is the provider. It keeps everything in memory, a bounded number of each
// thing. It is safe for concurrent use.
type Provider struct {
	Config
	mux      http.Handler
	pages    pages
	people   *people
	signer   signer
	codes    *shelf[code]
	devices  *shelf[device]
	families *shelf[family]
}

// How long things last.
const (
	codeLife   = time.Minute
	deviceLife = 10 * time.Minute
	familyLife = 90 * 24 * time.Hour // of refresh tokens
	tokenLife  = 5 * time.Minute     // of ID tokens and access tokens
)

// New checks c and returns its Provider.
func New(c Config) (*Provider, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("openid: %w", err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("openid: making the key: %w", err)
	}
	p := &Provider{
		Config: c, people: &people{all: c.People, disabled: map[string]bool{}}, signer: signer{key, c.Now},
		codes:    newShelf[code](codeLife, 1_000, c.Now),
		devices:  newShelf[device](deviceLife, 1_000, c.Now),
		families: newShelf[family](familyLife, 10_000, c.Now),
	}
	if p.pages, err = newPages(); err != nil {
		return nil, fmt.Errorf("openid: %w", err)
	}
	p.mux = p.routes()
	return p, nil
}

// check tells the first mistake in c.
func (c Config) check() error {
	issuer, err := url.Parse(c.Issuer)
	if err != nil || issuer.Scheme != "http" && issuer.Scheme != "https" || issuer.Host == "" || issuer.RawQuery != "" || strings.HasSuffix(c.Issuer, "/") {
		return fmt.Errorf("the issuer %q must be a URL such as http://127.0.0.1:8081, without a slash at its end", c.Issuer)
	}
	if len(c.People) == 0 || len(c.Clients) == 0 {
		return errors.New("there must be people, and a client that they sign in to")
	}
	subjects := map[string]bool{}
	for _, person := range c.People {
		if person.Subject == "" || subjects[person.Subject] {
			return fmt.Errorf("the person %q needs a subject that nobody else has", person.Name)
		}
		subjects[person.Subject] = true
	}
	clients := map[string]bool{}
	for _, client := range c.Clients {
		if client.ID == "" || clients[client.ID] {
			return fmt.Errorf("the client %q needs an id that no other has", client.ID)
		}
		clients[client.ID] = true
	}
	return nil
}

// ServeHTTP answers all of its endpoints.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// maxBody bounds a form, in bytes.
const maxBody = 64 << 10

// routes puts every endpoint below the issuer's path.
func (p *Provider) routes() http.Handler {
	issuer, _ := url.Parse(p.Issuer) // check has parsed it
	mux := http.NewServeMux()
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /.well-known/openid-configuration": discovery(p.Issuer),
		"GET /jwks":                             p.signer.keys,
		"GET /authorize":                        p.authorize,
		"POST /authorize":                       p.authorize,
		"POST /token":                           p.token,
		"POST /device_authorization":            p.deviceAuthorization,
		"GET /device":                           p.devicePage,
		"POST /device":                          p.devicePage,
		"GET /userinfo":                         p.userinfo,
		"POST /userinfo":                        p.userinfo,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+issuer.Path+path, handle)
	}
	own := http.NewCrossOriginProtection() // nobody else's page chooses a person
	own.AddInsecureBypassPattern(issuer.Path + "/token")
	own.AddInsecureBypassPattern(issuer.Path + "/device_authorization")
	own.AddInsecureBypassPattern(issuer.Path + "/userinfo")
	return own.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}))
}

// Disable makes the provider refuse a person from now on, or again let them in; as
// when somebody leaves a company. What they hold is refused too, at once.
func (p *Provider) Disable(_ context.Context, subject string, disabled bool) error {
	return p.people.disable(subject, disabled)
}

// client finds a client.
func (c Config) client(id string) (Client, bool) {
	i := slices.IndexFunc(c.Clients, func(o Client) bool { return o.ID == id })
	if i < 0 {
		return Client{}, false
	}
	return c.Clients[i], true
}

// label is what people call a client.
func (c Client) label() string {
	if c.Name == "" {
		return c.ID
	}
	return c.Name
}
