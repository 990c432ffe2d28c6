package login

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"porterhouse"
)

// ByDevice signs in at the server that a person names, in a browser anywhere: a code
// is shown here and typed there (RFC 8628).
func (l *Logins) ByDevice(ctx context.Context, given string, o Options) (Login, error) {
	at, s, err := l.discover(ctx, given, o)
	if err != nil {
		return Login{}, err
	}
	if s.device == "" {
		return Login{}, porterhouse.Errorf(porterhouse.Invalid, "%s does not let devices sign in: leave out --device", at)
	}
	oauth := oauthFor(s)
	oauth.Scopes = strings.Fields(o.Scope)
	asked, err := oauth.DeviceAuth(l.wire.context(ctx), resourceOf(s))
	if err != nil {
		return Login{}, refused(err)
	}
	if err := checkDevice(at, asked); err != nil {
		return Login{}, err
	}
	fmt.Fprintf(o.Say, "Open this page on any device:\n\n  %s\n\nand type this code there, if it is not there already:\n\n  %s\n\nIt must be the page of %s: sign in nowhere else.\n",
		link(at, asked), printable(asked.UserCode), at.Host)
	ctx, cancel := context.WithTimeout(ctx, o.wait())
	defer cancel()
	token, err := oauth.DeviceAccessToken(l.wire.context(ctx), asked)
	if err != nil {
		return Login{}, notGiven(err)
	}
	return l.keep(ctx, s, o, token)
}

// maxInterval is the longest pause between two questions that we agree to, in seconds.
const maxInterval = 300

// checkDevice refuses a page that is not the server's own.
func checkDevice(at *url.URL, asked *oauth2.DeviceAuthResponse) error {
	if !sameServer(at, asked.VerificationURI) {
		return porterhouse.Errorf(porterhouse.Invalid, "%s sends people to %q to sign in, which is not on that server: do not go there", at, printable(asked.VerificationURI))
	}
	if asked.DeviceCode == "" || asked.UserCode == "" || asked.Interval < 0 || asked.Interval > maxInterval {
		return porterhouse.Errorf(porterhouse.Unavailable, "%s gave no code that could be used", at)
	}
	return nil
}

// link is the page, with the code in it where the server says how.
func link(at *url.URL, asked *oauth2.DeviceAuthResponse) string {
	if sameServer(at, asked.VerificationURIComplete) {
		return printable(asked.VerificationURIComplete)
	}
	return printable(asked.VerificationURI)
}

// notGiven says why a device got no token.
func notGiven(err error) error {
	var refusal *oauth2.RetrieveError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &refusal) && refusal.ErrorCode == "expired_token":
		return porterhouse.Errorf(porterhouse.Unauthenticated, "nobody typed the code in time: run porterhouse login --device again")
	case errors.As(err, &refusal) && refusal.ErrorCode == "access_denied":
		return porterhouse.Errorf(porterhouse.Refused, "you did not agree, or are not let in")
	case errors.Is(err, context.Canceled):
		return err
	}
	return refused(err)
}
