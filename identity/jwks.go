package identity

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// keyRing finds the key that a token was signed with. nil: nobody has it, which is
// no error; an error says that nobody can tell.
type keyRing func(ctx context.Context, h header) (*publicKey, error)

// ring is a key set that is configured.
func (s *keySet) ring(_ context.Context, h header) (*publicKey, error) {
	if key, ok := s.find(h); ok {
		return &key, nil
	}
	return nil, nil
}

// only is ring for a set of one key that has no id, whatever a token says.
func (s *keySet) only(ctx context.Context, h header) (*publicKey, error) {
	return s.ring(ctx, header{algorithm: h.algorithm})
}

const defaultKeysLife = time.Hour

// keysAt is the key set at a URL, shared by all processors that name it.
func (p *Providers) keysAt(address string, life time.Duration) *remote[*keySet] {
	if life <= 0 {
		life = defaultKeysLife
	}
	return known(p, p.keySets, fmt.Sprint(address, " ", life), &remote[*keySet]{
		what: "the key set", from: address, life: life, now: p.now, log: p.log,
		fetch: func(ctx context.Context) (*keySet, error) { return p.fetchKeys(ctx, address) },
	})
}

func (p *Providers) fetchKeys(ctx context.Context, address string) (*keySet, error) {
	text, err := p.fetch(ctx, address)
	if err != nil {
		return nil, err
	}
	set, err := parseKeySet(text)
	if err == nil && len(set.skipped) > 0 {
		p.log.Debug("keys of no use here were left out", "url", address, "why", set.skipped)
	}
	return set, err
}

// fetch is one document of a provider.
func (p *Providers) fetch(ctx context.Context, address string) ([]byte, error) {
	reply, err := p.outbound.Get(ctx, address, http.Header{"Accept": {"application/json, application/jwk-set+json"}})
	if err != nil {
		return nil, err
	}
	if reply.Status != http.StatusOK {
		return nil, fmt.Errorf("the answer has status %d", reply.Status)
	}
	return reply.Body, nil
}

// ringOf is a key set of a provider: one whose key is not in it may be signed by a
// key that is new.
func ringOf(keys *remote[*keySet]) keyRing {
	return func(ctx context.Context, h header) (*publicKey, error) {
		set, err := keys.get(ctx, func(s *keySet) bool { return s.has(h) })
		if err != nil {
			return nil, err
		}
		return set.ring(ctx, h)
	}
}

// signatures is what tokens are checked with.
type signatures struct {
	algorithms []string // accepted; others are refused before a key is looked for
	ring       keyRing
}

// verify returns nil when t is signed by a key of the ring.
func (s signatures) verify(ctx context.Context, t jwt) error {
	name := t.header.algorithm
	if !slices.Contains(s.algorithms, name) {
		return refuse("its algorithm (alg) is %q, and accepted are %s", abridged(name), quoted(s.algorithms))
	}
	key, err := s.ring(ctx, t.header)
	if err != nil {
		return err
	}
	if key == nil {
		return refuse("no key of the provider has its key id (kid) %q and is for %s", abridged(t.header.keyID), name)
	}
	if !key.signed(t) {
		return refuse("its signature is wrong (%s, key id %q)", name, abridged(t.header.keyID))
	}
	traceOf(ctx).note("signature: %s by the key %q", name, abridged(key.id))
	return nil
}

// signed reports whether k signed t. The key decides which algorithms there are.
func (k publicKey) signed(t jwt) bool {
	by, known := algorithms[t.header.algorithm]
	if !known || !k.accepts(t.header.algorithm) {
		return false
	}
	return by.valid(by.hash, k.key, t.signed, t.signature)
}

// algorithmsOf are the algorithms that a processor accepts.
func algorithmsOf(s Settings) ([]string, error) {
	accepted := s.Algorithms
	if len(accepted) == 0 {
		accepted = defaultAlgorithms
	}
	for _, name := range accepted {
		by, known := algorithms[name]
		if !known {
			return nil, fmt.Errorf("the algorithm %q is not known: it is one of RS, PS, ES with 256, 384 or 512, or EdDSA", name)
		}
		if by.fits([]byte(nil)) {
			return nil, fmt.Errorf("the algorithm %q needs a shared secret: that is jwt_static_key with algo", name)
		}
	}
	return accepted, nil
}
