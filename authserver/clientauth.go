package authserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
)

// credentials are what a request says of its client.
type credentials struct {
	id        string
	secret    string
	plain     string // the secret of HTTP Basic as it came, of clients that do not encode it
	assertion string // a JWT of the client's key
}

// assertionType is the client_assertion_type of JWTs (RFC 7523, 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticate finds out which client sent r (RFC 6749, 2.3), whose form readForm
// has read: one that is registered with a secret or a key has proved that it has it.
// An error is a *problem: invalid_client, invalid_request or temporarily_unavailable.
func (s *Server) authenticate(ctx context.Context, r *http.Request, form url.Values) (Client, error) {
	given, err := readCredentials(r, form)
	if err != nil {
		return Client{}, err
	}
	client, err := s.client(ctx, given.id, r.RemoteAddr)
	if err != nil {
		return Client{}, err
	}
	guesses := network(r.RemoteAddr) + " " + client.ID // nobody else is held up by them
	if client.Auth != AuthNone && s.Limits.failures.spentKey(guesses) {
		return Client{}, refuse("temporarily_unavailable", "this client could not prove who it is too often; try again in a minute").as(http.StatusTooManyRequests)
	}
	if err := s.prove(ctx, client, given, r.RemoteAddr); err != nil {
		if client.Auth != AuthNone && problemOf(err).code == "invalid_client" {
			s.Limits.failures.takeKey(guesses)
		}
		return Client{}, err
	}
	return client, nil
}

// readCredentials reads what r says of its client, in one way of those there are. The
// client's id may stand in the body as well.
func readCredentials(r *http.Request, form url.Values) (credentials, error) {
	given := credentials{id: form.Get("client_id"), secret: form.Get("client_secret"), assertion: form.Get("client_assertion")}
	if kind := form.Get("client_assertion_type"); given.assertion != "" || kind != "" {
		if kind != assertionType {
			return given, refuse("invalid_request", "the client_assertion_type must be %s", assertionType)
		}
		if given.secret != "" || r.Header.Get("Authorization") != "" {
			return given, refuse("invalid_request", "the client proves itself in two ways; one is enough")
		}
		named, err := subjectOf(given.assertion)
		if err != nil {
			return given, err
		}
		return given, given.agree(named)
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		return given, nil
	}
	if secret != "" && given.secret != "" {
		return given, refuse("invalid_request", "the client proves itself in two ways; one is enough")
	}
	if secret != "" {
		given.secret, given.plain = decoded(secret), secret
	}
	return given, given.agree(decoded(id))
}

// agree holds the id of a proof against the one in the body.
func (c *credentials) agree(id string) error {
	if c.id != "" && c.id != id {
		return refuse("invalid_request", "the request names two clients")
	}
	c.id = id
	return nil
}

// decoded is a part of HTTP Basic, which is encoded like a form (RFC 6749, 2.3.1).
// Some clients do not know; what cannot be decoded is taken as it is.
func decoded(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// prove returns nil when the client has proved itself in the way it is registered
// for. A public client has nothing to prove, also when it says so in HTTP Basic with
// an empty password, as x/oauth2 does at first; a secret that it does not have
// is a mistake.
func (s *Server) prove(ctx context.Context, c Client, given credentials, remote string) error {
	switch {
	case c.Auth == AuthNone && given.secret == "" && given.assertion == "":
		return nil
	case c.Auth == AuthNone:
		return refuse("invalid_client", "the client %s is registered as one without a secret or a key, and sent one", shown(c.ID))
	case c.Auth == AuthKey && given.assertion == "":
		return refuse("invalid_client", "the client %s must prove itself with its key (private_key_jwt)", shown(c.ID))
	case c.Auth == AuthKey:
		return s.proveByKey(ctx, c, given.assertion, remote)
	case given.assertion != "":
		return refuse("invalid_client", "the client %s is registered with a secret, and sent a JWT", shown(c.ID))
	}
	if !c.hasSecret(given.secret) && !c.hasSecret(given.plain) {
		return refuse("invalid_client", "the secret of the client %s is missing or wrong", shown(c.ID))
	}
	return nil
}

// hasSecret reports whether a secret is the client's, in constant time. An empty one
// is nobody's.
func (c Client) hasSecret(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	return secret != "" && subtle.ConstantTimeCompare(sum[:], c.secret[:]) == 1
}
