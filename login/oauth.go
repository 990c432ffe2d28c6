package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"porterhouse"
)

// oauthFor is us, as a client of a server.
func oauthFor(s server) *oauth2.Config {
	return &oauth2.Config{ClientID: ClientID, Endpoint: oauth2.Endpoint{
		AuthURL: s.authorize, TokenURL: s.token, DeviceAuthURL: s.device, AuthStyle: oauth2.AuthStyleInParams,
	}}
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
func received(t *oauth2.Token, now time.Time) (tokens, error) {
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
	return tokens{Access: t.AccessToken, Expires: now.Add(lifetime), Refresh: t.RefreshToken}, nil
}

// keep remembers what somebody has been given.
func (l *Logins) keep(ctx context.Context, s server, o Options, t *oauth2.Token) (Login, error) {
	given, err := received(t, l.now())
	if err != nil {
		return Login{}, err
	}
	scope, _ := t.Extra("scope").(string)
	if scope == "" {
		scope = o.Scope // RFC 6749, 5.1: not told means as asked
	}
	r := record{
		Resource: s.resource, Server: s.elsewhere, Issuer: s.issuer, TokenEndpoint: s.token, RevocationEndpoint: s.revoke,
		Person: personOf(given.Access), Scope: printable(scope), SignedIn: l.now().UTC().Truncate(time.Second),
	}
	unlock, err := l.store.lock(ctx, r.Resource)
	if err != nil {
		return Login{}, err
	}
	defer unlock()
	_ = l.tell(ctx, r.Resource) // an earlier login there ends now; where there is none, or none that can be read, there is nothing to end
	return l.store.put(ctx, r, given)
}

// personOf is whom an access token names. People look whether it is they: somebody at
// the same machine could have pushed a code of their own into our redirect.
func personOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	var claims struct {
		Name string `json:"name"`
	}
	if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return printable(claims.Name)
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
