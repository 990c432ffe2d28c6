// Package login is the command line's side of signing in: a server's URL in, an
// access token out.
//
//	URL ─▶ discover (RFC 9728, RFC 8414) ─▶ browser with a loopback redirect, or device code ─▶ tokens
//	                                                                   │
//	a token for scripts ◀── refreshed when needed, by one process ◀── a file of the owner's,
//	                                                                  sealed where there is a keyring
//
// The rule of the package: a token is shown to nobody but whoever asked for exactly
// that, and goes to nobody but the server that it is for. So a server whose papers
// name any other host is refused: a Porterhouse gives out its own tokens.
package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"porterhouse"
)

// ClientID is what every Porterhouse knows the command line as: a public client,
// with the redirect http://127.0.0.1/callback on any port.
const ClientID = "porterhouse-cli"

// Config is what Logins are made of.
type Config struct {
	Dir     string           // of the file and its locks; made when it is not there
	Keyring Keyring          // nil: there is none
	HTTP    *http.Client     // nil: one that waits 30 s for an answer
	Now     func() time.Time // nil: time.Now
}

// Logins are the sign-ins of the person who uses this machine. It is safe for
// concurrent use, also by several processes.
type Logins struct {
	store store
	wire  wire
	now   func() time.Time
}

// New checks c and returns its Logins.
func New(c Config) (*Logins, error) {
	if !filepath.IsAbs(c.Dir) {
		return nil, fmt.Errorf("login: the directory %q must be an absolute path", c.Dir)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Logins{store{dir: c.Dir, keyring: c.Keyring}, newWire(c.HTTP), c.Now}, nil
}

// Login is one sign-in that is kept.
type Login struct {
	Resource string // what its tokens are for, and what it is called: https://host/mcp, unless Options named another
	Server   string // where to sign in for it: Resource, or the URL of the server that gives tokens for it
	Person   string // who signed in, as the token says; "": it does not. For people, and no proof
	Scope    string // that was granted
	SignedIn time.Time
	Sealed   bool // kept under a key of the keyring
}

// List returns the logins, in the order of their names.
func (l *Logins) List() ([]Login, error) {
	records, err := l.store.read()
	if err != nil {
		return nil, err
	}
	var list []Login
	for _, r := range records {
		list = append(list, r.login())
	}
	slices.SortFunc(list, func(a, b Login) int { return strings.Compare(a.Resource, b.Resource) })
	return list, nil
}

// find returns the login that a person means: by the URL of the MCP door or of its
// server, or, when they say none, the only one.
func find(records []record, given string) (record, error) {
	if len(records) == 0 {
		return record{}, porterhouse.Errorf(porterhouse.Unauthenticated, "you are signed in nowhere: run porterhouse login URL")
	}
	found := slices.DeleteFunc(slices.Clone(records), func(r record) bool { return r.Resource != given })
	if given == "" {
		found = records
	} else if len(found) == 0 {
		at, err := address(given)
		if err != nil {
			return record{}, err
		}
		found = slices.DeleteFunc(slices.Clone(records), func(r record) bool { return !covers(at, r.Resource) })
		given = at.String()
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return record{}, porterhouse.Errorf(porterhouse.Unauthenticated, "you are not signed in at %s: run porterhouse login %s", given, given)
	}
	return record{}, porterhouse.Errorf(porterhouse.Invalid, "you are signed in at several servers, so say which one:%s", names(found))
}

// names lists records for people, each on a line of its own.
func names(records []record) string {
	var all []string
	for _, r := range records {
		all = append(all, r.Resource)
	}
	slices.Sort(all)
	return "\n  " + strings.Join(all, "\n  ")
}

// covers reports whether a person who says at means the resource: the URL itself, or
// the server that it is at.
func covers(at *url.URL, resource string) bool {
	r, err := url.Parse(resource)
	return err == nil && r.Scheme == at.Scheme && r.Host == at.Host && (at.Path == "" || at.Path == strings.TrimSuffix(r.Path, "/"))
}

// margin is how long a token must still be good to be worth handing out.
const margin = 60 * time.Second

// Token returns an access token of the login that a person means (see List; "" means
// the only one), refreshed when it has less than a minute, and when it ends. The kind
// of an error is Unauthenticated when signing in anew would help.
func (l *Logins) Token(ctx context.Context, given string) (porterhouse.Secret, time.Time, error) {
	r, kept, err := l.kept(ctx, given)
	if err != nil {
		return porterhouse.Secret{}, time.Time{}, err
	}
	if !kept.fresh(l.now()) {
		if kept, err = l.renew(ctx, r.Resource); err != nil {
			return porterhouse.Secret{}, time.Time{}, err
		}
	}
	return porterhouse.NewSecret(kept.Access), kept.Expires, nil
}

// Resource returns the URL of the MCP door whose login a person means.
func (l *Logins) Resource(given string) (string, error) {
	records, err := l.store.read()
	if err != nil {
		return "", err
	}
	r, err := find(records, given)
	return r.Resource, err
}

// kept reads a login and its tokens.
func (l *Logins) kept(ctx context.Context, given string) (record, tokens, error) {
	records, err := l.store.read()
	if err != nil {
		return record{}, tokens{}, err
	}
	r, err := find(records, given)
	if err != nil {
		return record{}, tokens{}, err
	}
	kept, err := l.store.open(ctx, r)
	return r, kept, err
}

// renew refreshes a login's tokens. Of all processes one does it, and the others,
// which wait for it, find what it got: a refresh token that is used twice ends the
// login.
func (l *Logins) renew(ctx context.Context, resource string) (tokens, error) {
	unlock, err := l.store.lock(ctx, resource)
	if err != nil {
		return tokens{}, err
	}
	defer unlock()
	r, kept, err := l.kept(ctx, resource)
	if err != nil || kept.fresh(l.now()) {
		return kept, err
	}
	if kept.Refresh == "" {
		if kept.Access != "" && l.now().Before(kept.Expires) {
			return kept, nil
		}
		return tokens{}, r.ended(errors.New("there is no refresh token"))
	}
	next, err := oauthFor(server{token: r.TokenEndpoint}).TokenSource(l.wire.context(ctx), &oauth2.Token{RefreshToken: kept.Refresh}).Token()
	if err != nil {
		return l.withoutAnswer(ctx, r, kept, err)
	}
	fresh, err := received(next, l.now()) // with the old refresh token, when there was no new one
	if err != nil {
		return tokens{}, err
	}
	_, err = l.store.put(ctx, r, fresh)
	return fresh, err
}

// withoutAnswer is renew when the server gave no token: by its no the login ends,
// and while it is away the old token is used up.
func (l *Logins) withoutAnswer(ctx context.Context, r record, kept tokens, cause error) (tokens, error) {
	var refusal *oauth2.RetrieveError
	if errors.As(cause, &refusal) && (refusal.ErrorCode == "invalid_grant" || refusal.ErrorCode == "invalid_client" || refusal.ErrorCode == "unauthorized_client") {
		_, err := l.store.put(ctx, r, tokens{})
		return tokens{}, errors.Join(r.ended(worded(cause)), err)
	}
	if kept.Access != "" && l.now().Before(kept.Expires) {
		return kept, nil
	}
	return tokens{}, &porterhouse.Error{Kind: porterhouse.Unavailable, Public: "the token could not be refreshed at " + r.Resource + "; try again", Err: worded(cause)}
}

// again is the command that signs in anew.
func (r record) again() string {
	if r.Server == "" {
		return "porterhouse login " + r.Resource
	}
	return "porterhouse login " + r.Server + " --resource " + r.Resource
}

// ended says that a person must sign in again.
func (r record) ended(cause error) error {
	return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "the login at " + r.Resource + " has ended: run " + r.again(), Err: cause}
}

