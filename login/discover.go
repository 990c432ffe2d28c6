package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"porterhouse"
)

// server is what a server's papers say, all of it on the server itself.
type server struct {
	resource  string
	elsewhere string // URL of the server, when the resource is another than its own
	issuer    string
	authorize string
	token     string
	device    string // "": it has no device flow
	revoke    string // "": nothing can be revoked
}

// discover finds out where the server that a person names lets people sign in.
func (l *Logins) discover(ctx context.Context, given string, o Options) (at *url.URL, s server, err error) {
	if _, err := l.store.read(); err != nil {
		return nil, server{}, err // before anybody signs in: what they get could not be kept
	}
	if at, err = address(given); err != nil {
		return nil, server{}, err
	}
	if u, err := url.Parse(o.Resource); err != nil || !plain(o.Resource) || o.Resource != "" && !u.IsAbs() {
		return nil, server{}, porterhouse.Errorf(porterhouse.Invalid, "the resource %q is no URL", o.Resource)
	}
	p, err := l.wire.protectedResource(ctx, at)
	if err != nil {
		return nil, server{}, err
	}
	s, err = l.wire.authorizationServer(ctx, at, p)
	if o.Resource != "" && o.Resource != s.resource {
		s.resource, s.elsewhere = o.Resource, at.String()
	}
	return at, s, err
}

// papers are the metadata of a protected resource (RFC 9728, 2).
type papers struct {
	Resource string   `json:"resource"`
	Servers  []string `json:"authorization_servers"`
}

// protectedResource reads them: at the places where they belong, or where the server
// itself says that they are when it refuses somebody without a token.
func (w wire) protectedResource(ctx context.Context, at *url.URL) (papers, error) {
	const path = "/.well-known/oauth-protected-resource"
	places := []string{origin(at) + path}
	if at.Path != "" {
		places = []string{origin(at) + path + at.Path, origin(at) + path}
	}
	for _, place := range places {
		var p papers
		switch found, err := w.get(ctx, place, &p); {
		case err != nil:
			return papers{}, unreachable(at, err)
		case found:
			return p, checkResource(at, p)
		}
	}
	place, err := w.challenge(ctx, at)
	if err != nil {
		return papers{}, unreachable(at, err)
	}
	var p papers
	if !sameServer(at, place) {
		return papers{}, porterhouse.Errorf(porterhouse.Invalid, "there is no Porterhouse at %s: it does not say where to sign in. Look at the URL again", at)
	}
	if found, err := w.get(ctx, place, &p); err != nil || !found {
		return papers{}, unreachable(at, fmt.Errorf("%s is not there: %w", place, err))
	}
	return p, checkResource(at, p)
}

// checkResource holds what the papers are for against what was asked.
func checkResource(at *url.URL, p papers) error {
	if !covers(at, p.Resource) || !sameServer(at, p.Resource) || !tame(p.Resource) {
		return porterhouse.Errorf(porterhouse.Invalid, "%s says that it is %q: give that URL if it is the server that you mean, and else do not sign in there", at, printable(p.Resource))
	}
	return nil
}

// challenge asks at without a token, for the address in the refusal (RFC 9728, 5.1).
func (w wire) challenge(ctx context.Context, at *url.URL) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return "", err
	}
	response, err := w.client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }() // nothing of it is read
	challenges, err := oauthex.ParseWWWAuthenticate(response.Header.Values("WWW-Authenticate"))
	if err != nil {
		return "", nil // what cannot be read names no place
	}
	for _, c := range challenges {
		if place := c.Params["resource_metadata"]; place != "" {
			return place, nil
		}
	}
	return "", nil
}

// statement are the metadata of an authorization server (RFC 8414, 2).
type statement struct {
	Issuer    string   `json:"issuer"`
	Authorize string   `json:"authorization_endpoint"`
	Token     string   `json:"token_endpoint"`
	Device    string   `json:"device_authorization_endpoint"`
	Revoke    string   `json:"revocation_endpoint"`
	PKCE      []string `json:"code_challenge_methods_supported"`
}

// authorizationServer reads the statement of the issuer that the papers name. It must
// be the same server, and all of its addresses too: a code or a token that went
// elsewhere would be in strange hands (RFC 9700, 4.4).
func (w wire) authorizationServer(ctx context.Context, at *url.URL, p papers) (server, error) {
	i := slices.IndexFunc(p.Servers, func(s string) bool { return sameServer(at, s) })
	if i < 0 {
		return server{}, porterhouse.Errorf(porterhouse.Invalid, "people do not sign in at %s itself: it takes tokens of %s. Get one there, or ask its operator to switch sign-in on", at, printable(strings.Join(p.Servers, ", ")))
	}
	issuer, _ := url.Parse(p.Servers[i]) // sameServer has parsed it
	path := strings.TrimRight(issuer.Path, "/")
	for _, place := range []string{
		origin(at) + "/.well-known/oauth-authorization-server" + path,
		origin(at) + "/.well-known/openid-configuration" + path,
		origin(at) + path + "/.well-known/openid-configuration",
	} {
		var s statement
		switch found, err := w.get(ctx, place, &s); {
		case err != nil:
			return server{}, unreachable(at, err)
		case found:
			return s.check(at, p.Servers[i], p.Resource)
		}
	}
	return server{}, unreachable(at, fmt.Errorf("there is no /.well-known/oauth-authorization-server%s", path))
}

// check holds a statement against whose it must be.
func (s statement) check(at *url.URL, issuer, resource string) (server, error) {
	if s.Issuer != issuer {
		return server{}, porterhouse.Errorf(porterhouse.Invalid, "%s says that it is %q, and must be %q: do not sign in there", at, printable(s.Issuer), printable(issuer))
	}
	for name, place := range map[string]string{
		"authorization_endpoint": s.Authorize, "token_endpoint": s.Token,
		"device_authorization_endpoint": s.Device, "revocation_endpoint": s.Revoke,
	} {
		needed := name == "authorization_endpoint" || name == "token_endpoint"
		if (place != "" || needed) && !sameServer(at, place) {
			return server{}, porterhouse.Errorf(porterhouse.Invalid, "the %s of %s is %q, which is not on that server: do not sign in there", name, at, printable(place))
		}
	}
	if !slices.Contains(s.PKCE, "S256") {
		return server{}, porterhouse.Errorf(porterhouse.Invalid, "%s does not protect codes with PKCE (S256): it is no Porterhouse", at)
	}
	return server{resource: resource, issuer: issuer, authorize: s.Authorize, token: s.Token, device: s.Device, revoke: s.Revoke}, nil
}

// unreachable says that a server could not be asked where to sign in.
func unreachable(at *url.URL, cause error) error {
	if wrapped := (*url.Error)(nil); errors.As(cause, &wrapped) {
		cause = wrapped.Err // without the URL, which is told already
	}
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: "where to sign in at " + at.String() + " cannot be found out", Err: cause}
}

// printable is what a server says of itself, made harmless for a terminal.
func printable(text string) string {
	shown := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	const most = 200
	return shown[:min(len(shown), most)]
}
