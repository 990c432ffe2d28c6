package authserver

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/kv"
	"porterhouse/seal"
)

// Config is what a Server is made of.
type Config struct {
	Issuer    string     // https://host[:port][/path], without a slash at its end; on loopback also http
	Resources []Resource // what tokens can be for; the first is the default
	Keys      *Keys
	Store     kv.Store
	Key       *seal.Key
	Audit     *audit.Log

	// Who tells who is signed in in a browser; Unauthenticated: nobody. Its TokenID
	// is the login, Expires the end of it, if it has one.
	Who func(*http.Request) (porterhouse.Principal, error)
	// SignIn is where a browser without a person is sent, with ?return=<local URL>.
	SignIn string
	// Recheck returns the person of a login as they are now (signin.SignIn.Recheck).
	Recheck func(ctx context.Context, who porterhouse.Principal) (porterhouse.Principal, error)
	// Fetch gets a client's own document: status and body, of at most 5 KB, from
	// public addresses only, without following redirects.
	Fetch func(ctx context.Context, url string) (status int, body []byte, err error)
	// Assertion verifies an identity assertion (ID-JAG) of a provider; nil: none is trusted.
	Assertion func(ctx context.Context, jwt string) (Assertion, error)

	Clients           []ClientConfig // pre-registered
	AllowRegistration bool           // RFC 7591, for clients that know nothing newer
	AllowClientHosts  []string       // of client metadata documents; empty: any
	Lifetimes         Lifetimes
	Log               *slog.Logger     // nil: discarded
	Now               func() time.Time // nil: time.Now
}

// Resource is something that tokens can be for (RFC 8707).
type Resource struct {
	URI    string // canonical: https://host/mcp
	Name   string // for people
	Scopes []string
}

// The scopes.
const (
	ScopeRead    = "clickhouse:read"  // ask questions
	ScopeWrite   = "clickhouse:write" // change data, as far as the person may
	ScopeOffline = "offline_access"   // go on while the person is away: a refresh token
)

// Lifetimes bound what is given.
type Lifetimes struct {
	Code    time.Duration // 0: 1 min
	Access  time.Duration // 0: 5 min; at most 10 min
	Device  time.Duration // of device codes; 0: 10 min
	Idle    time.Duration // of refresh tokens that are not used; 0: 30 days
	Longest time.Duration // of a family of refresh tokens; 0: 90 days
	Reuse   time.Duration // in which a used refresh token still yields an access token; 0: 10 s
}

// ClientConfig is a client that the operator has registered.
type ClientConfig struct {
	ID           string
	Name         string // for people
	Secret       porterhouse.Secret
	JWKS         string   // the key set itself, for private_key_jwt
	JWKSURI      string   // or where it is
	RedirectURIs []string // for authorization_code
	Grants       []string // grant types; empty: authorization_code, refresh_token
	Scopes       []string // may ask for; empty: read and offline_access
	Resource     string   // the default of this client; "": the server's
	// Person is who the client is when it asks for itself (client_credentials).
	Person porterhouse.Principal
	// Exchange verifies a token of an identity provider that this client may turn into
	// one of ours (RFC 8693), by the audiences on this client's list; nil: it may not.
	Exchange func(ctx context.Context, token string) (porterhouse.Principal, error)
}

// Assertion is an ID-JAG that was verified: signature, issuer, audience (our issuer),
// type and times. Who it may be used by and how often is checked here.
type Assertion struct {
	Who      porterhouse.Principal
	ID       string // jti
	Client   string // client_id
	Resource string // "": none named
	Scopes   []string
	Expires  time.Time
}

// Server is the room. It is safe for concurrent use.
type Server struct {
	Config
}

// New checks c and returns its Server.
func New(c Config) (*Server, error) { panic("not yet") }

// ServeHTTP answers all paths of the issuer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("not yet") }

// Paths lists the paths that ServeHTTP answers, for whoever routes.
func (s *Server) Paths() []string { panic("not yet") }

// Asking is the client of an authorization request or a device page, for the page
// on which somebody signs in because of it.
type Asking struct {
	Name     string // as it calls itself; not to be trusted
	Host     string // that its metadata came from; "": the operator or a registration named it
	Redirect string // host, or scheme, that the person will be sent back to
	Unproved bool   // nobody can tell whether it is the one it says: a program on the person's own machine
}

// Asking tells on whose behalf a browser will return to a local URL; nil: no client's.
// An error says that the request there would be refused anyway.
func (s *Server) Asking(ctx context.Context, returnTo string) (*Asking, error) { panic("not yet") }
