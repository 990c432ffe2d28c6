// Package signin takes a browser in and gives a Principal out: it lets the person
// choose a provider, sends the browser there, verifies what comes back, and
// remembers it in a session.
//
//	GET  /signin?return=/…   the chooser: who asks, and where to sign in (a click, always)
//	POST /signin             a provider was chosen ─▶ sealed cookie of the trip ─▶ 303 to the provider
//	GET  /signin/callback    back: state, iss, code ─▶ Provider.Finish ─▶ session cookie ─▶ 303 to return
//	GET, POST /signin/out    sign out: a page with a button, and what it does
//
// The rule of the package: what a browser brings was sealed for that browser and
// for that trip, is used once, and never outlives ten minutes; and where it goes
// afterwards is a path of ours.
//
// Three things are kept, and who has which can do what:
//
//	trip     a sealed cookie, while somebody is away at a provider; nothing is stored for it
//	session  a cookie of this browser ─▶ session/<sha256> in kv ─▶ the login
//	login    login/<id> in kv, sealed: who it is, and what the provider gave us to ask again
//
// A login outlives its browser's session: whoever was given tokens because of it
// asks Recheck with its id (Principal.TokenID).
package signin

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

// Trip is one visit of a browser at a provider.
type Trip struct {
	State       string // of the browser: it must bring the same back
	Nonce       string // of the ID token (OpenID Connect Core, 3.1.2.1)
	Verifier    string // of PKCE (RFC 7636)
	RedirectURI string // ours: <public URL>/signin/callback
}

// Kept is what a provider gave us to ask for the person again.
type Kept struct {
	RefreshToken string    `json:"refresh_token,omitempty"`
	AccessToken  string    `json:"access_token,omitempty"`
	Expires      time.Time `json:"expires,omitzero"` // of AccessToken; zero: not told
}

// Provider is one place to sign in at.
type Provider struct {
	Name  string // of its token processor; Principal.Proof of those who come from there
	Label string // on the button
	Host  string // where the button leads, for people
	// Start returns the URL that a browser is sent to.
	Start func(ctx context.Context, t Trip) (string, error)
	// Finish exchanges the code and verifies who it is. iss is what the provider's
	// redirect said of itself (RFC 9207); "" when it said nothing.
	Finish func(ctx context.Context, t Trip, code, iss string) (porterhouse.Principal, Kept, error)
	// Recheck asks the provider whether the person still is who they were, and
	// returns them as they are now. Unauthenticated and Refused are the provider's no;
	// Unavailable is its absence. It must be nil-able: see CanRecheck.
	Recheck func(ctx context.Context, who porterhouse.Principal, k Kept) (porterhouse.Principal, Kept, error)
	// CanRecheck reports whether what was kept is enough to ask again.
	CanRecheck func(k Kept) bool
}

// Asking is the client on whose behalf a browser is to sign in, for the chooser.
type Asking struct {
	Name     string // as it calls itself; not to be trusted
	Host     string // that its metadata came from; "": the operator or a registration named it
	Redirect string // host, or scheme, that the person will be sent back to
	Unproved bool   // nobody can tell whether it is the one it says: a program on the person's own machine
}

// Lifetimes bound how long a sign-in counts.
type Lifetimes struct {
	Browser        time.Duration // of a browser's session, since its sign-in; 0: 12 h
	WithoutRecheck time.Duration // of a login whose provider cannot be asked again; 0: 12 h
	Idle           time.Duration // of a login, since it was last asked for; 0: 30 days
	Longest        time.Duration // of a login, since the sign-in; 0: 90 days
	Grace          time.Duration // how old the provider's last yes may be while it cannot be asked; 0: 4 h
	Fresh          time.Duration // how old it may be without asking at all; 0: 1 min
}

// Config is what a SignIn is made of.
type Config struct {
	PublicURL string // https://host[:port]; on loopback also http, with cookies that are less strict
	Providers []Provider
	Store     kv.Store
	Key       *seal.Key
	// Asking tells who asks, from the local URL that the browser will return to. Nil
	// result: nobody but we ourselves. An error stops the sign-in before it begins.
	Asking    func(ctx context.Context, returnTo string) (*Asking, error)
	Audit     *audit.Log
	Lifetimes Lifetimes
	Log       *slog.Logger     // nil: discarded
	Now       func() time.Time // nil: time.Now
}

// SignIn is the room. It is safe for concurrent use.
type SignIn struct{}

// The paths that it answers.
const (
	Path         = "/signin"
	CallbackPath = "/signin/callback"
	OutPath      = "/signin/out"
)

// New checks c and returns its SignIn.
func New(c Config) (*SignIn, error) { panic("not yet") }

// ServeHTTP answers the paths above.
func (s *SignIn) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("not yet") }

// Who tells who is signed in in the browser that sent r. The Principal's TokenID is
// the login's id, Issued when the person signed in, and Expires when the login ends
// whatever happens. Unauthenticated: nobody; Unavailable: the store is away.
func (s *SignIn) Who(r *http.Request) (porterhouse.Principal, error) { panic("not yet") }

// Recheck asks the provider of who's login (who.TokenID) about the person, unless it
// said yes a moment ago, and returns them as they are now. Unauthenticated: the
// login has ended, or the provider says no, which ends it. Unavailable: nobody can
// tell, and the last yes is older than Lifetimes.Grace.
func (s *SignIn) Recheck(ctx context.Context, who porterhouse.Principal) (porterhouse.Principal, error) {
	panic("not yet")
}

// End ends a login: nothing that was given because of it can be renewed.
func (s *SignIn) End(ctx context.Context, who porterhouse.Principal) error { panic("not yet") }
