package authserver

import (
	"context"
	"errors"
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
	// Fetch gets a client's own document (CIMD) or key set from a public address,
	// without following redirects, and at most 64 KiB of it. Its error is
	// ErrForbidden for an address that is never asked. Nil: clients cannot be known by
	// documents.
	Fetch func(ctx context.Context, url string) (Reply, error)
	// Assertion verifies an identity assertion (ID-JAG) of a provider; nil: none is trusted.
	Assertion func(ctx context.Context, jwt string) (Assertion, error)

	Clients           []ClientConfig // pre-registered
	DeviceCodes       bool           // RFC 8628, for programs without a browser; false: nothing here knows of it
	AllowRegistration bool           // RFC 7591, for clients that know nothing newer
	AllowClientHosts  []string       // of client metadata documents; empty: any
	Lifetimes         Lifetimes
	Log               *slog.Logger     // nil: discarded
	Limits            *Limits          // nil: new ones
	Now               func() time.Time // nil: time.Now
}

// ErrForbidden is in the error of Fetch for an address that no client's document can
// be at: its host is not on the public internet.
var ErrForbidden = errors.New("the address is not on the public internet")

// Reply is an answer to Fetch, of whatever status.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte // whole
}

// Resource is something that tokens can be for (RFC 8707).
type Resource struct {
	URI    string // canonical: https://host/mcp
	Name   string // for people
	Scopes []string
	Usual  []string // asked for when a request names none of them; empty: ScopeRead
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
	// User is who the client is when it asks for itself (client_credentials), and Groups
	// that user's. Rules know such clients by ClientsProof.
	User   string
	Groups []string
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
