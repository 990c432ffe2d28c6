package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"porterhouse"
)

// oauth is us, as a client of a server.
func (l *Logins) oauth(s server) *oauth2.Config {
	return &oauth2.Config{ClientID: ClientID, Endpoint: oauth2.Endpoint{
		AuthURL: s.authorize, TokenURL: s.token, DeviceAuthURL: s.device, AuthStyle: oauth2.AuthStyleInParams,
	}}
}

// context is ctx with our HTTP client in it, which is how oauth2 is given one.
func (l *Logins) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, l.http)
}

// resourceOf names what a token is wanted for (RFC 8707).
func resourceOf(s server) oauth2.AuthCodeOption {
	return oauth2.SetAuthURLParam("resource", s.resource)
}

// tokens are what a login has.
type tokens struct {
	Access  string    `json:"access_token,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // of Access
	Refresh string    `json:"refresh_token,omitempty"`
}

// fresh reports whether the access token will do for a while.
func (t tokens) fresh(now time.Time) bool {
	return t.Access != "" && now.Add(margin).Before(t.Expires)
}

// unstated is how long an access token counts whose server does not say.
const unstated = 5 * time.Minute

// received is what a server has given. An access token goes into a header and to a
// terminal, so it has no other characters than RFC 6750 lets it have.
func (l *Logins) received(t *oauth2.Token) (tokens, error) {
	if !strings.EqualFold(t.Type(), "Bearer") {
		return tokens{}, porterhouse.Errorf(porterhouse.Unavailable, "the server gives tokens of the type %q, and only Bearer is understood", printable(t.Type()))
	}
	if t.AccessToken == "" || !plain(t.AccessToken) {
		return tokens{}, porterhouse.Errorf(porterhouse.Unavailable, "the server gave something that is no access token")
	}
	lifetime := time.Duration(t.ExpiresIn) * time.Second
	if lifetime <= 0 {
		lifetime = unstated
	}
	return tokens{Access: t.AccessToken, Expires: l.now().Add(lifetime), Refresh: t.RefreshToken}, nil
}

// keep remembers what somebody has been given.
func (l *Logins) keep(ctx context.Context, s server, asked string, t *oauth2.Token) (Login, error) {
	given, err := l.received(t)
	if err != nil {
		return Login{}, err
	}
	scope, _ := t.Extra("scope").(string)
	if scope == "" {
		scope = asked // RFC 6749, 5.1: not told means as asked
	}
	r := record{
		Resource: s.resource, Issuer: s.issuer, TokenEndpoint: s.token, RevocationEndpoint: s.revoke,
		Scope: printable(scope), SignedIn: l.now().UTC().Truncate(time.Second),
	}
	unlock, err := l.store.lock(ctx, r.Resource)
	if err != nil {
		return Login{}, err
	}
	defer unlock()
	_ = l.tell(ctx, r.Resource) // an earlier login there ends now; where there is none, or none that can be read, there is nothing to end
	return l.store.put(ctx, r, given)
}

// post sends a form of which only success is of interest.
func (l *Logins) post(ctx context.Context, place string, form url.Values) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, place, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := l.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // nothing of it is needed
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxDocument)); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", place, response.Status)
	}
	return nil
}

// worded is an error of oauth2 in words that show no body: that may be anything.
func worded(err error) error {
	var refusal *oauth2.RetrieveError
	switch {
	case !errors.As(err, &refusal):
		return err
	case refusal.ErrorCode == "":
		return fmt.Errorf("the server answers %s", refusal.Response.Status)
	case refusal.ErrorDescription == "":
		return errors.New(printable(refusal.ErrorCode))
	}
	return fmt.Errorf("%s: %s", printable(refusal.ErrorCode), printable(refusal.ErrorDescription))
}