// SignOut ends a login: the server is told to revoke it, and it is forgotten here,
// whatever the server says. An Unavailable error says that it could not be told.
func (l *Logins) SignOut(ctx context.Context, given string) (resource string, err error) {
	records, err := l.store.read()
	if err != nil {
		return "", err
	}
	r, err := find(records, given)
	if err != nil {
		return "", err
	}
	unlock, err := l.store.lock(ctx, r.Resource) // who refreshes now would leave a good token behind
	if err != nil {
		return "", err
	}
	defer unlock()
	untold := l.tell(ctx, r.Resource)
	if err := l.store.remove(ctx, r.Resource); err != nil {
		return r.Resource, err
	}
	if untold != nil {
		return r.Resource, &porterhouse.Error{Kind: porterhouse.Unavailable, Public: "the login at " + r.Resource + " is forgotten here, but the server could not be told: it ends there by itself when it is not used", Err: untold}
	}
	return r.Resource, nil
}

// tell asks the server to revoke what is kept of a login (RFC 7009).
func (l *Logins) tell(ctx context.Context, resource string) error {
	r, kept, err := l.kept(ctx, resource)
	if err != nil {
		return err
	}
	form := url.Values{"client_id": {ClientID}, "token": {kept.Refresh}, "token_type_hint": {"refresh_token"}}
	if kept.Refresh == "" {
		form.Set("token", kept.Access)
		form.Set("token_type_hint", "access_token")
	}
	if form.Get("token") == "" {
		return nil // it has ended already
	}
	if r.RevocationEndpoint == "" {
		return errors.New("it names no address for that")
	}
	return l.wire.post(ctx, r.RevocationEndpoint, form)
}
