package authserver

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"porterhouse"
)

// authorizationRequest is a request to /authorize (OAuth 2.1, 4.1.1), read once.
// With a redirect the client may be told what is wrong; without one, only the person.
type authorizationRequest struct {
	client    Client
	redirect  string   // where the browser is sent back to; checked
	state     []string // to be echoed exactly; empty: there was none
	scopes    []string // that the person is asked for
	resource  Resource
	challenge string
	prompts   []string
	maxAge    time.Duration // how old the sign-in may be; negative: any age
	after     time.Time     // the sign-in must be later; zero: any time
	query     string        // the request itself, in the one form that browsers and pages leave as it is
}

const (
	maxQuery = 8 << 10 // bytes of a request's query
	// paramAfter is ours, in the URL that a browser returns to from signing in anew
	// (prompt=login, max_age). Who makes it up can only make the request stricter.
	paramAfter = "signed_in_after"
)

// readAuthorization reads a request from its query. With an error, as much of the
// request is there as could be read; without a redirect in it the client must not
// hear of it.
func (s *Server) readAuthorization(ctx context.Context, query, remote string) (a authorizationRequest, err error) {
	if len(query) > maxQuery {
		return a, refuse("invalid_request", "the request has %d bytes, more than the %d allowed", len(query), maxQuery).as(http.StatusRequestURITooLong)
	}
	form, err := url.ParseQuery(query)
	if err != nil {
		return a, refuse("invalid_request", "the request is not encoded as a query of a URL").because(err)
	}
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(form[name]) > 1 {
			return a, refuse("invalid_request", "%s is there %d times, and may be there once", name, len(form[name]))
		}
	}
	if form.Get("client_id") == "" {
		return a, refuse("invalid_request", "client_id is missing: the address that led here is not whole")
	}
	client, err := s.client(ctx, form.Get("client_id"), remote)
	if err != nil {
		return a, err
	}
	redirect, err := client.redirectFor(form.Get("redirect_uri"))
	if err != nil {
		return a, err
	}
	a = authorizationRequest{client: client, redirect: redirect, state: form["state"], query: form.Encode(), maxAge: -1}
	return a, a.read(form, s.Config)
}

// redirectFor is where the client's answers go: to the URI that it names, which must
// be one of its own, or to the only one that it has.
func (c Client) redirectFor(uri string) (string, error) {
	switch {
	case !c.may(GrantCode):
		return "", refuse("unauthorized_client", "this client may not use authorization_code")
	case uri == "" && len(c.RedirectURIs) == 1:
		return c.RedirectURIs[0], nil
	case uri == "":
		return "", refuse("invalid_request", "redirect_uri is missing, and this client has %d of them", len(c.RedirectURIs))
	}
	if err := c.allowsRedirect(uri); err != nil {
		return "", refuse("invalid_request", "%v", err)
	}
	return uri, nil
}

// read reads what is left, in the order in which a client wants to hear of it.
func (a *authorizationRequest) read(form url.Values, c Config) (err error) {
	if err := unrepeated(form, "resource"); err != nil {
		return err
	}
	switch {
	case form.Has("request"):
		return refuse("request_not_supported", "requests in a JWT (request) are not taken; send parameters")
	case form.Has("request_uri"):
		return refuse("request_uri_not_supported", "requests by reference (request_uri) are not taken; send parameters")
	case form.Get("response_type") == "":
		return refuse("invalid_request", "response_type is missing; it has to be code")
	case form.Get("response_type") != "code":
		return refuse("unsupported_response_type", "response_type has to be code")
	case form.Has("response_mode") && form.Get("response_mode") != "query":
		return refuse("invalid_request", "response_mode can only be query")
	}
	if a.challenge, err = readChallenge(form); err != nil {
		return err
	}
	if a.resource, err = c.resourceOf(a.client, form.Get("resource")); err != nil {
		return err
	}
	if a.scopes, err = askedScopes(form.Get("scope"), a.client, a.resource); err != nil {
		return err
	}
	return a.readPrompts(form)
}

