package signin

import (
	"context"
	"time"

	"porterhouse"
)

// Trip is one visit of a browser at a provider.
type Trip struct {
	State       string `json:"state"`    // of the browser: it must bring the same back
	Nonce       string `json:"nonce"`    // of the ID token (OpenID Connect Core, 3.1.2.1)
	Verifier    string `json:"verifier"` // of PKCE (RFC 7636)
	RedirectURI string `json:"-"`        // ours: the public URL, and CallbackOf the provider
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
	Label string // on the button; "": Name
	Host  string // where the button leads, for people
	// Start returns the URL that a browser is sent to.
	Start func(ctx context.Context, t Trip) (string, error)
	// Finish exchanges the code and verifies who it is. iss is what the provider's
	// redirect said of itself (RFC 9207); "" when it said nothing.
	Finish func(ctx context.Context, t Trip, code, iss string) (porterhouse.Principal, Kept, error)
	// Recheck asks the provider whether the person still is who they were, and
	// returns them as they are now. Unauthenticated and Refused are the provider's no;
	// every other error is its absence; a Kept beside that takes the place of k, which
	// may have been used up by then. Nil: it cannot be asked.
	Recheck func(ctx context.Context, who porterhouse.Principal, k Kept) (porterhouse.Principal, Kept, error)
	// CanRecheck reports whether what was kept is enough to ask again. It goes with Recheck.
	CanRecheck func(k Kept) bool
	Tokens     map[string]GetToken // by purpose: the name of a cluster that is shown them
	For        map[string]string   // by purpose: whom the token is for, as the record has it
}

// GetToken gets an access token of who, for one purpose, of what was kept. Errors and Kept
// are as those of Recheck; a no may be to the person, or to the purpose.
type GetToken func(ctx context.Context, who porterhouse.Principal, k Kept) (Granted, Kept, error)

// Granted is an access token that a provider gave for somebody to be shown elsewhere.
type Granted struct {
	Token   porterhouse.Secret
	Expires time.Time // zero: nobody knows
}

// label is what people call it.
func (p Provider) label() string {
	if p.Label == "" {
		return p.Name
	}
	return p.Label
}

// canRecheck reports whether it can be asked again, with what it gave us.
func (p Provider) canRecheck(k Kept) bool { return p.Recheck != nil && p.CanRecheck(k) }

// Asking is the client on whose behalf a browser is to sign in, for the chooser.
type Asking struct {
	Name     string // as it calls itself; not to be trusted
	Host     string // that its metadata came from; "": the operator or a registration named it
	Redirect string // host, or scheme, that the person will be sent back to
	Unproved bool   // nobody can tell whether it is the one it says: a program on the person's own machine
	Stranger bool   // it registered itself, under a name that nobody has checked
}
