package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
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
	// Resources are named when somebody signs in (RFC 8707, 2.1), beside us: a provider
	// gives tokens for them only later on, and only for those.
	Resources []string
}

// Trip is one visit of a browser at a provider.
type Trip struct {
	State       string
	Nonce       string // of the ID token (OpenID Connect Core, 3.1.2.1)
	Verifier    string // of PKCE (RFC 7636)
	RedirectURI string
}

// RelyingParty is us at one provider: people sign in there, and the provider tells us
// who they are, by the rules of its token processor. A person who signs in and one
// who brings a token of the same provider are the same Principal.
//
//	AuthorizationURL ─▶ the person, at the provider ─▶ code ─▶ Redeem ─▶ ID token (login_token.go)
//	                                                                   ─▶ what it does not tell (login_claims.go)
//	                                                                   ─▶ the processor's rules ─▶ Principal
//	Kept: refresh token, or a token that can be asked about ─▶ Recheck ─▶ the same again (recheck.go)
//
// A Principal from here has neither Token, TokenID, Client nor Expires: which login
// that is, and how long it counts, is for others to say.
type RelyingParty struct {
	witness
	habit habit
}

// NewRelyingParty makes it from a token processor's settings; its type must be one at
// which people can sign in.
func NewRelyingParty(s Settings, c ClientSettings, p *Providers) (*RelyingParty, error) {
	r, err := newRelyingParty(s, c, p)
	if err != nil {
		return nil, fmt.Errorf("identity: signing in at %q: %w", s.Name, err)
	}
	return r, nil
}

