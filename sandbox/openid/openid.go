// Package openid is the demo's identity provider: a real OpenID provider on loopback,
// where signing in is choosing a person. Everybody can be anybody there, so it says in
// its discovery document and in every token that it is a demo ("porterhouse_demo":
// true), and `porterhouse serve` refuses it.
package openid

import (
	"context"
	"net/http"
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
	ID, Secret   string // no secret: a public client
	RedirectURIs []string
}

// Config is what a Provider is made of.
type Config struct {
	Issuer  string // http://127.0.0.1:port
	People  []Person
	Clients []Client
}

// Provider is the provider. It keeps everything in memory.
type Provider struct{}

// New checks c and returns its Provider.
func New(c Config) (*Provider, error) { panic("not yet") }

// ServeHTTP answers all of its endpoints.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("not yet") }

// Marker is the member of the discovery document and of tokens that says it is a demo.
const Marker = "porterhouse_demo"

// Disable makes the provider refuse a person from now on, or again let them in; as
// when somebody leaves a company.
func (p *Provider) Disable(ctx context.Context, subject string, disabled bool) error {
	panic("not yet")
}
