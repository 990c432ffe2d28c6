package proxy

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"porterhouse"
)

// credential is what a request brings to say who asks.
type credential struct {
	user   string // the ClickHouse user that it names; "": none
	secret string // a token, or the user's password; "": nothing was brought
}

// The places of credentials, as ClickHouse names them in its errors.
const (
	byHeaders       = "X-ClickHouse HTTP headers"
	byAuthorization = "Authorization HTTP header"
	byURL           = "authentication via parameters"
	byIDToken       = "X-ID-Token HTTP header"
)

// credential finds the one credential of a request. There are four places for it, and a
// request that uses two of them is refused, as ClickHouse does: nobody can tell which
// one counts. Only Grafana adds one by itself, which does not count beside its other.
func (s *Server) credential(r *http.Request, p *parameters) (credential, error) {
	inHeaders := r.Header[headerUser] != nil || r.Header[headerKey] != nil
	_, user := p.get("user")
	_, password := p.get("password")
	var used []string
	for _, place := range []struct {
		name string
		used bool
	}{
		{byHeaders, inHeaders},
		{byAuthorization, r.Header[authorization] != nil},
		{byURL, user || password},
		{byIDToken, s.config.AllowIDTokens && r.Header[headerIDToken] != nil && r.Header[authorization] == nil},
	} {
		if place.used {
			used = append(used, place.name)
		}
	}
	switch {
	case len(used) == 0:
		return credential{}, unproved("", "send a token: Authorization: Bearer <token>")
	case len(used) > 1:
		return credential{}, unproved("", "it is not allowed to use "+used[0]+" and "+used[1]+" simultaneously")
	case r.Header.Get(headerCertificate) == "on":
		return credential{}, unproved("", "SSL certificates are not asked for here: send a token")
	}
	return s.credentialAt(used[0], r, p)
}

// credentialAt takes the credential from its place.
func (s *Server) credentialAt(place string, r *http.Request, p *parameters) (credential, error) {
	switch place {
	case byHeaders:
		return credential{r.Header.Get(headerUser), r.Header.Get(headerKey)}.complete(place)
	case byIDToken:
		return credential{"", r.Header.Get(headerIDToken)}.complete(place)
	case byURL:
		if !s.config.AllowURLCredentials {
			return credential{}, unproved("", "a token in the URL is refused, and is in logs now: get a new one, and send it in the Authorization header")
		}
		return credential{p.value("user"), p.value("password")}.complete(place)
	}
	return authorizationOf(r.Header.Get(authorization))
}

// authorizationOf reads the value of Authorization: Bearer (RFC 6750), Basic with the
// token as the password (RFC 7617), or the token by itself, as some drivers send it.
func authorizationOf(value string) (credential, error) {
	scheme, rest, found := strings.Cut(value, " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case !found:
		return credential{"", value}.complete(byAuthorization)
	case strings.EqualFold(scheme, "Bearer"):
		return credential{"", rest}.complete(byAuthorization)
	case strings.EqualFold(scheme, "Basic"):
		decoded, err := base64.StdEncoding.Strict().DecodeString(rest)
		user, secret, colon := strings.Cut(string(decoded), ":")
		if err != nil || !colon {
			return credential{}, unproved("", "what follows Basic is not user:token in base64")
		}
		return credential{user, secret}.complete(byAuthorization)
	}
	return credential{}, unproved("", "this HTTP Authorization scheme is not supported: send Bearer <token>")
}

// maxSecret is the length of the longest token, in bytes.
const maxSecret = 32 << 10

// complete refuses a credential that cannot be one.
func (c credential) complete(place string) (credential, error) {
	switch {
	case c.secret == "":
		return c, unproved(c.user, "there is no token in "+place)
	case len(c.secret) > maxSecret:
		return c, unproved(c.user, "the token is too long")
	}
	return c, nil
}

// isJWT reports whether a secret has the form of a JSON Web Token (RFC 7519): what it
// says is not looked at here.
func isJWT(secret string) bool {
	return strings.HasPrefix(secret, "eyJ") && strings.Count(secret, ".") == 2
}

// isPassword reports whether the secret is the user's own password. A secret is looked at
// in one way only, so that no password is ever shown to an identity provider, and no
// token to ClickHouse: with a user beside it, where passwords pass, what is not a JWT is
// a password. Tokens of another form come as Bearer.
func (s *Server) isPassword(c credential) bool {
	return s.config.Login != nil && c.user != "" && !isJWT(c.secret)
}

// unproved is the error of whoever was not proved to be user.
func unproved(user, why string) error {
	return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Code: codeAuthentication, Public: failedFor(user, why)}
}

// failedFor says in ClickHouse's words that a user did not come in.
func failedFor(user, why string) string {
	why = "Authentication failed: " + why
	if user != "" {
		why = fmt.Sprintf("%.128s: %s", user, why)
	}
	return why
}