func newRelyingParty(s Settings, c ClientSettings, p *Providers) (*RelyingParty, error) {
	if p == nil || p.outbound == nil {
		return nil, errors.New("the provider must be asked, and there is nothing to ask with (Outbound)")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	r := &RelyingParty{witness: witness{settings: s, client: c, providers: p}, habit: habitOf(s.Type)}
	var err error
	if r.site, err = newSite(s, p); err != nil {
		return nil, err
	}
	fixed := &r.site.fixed
	fixed.authorize, fixed.token = orText(c.AuthorizationEndpoint, fixed.authorize), orText(c.TokenEndpoint, fixed.token)
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.rules, err = loginRules(s, c.ClientID, p); err != nil {
		return nil, err
	}
	r.judge = r.rules.judge
	switch s.Type {
	case "gitlab":
		r.judge = gitlab{rules: r.rules}.judge
	case "github":
		r.github, err = githubLogin(s, c, p)
	}
	return r, err
}

// check wants what nobody could sign in without.
func (r *RelyingParty) check() error {
	at, discovered := r.site.fixed, r.site.document != nil
	switch {
	case r.client.ClientID == "":
		return errors.New("client_id is missing: the name under which this server is registered there")
	case !discovered && (at.authorize == "" || at.token == ""):
		return errors.New("there is no discovery document, so name the authorization_endpoint and the token_endpoint")
	case !discovered && len(issuersOf(r.settings)) == 0:
		return errors.New("there is no discovery document, so name the expected_issuer: an ID token must be of exactly that")
	case r.settings.Type == "github" && r.client.ClientSecret.IsZero():
		return errors.New("client_secret is missing: GitHub gives tokens to an application with a secret only")
	case slices.Contains(clientClaims, r.settings.UsernameClaim):
		return fmt.Errorf("the processor is for programs (username_claim: %s), and whoever signed in would have our client's name: let people sign in at another", r.settings.UsernameClaim)
	case slices.Contains(r.client.Scopes, ""):
		return errors.New("scopes has an empty item")
	}
	for name, address := range map[string]string{"authorization_endpoint": at.authorize, "token_endpoint": at.token} {
		if address == "" {
			continue
		}
		if err := r.providers.outbound.Check(address); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// loginRules are the processor's, for ID tokens of one client: which access tokens
// it takes (audience, client, typ) does not matter to them.
func loginRules(s Settings, client string, p *Providers) (*rules, error) {
	r, err := newRules(s, Resource{Audiences: []string{client}}, p)
	if err != nil {
		return nil, err
	}
	r.audiences, r.settings.ClientIDs = []string{client}, []string{client}
	r.settings.ExpectedTyp, r.settings.AllowNoExpiration, r.settings.AllowAnyAudience = "", false, false
	return r, nil
}

// Host is where people are sent, for people.
func (r *RelyingParty) Host() string {
	address := r.site.fixed.authorize
	if address == "" {
		address = discoveryOf(r.settings)
		if at, known := r.site.document.peek(); known {
			address = at.authorize
		}
	}
	to, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return to.Host
}

// AuthorizationURL is where a browser is sent. The error is a *porterhouse.Error.
func (r *RelyingParty) AuthorizationURL(ctx context.Context, t Trip) (string, error) {
	if t.State == "" || t.Nonce == "" || t.Verifier == "" || t.RedirectURI == "" {
		return "", broken("a sign-in at %q begins without state, nonce, verifier or redirect URI", r.settings.Name)
	}
	at, err := r.places(ctx)
	if err != nil {
		return "", r.said(err)
	}
	to, err := url.Parse(at.authorize)
	if err != nil {
		return "", r.said(away("the authorization_endpoint of the discovery document is no URL"))
	}
	scopes, challenge := r.habit.scopesFor(at, r.settings, r.client), sha256.Sum256([]byte(t.Verifier))
	query := to.Query() // the endpoint may have one of its own (RFC 6749, 3.1)
	for name, value := range map[string]string{
		"response_type": "code", "client_id": r.client.ClientID, "redirect_uri": t.RedirectURI,
		"scope": strings.Join(scopes, " "), "state": t.State, "nonce": t.Nonce,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
		"prompt": r.habit.promptFor(at, scopes), "access_type": r.habit.accessType,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(r.client.Resources) > 0 {
		query["resource"] = r.client.Resources
	}
	to.RawQuery = query.Encode()
	return to.String(), nil
}

// Probe reports whether people could sign in there now, as far as the provider's own
// document tells. The error is a *porterhouse.Error: Refused when it is a demo's, which
// proves nobody, Unavailable when it does not answer, or not with what is needed.
func (r *RelyingParty) Probe(ctx context.Context) error {
	_, err := r.places(ctx)
	if err != nil {
		return r.said(err)
	}
	return nil
}

// places are those of the site, with all that signing in needs.
func (r *RelyingParty) places(ctx context.Context) (places, error) {
	at, err := r.site.places(ctx)
	if err != nil {
		return places{}, err
	}
	for name, address := range map[string]string{"authorization_endpoint": at.authorize, "token_endpoint": at.token} {
		if address == "" {
			return places{}, away("the discovery document has no %s: can people sign in there?", name)
		}
		if err := r.providers.outbound.Check(address); err != nil {
			return places{}, away("the %s of the discovery document: %w", name, err)
		}
	}
	return at, nil
}

// Redeem exchanges a code and verifies who it is: an ID token for this client with
// this trip's nonce, or, at GitHub, an access token of this application. iss is the
// parameter of RFC 9207 in the redirect; "" when there was none. The error is a
// *porterhouse.Error: Unauthenticated when nobody was proved, Refused when the person
// may not come in, Unavailable when nobody can tell.
func (r *RelyingParty) Redeem(ctx context.Context, t Trip, code, iss string) (porterhouse.Principal, Kept, error) {
	who, kept, err := r.redeem(ctx, t, code, iss)
	if err != nil {
		return porterhouse.Principal{}, Kept{}, r.said(err)
	}
	return who, kept, nil
}

func (r *RelyingParty) redeem(ctx context.Context, t Trip, code, iss string) (porterhouse.Principal, Kept, error) {
	if code == "" || t.Nonce == "" || t.Verifier == "" {
		return porterhouse.Principal{}, Kept{}, refuse("the provider sent the browser back without a code, or nobody was sent there")
	}
	at, err := r.places(ctx)
	if err != nil {
		return porterhouse.Principal{}, Kept{}, err
	}
	if err := r.checkRedirect(at, iss); err != nil {
		return porterhouse.Principal{}, Kept{}, err
	}
	answer, err := r.tokens(at).ask(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {t.RedirectURI}, "code_verifier": {t.Verifier},
	})
	if err != nil {
		return porterhouse.Principal{}, Kept{}, err
	}
	who, err := r.identify(ctx, at, answer, t.Nonce)
	return who, r.keep(at, answer, Kept{}), err
}

// checkRedirect compares iss with whom the browser was sent to: else a provider that
// is dishonest could have its own code redeemed here, or be given another's (RFC 9207).
func (r *RelyingParty) checkRedirect(at places, iss string) error {
	wanted := r.rules.issuers
	if at.issuer != "" {
		wanted = []string{at.issuer}
	}
	if r.github != nil { // as its metadata has it
		wanted = append(slices.Clone(wanted), wanted[0]+"/login/oauth")
	}
	switch {
	case iss == "" && at.namesItself:
		return refuse("the redirect does not say which provider it is of (iss), and this one always does")
	case iss != "" && !slices.Contains(wanted, iss):
		return refuse("the redirect is of the provider %q (iss), not of %s, where the browser was sent", abridged(iss), quoted(wanted))
	}
	return nil
}

// tokens is us at the token endpoint.
func (r *RelyingParty) tokens(at places) tokenClient {
	return tokenClient{outbound: r.providers.outbound, client: r.client, at: at, scopes: r.habit.scopesFor(at, r.settings, r.client), now: r.providers.now}
}

// said gives an error the words of somebody who signs in, and the processor's name.
func (r *RelyingParty) said(err error) error {
	var found *porterhouse.Error
	if err = r.settings.says(err); !errors.As(err, &found) {
		return broken("signing in: %w", err)
	}
	switch {
	case errors.Is(err, errDemo):
		found.Kind = porterhouse.Refused
		found.Public = "that identity provider is a demonstration, where anybody can sign in as anybody, so nobody who comes from there is let in: the operator of this server has to name another one"
	case found.Kind == porterhouse.Unauthenticated:
		found.Public = "the identity provider did not confirm who you are: sign in again, and tell the operator of this server if it happens again"
	case found.Kind == porterhouse.Unavailable:
		found.Public = "the identity provider cannot be asked right now: try again in a moment, and tell the operator of this server if it stays so"
	}
	return found
}

// Kept is what a provider gave us to ask for the person again: nothing that could not
// be used for it.
type Kept struct {
	RefreshToken string
	AccessToken  string
	Expires      time.Time // of AccessToken; zero: not told
}

// isAlive reports whether the access token can be asked about as it is.
func (k Kept) isAlive(now time.Time) bool {
	return k.AccessToken != "" && (k.Expires.IsZero() || now.Add(time.Minute).Before(k.Expires))
}
