// Package signin takes a browser in and gives a Principal out: it lets the person
// choose a provider, sends the browser there, verifies what comes back, and
// remembers it in a session.
//
//	GET  /signin?return=/…   the chooser: who asks, and where to sign in (a click, always)
//	POST /signin             a provider was chosen ─▶ sealed cookie of the trip ─▶ 303 to the provider
//	GET  /signin/callback    back: state, iss, code ─▶ Provider.Finish ─▶ session cookie ─▶ 303 to return
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
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"

	"porterhouse"
	"porterhouse/page"
	"porterhouse/seal"
)

// The paths that it answers.
const (
	Path         = "/signin"
	CallbackPath = "/signin/callback"
	OutPath      = "/signin/out"
)

//go:embed pages/*.html
var pages embed.FS

// SignIn is the room. It is safe for concurrent use.
type SignIn struct {
	Config
	providers map[string]Provider
	cookies   cookies
	trips     *seal.Box
	sessions  *seal.Box
	logins    *seal.Box
	pages     *page.Set
	limits    *limits
	origin    *http.CrossOriginProtection
	mux       *http.ServeMux
	counts    counts
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
		limits:    newLimits(),
		origin:    http.NewCrossOriginProtection(),
		mux:       http.NewServeMux(),
	}
	for _, p := range c.Providers {
		s.providers[p.Name] = p
	}
	for purpose, box := range map[string]**seal.Box{"signin trip": &s.trips, "signin session": &s.sessions, "signin login": &s.logins} {
		if *box, err = c.Key.For(purpose); err != nil {
			return nil, err
		}
	}
	files, err := fs.Sub(pages, "pages")
	if err != nil {
		return nil, fmt.Errorf("signin: %w", err)
	}
	if s.pages, err = page.New(files); err != nil {
		return nil, err
	}
	s.route()
	return s, nil
}

// handler answers, or says why not.
type handler func(w http.ResponseWriter, r *http.Request) error

func (s *SignIn) route() {
	for pattern, h := range map[string]handler{
		"GET " + Path:         s.limited(s.choose), // who asks may have to be looked up
		"POST " + Path:        s.limited(s.sameOrigin(s.depart)),
		"GET " + CallbackPath: s.limited(s.arrive),
		"GET " + OutPath:      s.showOut,
		"POST " + OutPath:     s.sameOrigin(s.out),
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.refuse(w, r, err)
			}
		})
	}
}

// ServeHTTP answers the paths above.
func (s *SignIn) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// maxForm is how large a form of ours can be, in bytes.
const maxForm = 16 << 10

// sameOrigin lets a form through that a page of ours has sent.
func (s *SignIn) sameOrigin(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.origin.Check(r); err != nil {
			return elsewhere(err)
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return unreadable(err)
		}
		return next(w, r)
	}
}

// limited lets a network through that has not been here too often.
func (s *SignIn) limited(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !s.limits.allow(remote(r), s.Now()) {
			w.Header().Set("Retry-After", "10")
			return tooOften()
		}
		return next(w, r)
	}
}

// refuse shows and logs why somebody does not get further.
func (s *SignIn) refuse(w http.ResponseWriter, r *http.Request, err error) {
	why := refusalOf(err)
	why.Request = r.Header.Get("X-Request-Id")
	level := slog.LevelInfo
	if why.Status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	s.counts.refused.Add(1)
	s.Log.LogAttrs(r.Context(), level, "sign-in refused",
		slog.String("request", why.Request),
		slog.String("path", r.URL.Path),
		slog.Int("status", why.Status),
		slog.String("title", why.Title),
		slog.Any("cause", why.err),
		slog.String("remote", r.RemoteAddr))
	s.pages.WriteProblem(w, why.Problem)
}

// seeOther sends a browser on, with GET.
func seeOther(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// remote is the address that a request came from, without its port.
func remote(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, _ := netip.ParseAddr(host) // what is none is counted with all others that are none
	return address.Unmap().WithZone("")
}

// is reports whether err is of one of these kinds.
func is(err error, kinds ...porterhouse.Kind) bool {
	found, _ := porterhouse.Explain(err)
	for _, k := range kinds {
		if err != nil && found == k {
			return true
		}
	}
	return false
}
