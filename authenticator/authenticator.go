// Package authenticator is the door that ClickHouse itself knocks on
// (http_authentication_servers): is this the right secret of this user?
//
//	a driver ── user, secret ──▶ ClickHouse ── GET /path, Basic user:secret ──▶ Door
//	                                │                                             │
//	                                │            a ticket ── Redeem(user, query) ─┤
//	                                │            a token ─── Verify ── Account ───┤ its user name is user
//	                                │                                             │
//	                                ◀── 200 {"settings":{…}} ─────────────────────┤ let in
//	                                ◀── 401 ──────────────────────────────────────┤ not proved
//	                                ◀── 503 ──────────────────────────────────────┘ nobody can tell
//
// The rule of the package: every secret is looked at, however many wrong ones came
// before it. Failures make only failures slow, so nobody can lock Alice out by
// guessing in her name.
//
// doc/authenticator.md tells operators what to configure, and what ClickHouse does
// with these answers.
package authenticator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"porterhouse"
)

// Config is what the door is made of.
type Config struct {
	Name    string             // of this authenticator: tickets are bound to it
	Cluster string             // the cluster whose servers ask here
	Path    porterhouse.Secret // that only ClickHouse knows: at least 16 letters, digits, "-", "_" and "/"; one that does not begin with "/" gets it
	// Verify proves who a token belongs to, as a token for this cluster. Who gave no
	// more than reading (Principal.ReadOnly) is not let in.
	Verify func(ctx context.Context, token string) (porterhouse.Principal, error)
	// Account is the directory's answer: whose account it is.
	Account func(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error)
	// IsTicket reports whether a secret is a one-time ticket, which nobody but
	// Redeem gets to see; Redeem accepts it, for a user and a query. Both or
	// neither: there are no tickets then.
	IsTicket func(secret string) bool
	Redeem   func(ctx context.Context, secret string, user porterhouse.UserName, queryID string) error
	// Settings are given to the session of everybody who is let in. ClickHouse
	// drops all of them when it does not know one, or cannot read a value: limits
	// that must hold belong on the account, as CONST.
	Settings map[string]string
	// Admitted and Rejected record what was decided: the first of a kind at once,
	// those that follow within a minute together, times says how many they are.
	// They may be called by several requests at once.
	Admitted func(a Admission, times uint64)
	Rejected func(r Rejection, times uint64)
	Failures *Failures        // of this cluster's users; nil: new ones
	Log      *slog.Logger     // nil: discarded
	Now      func() time.Time // nil: time.Now
}

// Admission is somebody who was let in.
type Admission struct {
	Who     porterhouse.Principal // without the token; zero for a ticket: the gate's own record says whose query it is
	Account porterhouse.Account
	Ticket  bool
	Remote  string // the ClickHouse that asked, an address with its port
}

// Rejection is somebody who was not.
type Rejection struct {
	User   string // the ClickHouse user that was asked for; "" when it is no user name
	Remote string // the ClickHouse that asked, or a stranger who knows the path
	Err    error  // why; kind Unauthenticated, or another when nobody could tell
}

// Door names this door in a porterhouse.Entry and in audit records.
const Door = "authenticator"

// QueryIDHeader is the header that carries the query id of a ticket: from the
// gate to ClickHouse, which forwards it here. It is one of our own because
// ClickHouse forwards none whose name begins with X-ClickHouse.
const QueryIDHeader = "X-Porterhouse-Query-Id"

const (
	minPath          = 16              // bytes
	maxAuthorization = 32 << 10        // bytes of the header: a token of 16 KiB, in base64, and a name
	timeout          = 4 * time.Second // for one answer: ClickHouse waits for receive_timeout_ms, 5 s
)

// Authenticator is the door. It is safe for concurrent use.
type Authenticator struct {
	config   Config
	path     porterhouse.Secret // begins with "/"
	answer   []byte             // to those who are let in
	failures *Failures
	admitted fold[Admission]
	rejected fold[Rejection]

	stats struct{ tokens, tickets, refused, failed atomic.Uint64 }
}

// New checks c and makes the door.
func New(c Config) (*Authenticator, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	answer, err := json.Marshal(map[string]map[string]string{"settings": c.Settings})
	if err != nil {
		return nil, fmt.Errorf("authenticator: settings: %w", err)
	}
	if len(c.Settings) == 0 {
		answer = []byte("{}")
	}
	a := &Authenticator{config: c, answer: answer, failures: c.Failures}
	if a.failures == nil {
		a.failures = &Failures{}
	}
	a.path = porterhouse.NewSecret("/" + strings.TrimPrefix(c.Path.Reveal(), "/"))
	a.admitted.tell, a.rejected.tell = c.Admitted, a.tellRejected
	return a, nil
}

