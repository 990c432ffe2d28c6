package idp

import (
	"sync"
	"testing"
)

// keyRing is the keys of an issuer.
type keyRing struct {
	mu        sync.Mutex
	keys      []*Key           // the newest first; the first signs
	published []map[string]any // what the key set holds beside them
}

// KeySet is what the issuer publishes at /jwks.
func (r *keyRing) KeySet() Claims {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := []map[string]any{}
	for _, k := range r.keys {
		keys = append(keys, k.JWK())
	}
	return Claims{"keys": append(keys, r.published...)}
}

// AddKey publishes a key and signs with it from now on.
func (r *keyRing) AddKey(k *Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append([]*Key{k}, r.keys...)
}

// Key is the one that signs.
func (r *keyRing) Key() *Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[0]
}

// Publish adds an entry to the key set that the issuer itself does not sign with.
func (r *keyRing) Publish(jwk map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.published = append(r.published, jwk)
}

// Rotate makes a new key and stops publishing all others.
func (r *keyRing) Rotate(t testing.TB, algorithm string) {
	key := NewKey(t, algorithm)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys, r.published = []*Key{key}, nil
}
