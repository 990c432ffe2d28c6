package authserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// documents are the clients that are known by a document of their own: their id is
// the https URL where it is (OAuth Client ID Metadata Document). That they are who
// they say they are is proved by nothing but that URL: people are shown its host.
type documents struct {
	clients *published[Client]
	keySets *published[[]jose.JSONWebKey]
	hosts   []string // that documents may be at; empty: any
}

const (
	keptDocuments = 1000
	keptKeySets   = 200
	maxKeySet     = 64 << 10 // bytes
)

func newDocuments(c Config, limit *limiter) *documents {
	scopes := c.scopes()
	return &documents{
		hosts: c.AllowClientHosts,
		clients: newPublished(publishedConfig[Client]{
			what: "the client's document", fetch: c.Fetch, limit: limit, now: c.Now, most: keptDocuments,
			parse: func(id string, text []byte) (Client, error) { return parseDocument(id, text, scopes) },
		}),
		keySets: newPublished(publishedConfig[[]jose.JSONWebKey]{
			what: "the client's key set", fetch: c.Fetch, limit: limit, now: c.Now, most: keptKeySets,
			parse: func(_ string, text []byte) ([]jose.JSONWebKey, error) {
				if len(text) > maxKeySet {
					return nil, fmt.Errorf("it has more than the %d bytes allowed", maxKeySet)
				}
				return parseKeySet(text)
			},
		}),
	}
}

// find returns the client whose document is at id.
func (d *documents) find(ctx context.Context, id, remote string) (Client, error) {
	at, err := checkDocumentURL(id)
	if err != nil {
		return Client{}, refuse("invalid_client", "the client's id %s cannot be the address of its document: %v", shown(id), err)
	}
	if len(d.hosts) > 0 && !slices.Contains(d.hosts, at.Host) {
		return Client{}, refuse("invalid_client", "clients of %s are not allowed here; ask the operator for it", shown(at.Host))
	}
	return d.clients.get(ctx, id, remote, nil)
}

// checkDocumentURL holds a client's id to what the specification and MCP ask of it:
// the text of it is compared and shown, so there must be one way to write it.
func checkDocumentURL(id string) (*url.URL, error) {
	if len(id) > maxClientID {
		return nil, fmt.Errorf("it has more than the %d bytes allowed", maxClientID)
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return nil, errors.New("it has characters that no URL has")
	}
	u, err := url.Parse(id)
	switch {
	case err != nil || !strings.HasPrefix(id, "https://"):
		return nil, errors.New("it must begin with https://")
	case u.User != nil || strings.Contains(id, "#"):
		return nil, errors.New("it must have no user and no fragment")
	case strings.Trim(u.Path, "/") == "":
		return nil, errors.New("it must have a path")
	case hasDots(u.Path):
		return nil, errors.New("its path must have no dot segments")
	}
	return u, checkHost(u)
}

// parseDocument reads the document of a client.
func parseDocument(id string, text []byte, scopes []string) (Client, error) {
	m, err := parseClientMetadata(text)
	if err != nil {
		return Client{}, err
	}
	at, err := url.Parse(id)
	switch {
	case err != nil:
		return Client{}, err
	case m.ID != id:
		return Client{}, errors.New("its client_id is not the address that it is at")
	case m.Secret.there() || m.SecretExpires.there():
		return Client{}, errors.New("it has a client_secret, which everybody who reads it would know")
	}
	c := Client{ID: id, Name: shown(m.Name), Known: ByDocument, Host: at.Host, Scopes: scopes}
	if c.Name == "" {
		c.Name = c.Host
	}
	if err := m.prove(&c); err != nil {
		return Client{}, err
	}
	c.Grants = m.grants(GrantCode, GrantRefresh, GrantDevice, GrantAssertion)
	c.RedirectURIs, err = m.redirects(c.Grants)
	return c, err
}

// prove sets how a client of a document proves itself: not at all, or with a key.
func (m *clientMetadata) prove(c *Client) (err error) {
	switch m.Auth {
	case "", string(AuthNone):
		c.Auth = AuthNone
		return nil
	case string(AuthKey):
		c.Auth = AuthKey
	default:
		return fmt.Errorf("its token_endpoint_auth_method %s cannot be: documents are public, so it is none or private_key_jwt", shown(m.Auth))
	}
	switch {
	case m.KeySet.there() == (m.KeySetAt != ""):
		return errors.New("for private_key_jwt it needs one of jwks and jwks_uri")
	case m.KeySet.there():
		c.keys, err = parseKeySet(m.KeySet.RawMessage)
		return err
	}
	if u, err := url.Parse(m.KeySetAt); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(m.KeySetAt) > maxClientID {
		return errors.New("its jwks_uri must be an https URL")
	}
	c.keysAt = m.KeySetAt
	return nil
}

// keysOf returns the keys of a client; a set in which suffices finds nothing is
// fetched anew, seldom.
func (d *documents) keysOf(ctx context.Context, c Client, remote string, suffices func([]jose.JSONWebKey) bool) ([]jose.JSONWebKey, error) {
	if c.keysAt == "" {
		return c.keys, nil
	}
	return d.keySets.get(ctx, c.keysAt, remote, suffices)
}
