package identity

import (
	"context"
	"time"

	"porterhouse"
)

// ClientSettings is us, as a client of one identity provider at which people sign in.
type ClientSettings struct {
	ClientID              string
	ClientSecret          porterhouse.Secret // none: a public client, with PKCE alone
	Scopes                []string           // empty: what the kind of provider needs to tell who it is, and to be asked again
	AuthorizationEndpoint string             // "": of the discovery document, or the kind's own
	TokenEndpoint         string             // "": likewise
}

// Trip is one visit of a browser at a provider.
type Trip struct {
	State       string
	Nonce       string // of the ID token (OpenID Connect Core, 3.1.2.1)
	Verifier    string // of PKCE (RFC 7636)
	RedirectURI string
}

// Kept is what a provider gave us to ask for the person again.
type Kept struct {
	RefreshToken string
	AccessToken  string
	Expires      time.Time // of AccessToken; zero: not told
}

// RelyingParty is us at one provider: people sign in there, and the provider tells us
// who they are, by the rules of its token processor. A person who signs in and one
// who brings a token of the same provider are the same Principal.
type RelyingParty struct{}

// NewRelyingParty makes it from a token processor's settings; its type must be one at
// which people can sign in.
func NewRelyingParty(s Settings, c ClientSettings, p *Providers) (*RelyingParty, error) {
	panic("not yet")
}

// Host is where people are sent, for people.
func (r *RelyingParty) Host() string { panic("not yet") }

// AuthorizationURL is where a browser is sent.
func (r *RelyingParty) AuthorizationURL(ctx context.Context, t Trip) (string, error) {
	panic("not yet")
}

// Redeem exchanges a code and verifies who it is: an ID token for this client with
// this trip's nonce, or, at GitHub, an access token of this application. iss is the
// parameter of RFC 9207 in the redirect; "" when there was none.
func (r *RelyingParty) Redeem(ctx context.Context, t Trip, code, iss string) (porterhouse.Principal, Kept, error) {
	panic("not yet")
}

// CanRecheck reports whether k is enough to ask the provider about the person again.
func (r *RelyingParty) CanRecheck(k Kept) bool { panic("not yet") }

// Recheck asks the provider about the person again: by refresh token, introspection,
// or GitHub's user endpoint. Unauthenticated and Refused are its no.
func (r *RelyingParty) Recheck(ctx context.Context, who porterhouse.Principal, k Kept) (porterhouse.Principal, Kept, error) {
	panic("not yet")
}
