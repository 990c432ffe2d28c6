package authserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxDocument     = 5 << 10 // bytes of what a client says of itself
	maxRedirectURIs = 20
)

// clientMetadata is what a client says of itself (RFC 7591, 2), in a document or a
// registration. What is not here is not looked at: logos and home pages would have
// to be fetched or clicked, and scopes are asked for when they are needed.
type clientMetadata struct {
	ID            string   `json:"client_id"`
	Name          string   `json:"client_name"`
	RedirectURIs  []string `json:"redirect_uris"`
	Grants        []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
	Auth          string   `json:"token_endpoint_auth_method"`
	KeySet        anything `json:"jwks"`
	KeySetAt      string   `json:"jwks_uri"`
	Secret        anything `json:"client_secret"`
	SecretExpires anything `json:"client_secret_expires_at"`
}

// anything is JSON of any shape.
type anything struct{ json.RawMessage }

// there reports whether it was there at all; null says that it is not.
func (a anything) there() bool { return len(a.RawMessage) > 0 && string(a.RawMessage) != "null" }

// parseClientMetadata reads what a client says.
func parseClientMetadata(text []byte) (clientMetadata, error) {
	var m clientMetadata
	if len(text) > maxDocument {
		return m, fmt.Errorf("it has %d bytes, more than the %d allowed", len(text), maxDocument)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("it is not the JSON of client metadata (RFC 7591): %w", err)
	}
	return m, nil
}

// grants are the grant types of m that such clients may use. Unknown ones are left
// out. Who names none gets to renew its tokens, too: RFC 7591 would give it the code
// alone, and people would have to sign in again after minutes.
func (m *clientMetadata) grants(allowed ...string) []string {
	if len(m.Grants) == 0 {
		return []string{GrantCode, GrantRefresh}
	}
	named := slices.DeleteFunc(slices.Clone(m.Grants), func(grant string) bool { return !slices.Contains(allowed, grant) })
	slices.Sort(named)
	return slices.Compact(named)
}

// errNoRedirect is of clients that could never be sent a code.
var errNoRedirect = errors.New("no redirect URI is left")

// redirects are the redirect URIs of m that may be. The others are left out, so that
// a client with one that is for some other server can be used here with the rest.
func (m *clientMetadata) redirects(grants []string) ([]string, error) {
	if len(m.RedirectURIs) > maxRedirectURIs {
		return nil, fmt.Errorf("it has %d redirect URIs, more than the %d allowed", len(m.RedirectURIs), maxRedirectURIs)
	}
	good := []string{}
	why := errors.New("it names none (redirect_uris)")
	for _, uri := range m.RedirectURIs {
		if err := checkRedirect(uri, false); err != nil {
			why = fmt.Errorf("%s: %w", shown(uri), err)
			continue
		}
		good = append(good, uri)
	}
	if len(good) == 0 && slices.Contains(grants, GrantCode) {
		return nil, fmt.Errorf("%w: %w", errNoRedirect, why)
	}
	return good, nil
}

// maxClientKeys is how many keys the key set of a client may have.
const maxClientKeys = 20

// parseKeySet reads the public keys of a client. Keys of no use here are left out.
func parseKeySet(text []byte) ([]jose.JSONWebKey, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("it is no JSON Web Key Set (RFC 7517): %w", err)
	}
	if len(raw.Keys) > maxClientKeys {
		return nil, fmt.Errorf("it has %d keys, more than the %d allowed", len(raw.Keys), maxClientKeys)
	}
	var keys []jose.JSONWebKey
	for _, text := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) == nil && key.Use != "enc" && key.Valid() && isProofKey(key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no public key to check signatures with (RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519)")
	}
	return keys, nil
}
