// Package signin takes a browser in and gives a Principal out: it lets the person
// choose a provider, sends the browser there, verifies what comes back, and
// remembers it in a session.
//
//	GET  /signin?return=/…   the chooser: who asks, and where to sign in (a click, always)
//	POST /signin             a provider was chosen ─▶ sealed cookie of the trip ─▶ 303 to the provider
//	GET  /signin/callback/…  back: state, iss, code ─▶ Provider.Finish ─▶ session cookie ─▶ 303 to return
//	GET, POST /signin/out    who is signed in; a button to sign out, and one to end all that the sign-in gave
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
// A login that nobody asked for ends with the browser's session. Once somebody was
// given tokens because of it (Recheck was called with its id, Principal.TokenID) it
// lives on as long as they ask, within Lifetimes.
package signin

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"

	"porterhouse"
	"porterhouse/page"
	"porterhouse/seal"
)

// The paths that it answers.
const (
	Path         = "/signin"
	CallbackPath = "/signin/callback/" // and the name of the provider: CallbackOf
	OutPath      = "/signin/out"
)

//go:embed pages/*.html
var pages embed.FS

// SignIn is the room. It is safe for concurrent use.
type SignIn struct {
	Config
	providers map[string]Provider // by name
	cookies   cookies
	trips     *trips
	sessions  *sessions
	logins    *logins
	rechecks  *rechecks
	tokens    *tokens
	pages     *page.Set
	origin    *http.CrossOriginProtection
	mux       *http.ServeMux
	counts    *counts
}

// New checks c and returns its SignIn.
func New(c Config) (*SignIn, error) {
	public, err := c.check()
	if err != nil {
		return nil, fmt.Errorf("signin: %w", err)
	}
	s := &SignIn{
		Config:    c.withDefaults(),
		providers: map[string]Provider{},
		cookies:   cookiesOf(public),
		origin:    http.NewCrossOriginProtection(),
		counts:    &counts{},
	}
	for _, p := range c.Providers {
		s.providers[p.Name] = p
	}
	if err := s.furnish(); err != nil {
		return nil, err
	}
	files, err := fs.Sub(pages, "pages")
	if err != nil {
		return nil, fmt.Errorf("signin: %w", err)
	}
	if s.pages, err = page.New(files); err != nil {
		return nil, err
	}
	s.mux = s.routes()
	return s, nil
}

// furnish makes what is kept, each under a key of its own.
func (s *SignIn) furnish() error {
	var trip, session, login *seal.Box
	for purpose, box := range map[string]**seal.Box{"signin trip": &trip, "signin session": &session, "signin login": &login} {
		var err error
		if *box, err = s.Key.For(purpose); err != nil {
			return err
		}
	}
	back := func(provider string) string { return s.PublicURL + CallbackOf(provider) }
	s.trips = &trips{s.cookies, trip, s.Store, back, s.Now}
	s.logins = &logins{s.Store, login, s.providers, s.Lifetimes, s.Now}
	s.sessions = &sessions{s.cookies, session, s.Store, s.logins}
	s.rechecks = &rechecks{s.logins, s.Audit, s.Log, s.counts}
	s.tokens = newTokens(s.rechecks)
	return nil
}

// CallbackOf is the path to which a provider sends browsers back, one of its own. On a
// common path, a provider that is dishonest could send a browser on to another, and
// have that one's code brought to itself: not each says in its redirects which it is
// (RFC 9700, 4.4.2).
func CallbackOf(provider string) string { return CallbackPath + url.PathEscape(provider) }

// ServeHTTP answers the paths above.
func (s *SignIn) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Who tells who is signed in in the browser that sent r. The Principal's TokenID is
// the login's id, Issued when the person signed in, and Expires when the login ends
// whatever happens. Unauthenticated: nobody; Unavailable: the store is away.
func (s *SignIn) Who(r *http.Request) (porterhouse.Principal, error) {
	l, _, err := s.sessions.of(r)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	who := l.principal()
	who.Issued = l.SignedIn
	return who, nil
}

// Recheck asks the provider of who's login (who.TokenID) about the person, unless it
// was asked a moment ago, and returns them as they are now. Unauthenticated: the
// login has ended, or the provider says no, which ends it. Unavailable: nobody can
// tell, and the last yes is older than Lifetimes.Grace.
//
// Whoever gives a token because of a login calls it first: from then on the login
// outlives the browser's session.
func (s *SignIn) Recheck(ctx context.Context, who porterhouse.Principal) (porterhouse.Principal, error) {
	return s.rechecks.run(ctx, who)
}

// Token returns an access token of the provider for a purpose (Provider.Tokens), of the
// login that who came from (who.Login): one that is remembered, or a new one. A zero
// Secret: who came from no login here, or the provider has no tokens for that purpose.
// Unauthenticated: the login has ended, or the provider says no, which ends it. Refused:
// it says no to this purpose alone. Unavailable: nobody can tell.
func (s *SignIn) Token(ctx context.Context, who porterhouse.Principal, purpose string) (porterhouse.Secret, error) {
	return s.tokens.run(ctx, who, purpose)
}

// End ends a login: nothing that was given because of it can be renewed.
func (s *SignIn) End(ctx context.Context, who porterhouse.Principal) error {
	return s.logins.end(ctx, who)
}
