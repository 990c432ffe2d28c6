package authserver

import (
	"crypto/sha256"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Client is an application that asks for tokens.
type Client struct {
	ID           string
	Name         string // as it calls itself; shown as text, never trusted
	Known        Known
	Host         string // of the URL that its document is at; "" unless ByDocument
	RedirectURIs []string
	Grants       []string // grant types that it may use
	Scopes       []string // that it may ask for
	Resource     string   // its default; "": the server's
	Auth         AuthMethod

	secret [sha256.Size]byte // of AuthBasic and AuthPost
	keys   []jose.JSONWebKey // of AuthKey, where they are here
	keysAt string            // or where they are
	config *ClientConfig     // of ByOperator
}

// Known is how we know of a client.
type Known string

// The ways in which clients are known, in the order of trust.
const (
	ByOperator     Known = "operator"     // in our configuration
	ByDocument     Known = "document"     // its id is the https URL of its metadata (CIMD)
	ByRegistration Known = "registration" // it registered itself (RFC 7591)
)

// AuthMethod is how a client proves itself at /token (RFC 7591, 2).
type AuthMethod string

// The methods.
const (
	AuthNone  AuthMethod = "none"
	AuthBasic AuthMethod = "client_secret_basic"
	AuthPost  AuthMethod = "client_secret_post"
	AuthKey   AuthMethod = "private_key_jwt"
)

// The grant types.
const (
	GrantCode        = "authorization_code"
	GrantRefresh     = "refresh_token"
	GrantDevice      = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628
	GrantCredentials = "client_credentials"                              //
	GrantExchange    = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
	GrantAssertion   = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523; of ID-JAGs
)

// may reports whether the client may use a grant type.
func (c Client) may(grant string) bool { return slices.Contains(c.Grants, grant) }