// readChallenge reads the PKCE challenge (RFC 7636, 4.3), which nobody is spared.
func readChallenge(form url.Values) (string, error) {
	challenge := form.Get("code_challenge")
	sum, err := base64.RawURLEncoding.DecodeString(challenge)
	switch {
	case challenge == "":
		return "", refuse("invalid_request", "code_challenge is missing: PKCE is needed here (S256)")
	case form.Get("code_challenge_method") != "S256":
		return "", refuse("invalid_request", "code_challenge_method has to be S256")
	case err != nil || len(sum) != 32:
		return "", refuse("invalid_request", "code_challenge is no SHA-256 in base64url: 43 characters")
	}
	return challenge, nil
}

// askedScopes are the scopes that a person is asked for: what the request names, or
// else what is usual at the resource, as far as the client may ask for it and the
// resource has it. Reading is always among
// them, since nothing can be done without. A client that can refresh is offered to:
// many never ask for offline_access, and their people would sign in every five
// minutes. The person can say no to it.
func askedScopes(text string, c Client, r Resource) ([]string, error) {
	named := without(scopesOf(text), ScopeOffline)
	if len(named) == 0 {
		named = r.Usual
	}
	wish := append([]string{ScopeRead}, without(named, ScopeRead)...)
	if c.may(GrantRefresh) {
		wish = append(wish, ScopeOffline)
	}
	asked := intersect(wish, c.Scopes, append([]string{ScopeOffline}, r.Scopes...))
	if !slices.Contains(asked, ScopeRead) {
		return nil, refuse("invalid_scope", "this client may not ask for %s at %s", ScopeRead, r.URI)
	}
	return asked, nil
}

// readPrompts reads how the person is to be asked (OpenID Connect Core, 3.1.2.1).
func (a *authorizationRequest) readPrompts(form url.Values) error {
	a.prompts = strings.Fields(form.Get("prompt"))
	if slices.Contains(a.prompts, "none") && len(a.prompts) > 1 {
		return refuse("invalid_request", "prompt=none goes with no other prompt")
	}
	if text := form.Get("max_age"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return refuse("invalid_request", "max_age has to be a number of seconds")
		}
		a.maxAge = time.Duration(seconds) * time.Second
	}
	if text := form.Get(paramAfter); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return refuse("invalid_request", "%s has to be a number of seconds", paramAfter)
		}
		a.after = time.Unix(seconds, 0)
	}
	return nil
}

// silent: nobody is to be shown anything.
func (a *authorizationRequest) silent() bool { return slices.Contains(a.prompts, "none") }

// anew: a sign-in that was there before may not be good enough.
func (a *authorizationRequest) anew() bool {
	return slices.Contains(a.prompts, "login") || slices.Contains(a.prompts, "select_account") || a.maxAge >= 0
}

// wantsSignIn reports whether the person has to sign in anew, although they are.
func (a *authorizationRequest) wantsSignIn(who porterhouse.Principal, now time.Time) bool {
	signedIn := who.Issued
	return slices.Contains(a.prompts, "login") || slices.Contains(a.prompts, "select_account") ||
		a.maxAge >= 0 && now.Sub(signedIn) > a.maxAge ||
		!a.after.IsZero() && signedIn.Before(a.after)
}

// afterSignIn is the query of the same request when its person has signed in: anew is
// then enough, once.
func (a *authorizationRequest) afterSignIn(now time.Time) (string, error) {
	if !a.anew() {
		return a.query, nil
	}
	form, err := url.ParseQuery(a.query)
	if err != nil {
		return "", err
	}
	form.Del("prompt")
	form.Del("max_age")
	form.Set(paramAfter, strconv.FormatInt(now.Unix(), 10))
	return form.Encode(), nil
}
