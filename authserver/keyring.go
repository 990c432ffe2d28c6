package authserver

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"porterhouse/seal"
)

// keyRing is the signing keys of one moment, in the order in which they sign: the
// last that has begun does.
type keyRing struct{ keys []signingKey }

// signingKey is one key.
type signingKey struct {
	id      string // RFC 7638 thumbprint
	private *ecdsa.PrivateKey
	from    time.Time // when it begins to sign
}

// announced is how long a key is shown before it signs, at least: longer than anybody
// keeps the answer of /jwks.
const announced = 10 * time.Minute

func newSigningKey(private *ecdsa.PrivateKey, from time.Time) (signingKey, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: &private.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		return signingKey{}, fmt.Errorf("authserver: a signing key: %w", err)
	}
	return signingKey{base64.RawURLEncoding.EncodeToString(thumbprint), private, from}, nil
}

// signing returns the key that signs now.
func (r *keyRing) signing(now time.Time) signingKey {
	for _, key := range slices.Backward(r.keys) {
		if !key.from.After(now) {
			return key
		}
	}
	return r.keys[0] // the clock went back behind the beginning
}

// find returns the public key with an id; nil: there is none.
func (r *keyRing) find(id string) *ecdsa.PublicKey {
	for _, key := range r.keys {
		if key.id == id {
			return &key.private.PublicKey
		}
	}
	return nil
}

// rotated returns the ring as it has to be now: without the keys that nothing valid
// is signed with any more, and with a next one. Of an empty ring it makes a new one.
func (r *keyRing) rotated(now time.Time, rotate, keep time.Duration) (*keyRing, bool, error) {
	next := &keyRing{}
	for i, key := range r.keys {
		if last := i == len(r.keys)-1; last || now.Before(r.keys[i+1].from.Add(keep)) {
			next.keys = append(next.keys, key)
		}
	}
	changed := len(next.keys) != len(r.keys)
	if len(next.keys) == 0 {
		if err := next.add(now); err != nil {
			return nil, false, err
		}
		changed = true
	}
	if last := next.keys[len(next.keys)-1].from; !last.After(now) {
		from := last.Add(rotate)
		if soonest := now.Add(announced); from.Before(soonest) {
			from = soonest
		}
		if err := next.add(from); err != nil {
			return nil, false, err
		}
		changed = true
	}
	return next, changed, nil
}

// add makes a key.
func (r *keyRing) add(from time.Time) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("authserver: a new signing key: %w", err)
	}
	key, err := newSigningKey(private, from)
	if err != nil {
		return err
	}
	r.keys = append(r.keys, key)
	return nil
}

// storedKey is a key as it is stored, sealed.
type storedKey struct {
	Key  []byte    `json:"key"` // PKCS #8
	From time.Time `json:"from"`
}

// seal is the ring as it is stored.
func (r *keyRing) seal(box *seal.Box) ([]byte, error) {
	stored := make([]storedKey, 0, len(r.keys))
	for _, key := range r.keys {
		der, err := x509.MarshalPKCS8PrivateKey(key.private)
		if err != nil {
			return nil, fmt.Errorf("authserver: signing keys: %w", err)
		}
		stored = append(stored, storedKey{der, key.from})
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("authserver: signing keys: %w", err)
	}
	return box.Seal(text, ringKey(box)), nil
}

// ringKey is where the store has the ring. Each master key has a place of its own: with
// another one there are other keys, so that all tokens are void, and two replicas whose
// master keys differ do not take each other's away.
func ringKey(box *seal.Box) string {
	return "authserver/keys/" + hex.EncodeToString(box.Sum("place")[:8])
}

// openRing reads a ring that was stored.
func openRing(box *seal.Box, sealed []byte) (*keyRing, error) {
	place := ringKey(box)
	text, err := box.Open(sealed, place)
	if err != nil {
		return nil, fmt.Errorf("authserver: the signing keys in the store (%s) are not as they were sealed: delete the entry, or take another master key, either of which makes all tokens void: %w", place, err)
	}
	var stored []storedKey
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, fmt.Errorf("authserver: the signing keys in the store (%s) cannot be read: %w", place, err)
	}
	ring := &keyRing{}
	for _, s := range stored {
		private, err := parsePrivate(s.Key)
		if err != nil {
			return nil, fmt.Errorf("authserver: a signing key in the store (%s): %w", place, err)
		}
		key, err := newSigningKey(private, s.From)
		if err != nil {
			return nil, err
		}
		ring.keys = append(ring.keys, key)
	}
	slices.SortStableFunc(ring.keys, func(a, b signingKey) int { return cmp.Compare(a.from.UnixNano(), b.from.UnixNano()) })
	return ring, nil
}

// readKeyFiles reads a ring from files: the first signs.
func readKeyFiles(paths []string) (*keyRing, error) {
	ring := &keyRing{}
	for _, path := range slices.Backward(paths) { // the last that has begun signs
		private, err := readKeyFile(path)
		if err != nil {
			return nil, fmt.Errorf("authserver: the signing key in %s: %w", path, err)
		}
		key, err := newSigningKey(private, time.Time{})
		if err != nil {
			return nil, err
		}
		if ring.find(key.id) != nil {
			return nil, fmt.Errorf("authserver: the signing key in %s is there twice", path)
		}
		ring.keys = append(ring.keys, key)
	}
	return ring, nil
}

const maxKeyFile = 64 << 10

// readKeyFile reads the one private key of a PEM file.
func readKeyFile(path string) (*ecdsa.PrivateKey, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxKeyFile:
		return nil, fmt.Errorf("it is no ordinary file of at most %d bytes", maxKeyFile)
	case info.Mode().Perm()&0o027 != 0:
		return nil, fmt.Errorf("everybody can read the file, or others can write it (mode %04o), and sign tokens with it: chmod 600 it, and make another key", info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found *ecdsa.PrivateKey
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "EC PARAMETERS" { // openssl ecparam -genkey writes it before the key
			continue
		}
		if found != nil {
			return nil, errors.New("there is more than one: each needs a file of its own")
		}
		if found, err = parsePrivate(block.Bytes); err != nil {
			return nil, fmt.Errorf("%s: %w", block.Type, err)
		}
	}
	if found == nil {
		return nil, errors.New("it is not PEM: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one")
	}
	return found, nil
}

// parsePrivate reads a P-256 key, in PKCS #8 or SEC 1.
func parsePrivate(der []byte) (*ecdsa.PrivateKey, error) {
	any, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if any, err = x509.ParseECPrivateKey(der); err != nil {
			return nil, errors.New("it is no private key that can be read (encrypted ones cannot): openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one")
		}
	}
	private, ok := any.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("it is not on the curve P-256, which our tokens are signed on (ES256)")
	}
	return private, nil
}