var (
	pathForm    = regexp.MustCompile(`^[A-Za-z0-9_/-]+$`)
	settingForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (c Config) check() error {
	path := c.Path.Reveal()
	switch {
	case c.Name == "" || c.Cluster == "":
		return errors.New("it needs a name, and the name of its cluster")
	case len(path) < minPath:
		return fmt.Errorf("the path has %d bytes, less than the %d that a secret must have", len(path), minPath)
	case !pathForm.MatchString(path):
		return errors.New(`the path may have only letters, digits, "-", "_" and "/": openssl rand -hex 16 makes one`)
	case c.Verify == nil || c.Account == nil:
		return errors.New("nobody verifies tokens, or knows whose account it is")
	case (c.IsTicket == nil) != (c.Redeem == nil):
		return errors.New("tickets need both IsTicket and Redeem")
	case c.Admitted == nil || c.Rejected == nil:
		return errors.New("nobody records who was let in")
	}
	for name := range c.Settings {
		if !settingForm.MatchString(name) {
			return fmt.Errorf("%q is not the name of a setting", name)
		}
	}
	return nil
}

// ServeHTTP implements http.Handler. Whoever does not know the path sees a server
// that has nothing.
func (a *Authenticator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.path.Equal(r.URL.Path) || r.Method != http.MethodGet || r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // a body is not read
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	admission, user, err := a.decide(ctx, r)
	if err != nil {
		a.reject(ctx, w, Rejection{User: user.String(), Remote: r.RemoteAddr, Err: err})
		return
	}
	a.admit(w, admission)
}

// decide lets somebody in, or says why not. user is whom was asked for, once that
// is known to be a name.
func (a *Authenticator) decide(ctx context.Context, r *http.Request) (_ Admission, user porterhouse.UserName, err error) {
	user, secret, err := credentials(r.Header)
	if err != nil {
		return Admission{}, user, err
	}
	admission := Admission{Account: porterhouse.Account{User: user}, Remote: r.RemoteAddr}
	if a.config.Redeem != nil && a.config.IsTicket(secret) {
		admission.Ticket = true
		return admission, user, a.config.Redeem(ctx, secret, user, only(r.Header, QueryIDHeader))
	}
	if admission.Who, err = a.config.Verify(ctx, secret); err != nil {
		return Admission{}, user, err
	}
	if admission.Who.ReadOnly {
		return Admission{}, user, refuse("the token of %q gives no more than reading, to which ClickHouse cannot hold a session of an account that may write: one with the scope clickhouse:write is needed here", admission.Who.User)
	}
	admission.Account, err = a.config.Account(ctx, admission.Who, porterhouse.Entry{Cluster: a.config.Cluster, Door: Door})
	if err != nil {
		return Admission{}, user, err
	}
	if user.IsZero() || admission.Account.User != user {
		return Admission{}, user, refuse("a good token of %q, whose account is %q, came for the user %q", admission.Who.User, admission.Account.User, user)
	}
	admission.Who.Token = porterhouse.Secret{}
	return admission, user, nil
}

// credentials reads Basic user:secret. ClickHouse puts the name and the secret
// together with a colon, also when there is one in the name: then it could be read
// as another name with another secret. So neither may have one.
func credentials(h http.Header) (user porterhouse.UserName, secret string, err error) {
	value := only(h, "Authorization")
	if len(value) > maxAuthorization {
		return user, "", refuse("the Authorization header has %d bytes, more than the %d allowed", len(value), maxAuthorization)
	}
	name, secret, ok := (&http.Request{Header: http.Header{"Authorization": {value}}}).BasicAuth()
	if !ok {
		return user, "", refuse("there is no Authorization header of the form Basic user:secret, or more than one")
	}
	if user, err = porterhouse.ParseUserName(name); err != nil {
		return user, "", refuse("%w", err)
	}
	if secret == "" || strings.Contains(secret, ":") {
		return user, "", refuse("the secret is empty, or there is a colon in it or in the user name")
	}
	return user, secret, nil
}

// only is the value of a header that is there once; else "".
func only(h http.Header, name string) string {
	if values := h.Values(name); len(values) == 1 {
		return values[0]
	}
	return ""
}

// refuse says why somebody is not let in.
func refuse(format string, args ...any) error {
	return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "the user or the secret is wrong", Err: fmt.Errorf(format, args...)}
}

// admit answers 200.
func (a *Authenticator) admit(w http.ResponseWriter, admission Admission) {
	count := &a.stats.tokens
	if admission.Ticket {
		count = &a.stats.tickets
	}
	count.Add(1)
	a.admitted.add(a.config.Now(), admission.key(), admission)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(a.answer) // ClickHouse has gone: it will ask again
}

// reject answers 401, later the more of them there were; or 503 at once when
// nobody could tell.
func (a *Authenticator) reject(ctx context.Context, w http.ResponseWriter, rejection Rejection) {
	a.rejected.add(a.config.Now(), rejection.key(), rejection)
	if kind, _ := porterhouse.Explain(rejection.Err); !final(kind) {
		a.stats.failed.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	a.stats.refused.Add(1)
	a.failures.slow(ctx, a.config.Now(), rejection.User, rejection.Remote)
	w.Header().Set("WWW-Authenticate", `Basic realm="ClickHouse"`)
	w.WriteHeader(http.StatusUnauthorized)
}

// tellRejected logs what is told of rejections, and hands it on.
func (a *Authenticator) tellRejected(r Rejection, times uint64) {
	level := slog.LevelInfo
	if kind, _ := porterhouse.Explain(r.Err); !final(kind) {
		level = slog.LevelWarn
	}
	a.config.Log.Log(context.Background(), level, "ClickHouse was told not to let somebody in",
		"cluster", a.config.Cluster, "user", r.User, "remote", r.Remote, "times", times, "error", r.Err)
	a.config.Rejected(r, times)
}

// final reports whether the same secret will be refused again.
func final(kind porterhouse.Kind) bool {
	return kind == porterhouse.Unauthenticated || kind == porterhouse.Refused || kind == porterhouse.Invalid
}

// Flush tells what was folded so far; for the end of the process, and for times
// when nobody comes.
func (a *Authenticator) Flush() {
	a.admitted.flush()
	a.rejected.flush()
}

// Stats counts decisions since New.
type Stats struct {
	Tokens, Tickets uint64 // let in
	Refused         uint64 // 401
	Failed          uint64 // 503
}

// Stats returns the counts so far.
func (a *Authenticator) Stats() Stats {
	return Stats{a.stats.tokens.Load(), a.stats.tickets.Load(), a.stats.refused.Load(), a.stats.failed.Load()}
}
