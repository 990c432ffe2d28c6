package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed" // of the last page
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"porterhouse"
)

// Options say how somebody signs in.
type Options struct {
	Scope    string                 // asked for; "": what the server gives by itself
	Resource string                 // what the tokens are for, by the URL that the server knows it by; "": its MCP door
	Say      io.Writer              // what the person has to know
	Browse   func(url string) error // opens a browser; nil: OpenBrowser
	Wait     time.Duration          // for the person; 0: 10 min
}

// wait is Wait, or its default.
func (o Options) wait() time.Duration {
	if o.Wait > 0 {
		return o.Wait
	}
	return 10 * time.Minute
}

// InBrowser signs in at the server that a person names, in a browser on this machine
// (RFC 8252): the browser comes back to a port of ours, with a code.
func (l *Logins) InBrowser(ctx context.Context, given string, o Options) (Login, error) {
	_, s, err := l.discover(ctx, given, o)
	if err != nil {
		return Login{}, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Login{}, fmt.Errorf("no port for the browser to come back to: %w; try --device", err)
	}
	t := newTrip(l, s, o, listener.Addr().String())
	web := &http.Server{Handler: t, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(listener) }) // ends when it is shut down
	defer serving.Wait()
	defer shutDown(ctx, web)

	if o.Browse == nil {
		o.Browse = OpenBrowser
	}
	fmt.Fprintf(o.Say, "Sign in in your browser. If none opens, open this yourself:\n\n  %s\n\n", t.url)
	if err := o.Browse(t.url); err != nil {
		fmt.Fprintf(o.Say, "(No browser could be opened: %v. On a machine without one, use --device.)\n", err)
	}
	select {
	case r := <-t.done:
		return r.login, r.err
	case <-time.After(o.wait()):
		return Login{}, porterhouse.Errorf(porterhouse.Unauthenticated, "nobody signed in within %s: run porterhouse login again", o.wait())
	case <-ctx.Done():
		return Login{}, ctx.Err()
	}
}

// shutDown ends the server when the last page has been delivered, soon in any case.
func shutDown(ctx context.Context, web *http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if web.Shutdown(ctx) != nil {
		_ = web.Close() // somebody keeps a connection open; nothing more is owed to them
	}
}

// trip is one visit of the browser at the server.
type trip struct {
	logins   *Logins
	server   server
	oauth    *oauth2.Config
	host     string // that the browser must come back to
	state    string
	verifier string
	url      string // where the browser is sent
	options  Options
	done     chan outcome

	once sync.Mutex
	used bool
}

// outcome is how a trip ended.
type outcome struct {
	login Login
	err   error
}

// callbackPath is that of the redirect that servers know us by.
const callbackPath = "/callback"

func newTrip(l *Logins, s server, o Options, host string) *trip {
	t := &trip{logins: l, server: s, oauth: oauthFor(s), host: host, state: rand.Text(), verifier: oauth2.GenerateVerifier(), options: o, done: make(chan outcome, 1)}
	t.oauth.RedirectURL = "http://" + host + callbackPath
	t.oauth.Scopes = strings.Fields(o.Scope)
	t.url = t.oauth.AuthCodeURL(t.state, oauth2.S256ChallengeOption(t.verifier), resourceOf(s))
	return t
}

// ServeHTTP is where the browser comes back. Who does not bring our state is somebody
// else, and changes nothing: the right one may still come.
func (t *trip) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Method != http.MethodGet || r.URL.Path != callbackPath || r.Host != t.host:
		http.NotFound(w, r)
		return
	case len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(t.state)) != 1:
		writeEnd(w, http.StatusBadRequest, "This is not the sign-in that porterhouse waits for", "Go back to the terminal, and open the link that it shows.")
		return
	case !t.first():
		writeEnd(w, http.StatusBadRequest, "This was used already", "Look at the terminal. To sign in again, run porterhouse login again.")
		return
	}
	ctx := context.WithoutCancel(r.Context()) // whoever closes the page has signed in all the same; asking has a deadline of its own
	login, err := t.finish(ctx, q.Get("iss"), q.Get("code"), q.Get("error"), q.Get("error_description"))
	if err != nil {
		_, text := porterhouse.Explain(err)
		writeEnd(w, http.StatusBadRequest, "Not signed in", text)
	} else {
		writeEnd(w, http.StatusOK, "You are signed in", "You can close this page, and go on in the terminal.")
	}
	t.done <- outcome{login, err}
}

// first reports whether nobody has come back yet.
func (t *trip) first() bool {
	t.once.Lock()
	defer t.once.Unlock()
	was := t.used
	t.used = true
	return !was
}

// finish turns what the browser brought into tokens that are kept. Who it says it is
// from must be the server where we began: another's code would go to the wrong hands
// (RFC 9207).
func (t *trip) finish(ctx context.Context, issuer, code, refusal, description string) (Login, error) {
	switch {
	case issuer != t.server.issuer:
		return Login{}, porterhouse.Errorf(porterhouse.Invalid, "the browser came back from %q and not from %s: nothing was given to anybody. Run porterhouse login again, and look where you sign in", printable(issuer), t.server.issuer)
	case refusal == "access_denied":
		return Login{}, porterhouse.Errorf(porterhouse.Refused, "you did not agree, or are not let in: %s", printable(description))
	case refusal != "":
		return Login{}, porterhouse.Errorf(porterhouse.Refused, "the server refuses: %s: %s", printable(refusal), printable(description))
	case code == "":
		return Login{}, porterhouse.Errorf(porterhouse.Invalid, "the browser came back without a code: run porterhouse login again")
	}
	token, err := t.oauth.Exchange(t.logins.wire.context(ctx), code, oauth2.VerifierOption(t.verifier), resourceOf(t.server))
	if err != nil {
		return Login{}, refused(err)
	}
	return t.logins.keep(ctx, t.server, t.options, token)
}

// refused says that a server gave no token.
func refused(cause error) error {
	kind := porterhouse.Unavailable
	if refusal := (*oauth2.RetrieveError)(nil); errors.As(cause, &refusal) && refusal.ErrorCode != "" {
		kind = porterhouse.Refused
	}
	return &porterhouse.Error{Kind: kind, Public: "the server gave no token", Err: worded(cause)}
}

//go:embed end.html
var endPage string

var endTemplate = template.Must(template.New("end").Parse(endPage))

// writeEnd shows the last page. It runs nothing and loads nothing.
func writeEnd(w http.ResponseWriter, status int, title, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the code is in the URL
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = endTemplate.Execute(w, map[string]any{"Title": title, "Text": text, "Well": status == http.StatusOK}) // whoever closed it has seen enough
}

// OpenBrowser opens url in the browser of this desktop.
func OpenBrowser(url string) error {
	program := "xdg-open"
	if runtime.GOOS == "darwin" {
		program = "open"
	}
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return errors.New("this is no page")
	}
	command := exec.Command(program, url)
	if err := command.Start(); err != nil {
		return err
	}
	go func() { _ = command.Wait() }() // it ends by itself, and whether well is seen in the browser
	return nil
}
