package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// publicKey is a key that may have signed a token.
type publicKey struct {
	id        string // kid; "": none
	algorithm string // the only one that it is for; "": any that fits
	key       any    // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// accepts reports whether tokens of that algorithm may be signed by k.
func (k publicKey) accepts(name string) bool {
	if k.algorithm != "" && sameAlgorithm(k.algorithm) != sameAlgorithm(name) {
		return false
	}
	by, known := algorithms[name]
	return known && by.fits(k.key)
}

// sameAlgorithm gives the two names of one algorithm one name.
func sameAlgorithm(name string) string {
	if name == "Ed25519" {
		return "EdDSA"
	}
	return name
}

// keySet is the keys of a provider.
type keySet struct {
	keys    []publicKey
	skipped []string // why others in the set are of no use here
}

const (
	maxKeys   = 200     // of one set
	maxKeySet = 1 << 20 // bytes
)

// parseKeySet reads a JSON Web Key Set (RFC 7517). Keys of no use here are left
// out, each with its reason; a set without any other is an error.
func parseKeySet(text []byte) (*keySet, error) {
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("the key set has %d bytes, more than the %d allowed", len(text), maxKeySet)
	}
	if _, err := parseClaims(text); err != nil {
		return nil, fmt.Errorf("the key set: %w", err)
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("the key set: %w", err)
	}
	if len(raw.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys, more than the %d allowed", len(raw.Keys), maxKeys)
	}
	set := &keySet{}
	for i, text := range raw.Keys {
		key, err := parseKey(text)
		if err != nil {
			set.skipped = append(set.skipped, fmt.Sprintf("key %d: %v", i+1, err))
			continue
		}
		set.keys = append(set.keys, key)
	}
	if len(set.keys) == 0 {
		return nil, fmt.Errorf("the key set has no key to check signatures with: %s", quoted(set.skipped))
	}
	return set, nil
}

// parseKey reads one JSON Web Key that is published: its public half alone.
func parseKey(text []byte) (publicKey, error) {
	var about struct {
		Use        string   `json:"use"`
		Operations []string `json:"key_ops"`
	}
	if err := json.Unmarshal(text, &about); err != nil {
		return publicKey{}, err
	}
	var read jose.JSONWebKey
	if err := read.UnmarshalJSON(text); err != nil {
		return publicKey{}, err
	}
	key := publicKey{id: read.KeyID, algorithm: read.Algorithm, key: read.Key}
	switch {
	case about.Use != "" && about.Use != "sig":
		return publicKey{}, fmt.Errorf("it is for %q, not for signatures (use)", abridged(about.Use))
	case about.Operations != nil && !slices.Contains(about.Operations, "verify"):
		return publicKey{}, errors.New("it is not for verifying (key_ops)")
	case isSecret(key.key):
		return publicKey{}, errors.New("it is a shared secret, which anybody who reads the set could sign with")
	case !read.IsPublic():
		return publicKey{}, errors.New("it is a private key, so anybody who reads the set could sign with it")
	}
	if _, known := algorithms[key.algorithm]; key.algorithm != "" && !known {
		return publicKey{}, fmt.Errorf("its algorithm %q is not known here", abridged(key.algorithm))
	}
	return key, checkKey(key.key)
}

// find returns the one key that a token of this header can be signed with. Without
// a key id there must be no choice.
func (s *keySet) find(h header) (publicKey, bool) {
	var found []publicKey
	for _, key := range s.keys {
		if (h.keyID == "" || key.id == h.keyID) && key.accepts(h.algorithm) {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		return publicKey{}, false
	}
	return found[0], true
}

// has reports whether find would find a key.
func (s *keySet) has(h header) bool {
	_, ok := s.find(h)
	return ok
}
