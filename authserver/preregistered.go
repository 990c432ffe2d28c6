package authserver

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

const (
	minSecret   = 16 // characters of a client's secret
	maxClientID = 512
)

// preregistered are the operator's clients, by id.
func preregistered(c Config) (map[string]Client, error) {
	all := make(map[string]Client, len(c.Clients))
	for i := range c.Clients {
		from := &c.Clients[i]
		client, err := from.client(&c)
		if err != nil {
			return nil, fmt.Errorf("authserver: client %q: %w", from.ID, err)
		}
		if _, twice := all[client.ID]; twice {
			return nil, fmt.Errorf("authserver: client %q is there twice", from.ID)
		}
		all[client.ID] = client
	}
	return all, nil
}

// client checks c and returns what it is for the rest of the package.
func (c *ClientConfig) client(server *Config) (Client, error) {
	client := Client{
		ID: c.ID, Name: c.Name, Known: ByOperator, Auth: AuthNone,
		RedirectURIs: c.RedirectURIs, Grants: c.Grants, Scopes: c.Scopes, Resource: c.Resource,
		keysAt: c.JWKSURI, config: c,
	}
	if client.Name == "" {
		client.Name = c.ID
	}
	if len(client.Grants) == 0 {
		client.Grants = []string{GrantCode, GrantRefresh}
	}
	if len(client.Scopes) == 0 {
		client.Scopes = []string{ScopeRead, ScopeOffline}
	}
	for _, check := range []func(*Client, *Config) error{c.checkID, c.proof, c.checkRedirects, c.checkGrants, c.checkScopes} {
		if err := check(&client, server); err != nil {
			return Client{}, err
		}
	}
	return client, nil
}

func (c *ClientConfig) checkID(_ *Client, _ *Config) error {
	switch {
	case c.ID == "" || len(c.ID) > maxClientID:
		return fmt.Errorf("its id must have 1 to %d characters", maxClientID)
	case strings.ContainsFunc(c.ID, func(r rune) bool { return r < ' ' || r > '~' }):
		return errors.New("its id must be printable ASCII (RFC 6749, appendix A.1)")
	case strings.HasPrefix(c.ID, registrationPrefix):
		return fmt.Errorf("ids that begin with %s are of clients that register themselves", registrationPrefix)
	}
	return nil
}

// proof is how the client proves itself: in one way.
func (c *ClientConfig) proof(client *Client, server *Config) error {
	ways := 0
	for _, there := range []bool{!c.Secret.IsZero(), c.JWKS != "", c.JWKSURI != ""} {
		if there {
			ways++
		}
	}
	if ways > 1 {
		return errors.New("it has more than one of a secret, a key set and the address of a key set")
	}
	switch {
	case !c.Secret.IsZero():
		if n := len(c.Secret.Reveal()); n < minSecret {
			return fmt.Errorf("its secret has %d characters, and at least %d are needed: openssl rand -hex 32 makes one", n, minSecret)
		}
		client.Auth, client.secret = AuthBasic, sha256.Sum256([]byte(c.Secret.Reveal()))
	case c.JWKS != "":
		keys, err := parseKeySet([]byte(c.JWKS))
		if err != nil {
			return fmt.Errorf("its key set: %w", err)
		}
		client.Auth, client.keys = AuthKey, keys
	case c.JWKSURI != "":
		if u, err := url.Parse(c.JWKSURI); err != nil || u.Scheme != "https" || u.Host == "" || server.Fetch == nil {
			return fmt.Errorf("its key set cannot be fetched from %q: that must be an https URL; or give the key set itself", c.JWKSURI)
		}
		client.Auth = AuthKey
	}
	return nil
}

func (c *ClientConfig) checkRedirects(client *Client, _ *Config) error {
	for _, uri := range c.RedirectURIs {
		if err := checkRedirect(uri, true); err != nil {
			return fmt.Errorf("its redirect URI %q cannot be: %w", uri, err)
		}
	}
	if client.may(GrantCode) && len(c.RedirectURIs) == 0 {
		return fmt.Errorf("it may use %s, and has no redirect URI to be sent the code to", GrantCode)
	}
	return nil
}

// checkGrants holds the grants without a person to clients that prove themselves.
func (c *ClientConfig) checkGrants(client *Client, server *Config) error {
	for _, grant := range client.Grants {
		switch {
		case !slices.Contains([]string{GrantCode, GrantRefresh, GrantDevice, GrantCredentials, GrantExchange, GrantAssertion}, grant):
			return fmt.Errorf("there is no grant type %q", grant)
		case client.Auth == AuthNone && slices.Contains([]string{GrantCredentials, GrantExchange, GrantAssertion}, grant):
			return fmt.Errorf("it may use %s, so it needs a secret or a key to prove itself with", grant)
		case grant == GrantExchange && c.Exchange == nil:
			return fmt.Errorf("it may use %s, and nothing says whose tokens it may exchange", grant)
		case grant == GrantDevice && !server.DeviceCodes:
			return fmt.Errorf("it may use %s, and device codes are switched off", grant)
		case grant == GrantAssertion && server.Assertion == nil:
			return fmt.Errorf("it may use %s, and no identity provider is trusted with that", grant)
		}
	}
	return nil
}

func (c *ClientConfig) checkScopes(client *Client, server *Config) error {
	for _, scope := range client.Scopes {
		if known := server.scopes(); !slices.Contains(known, scope) {
			return fmt.Errorf("there is no scope %q; there are %s", scope, strings.Join(known, ", "))
		}
	}
	if c.Resource != "" && !slices.ContainsFunc(server.Resources, func(r Resource) bool { return r.URI == c.Resource }) {
		return fmt.Errorf("its resource %q is none of this server's", c.Resource)
	}
	return nil
}
