// Package seal keeps bytes that somebody else stores: a browser, or the store of
// all replicas. They come back unread and unchanged, or not at all.
//
//	master key ─▶ NewKey ─▶ Key.For("session cookie") ─▶ Box ─▶ Seal, Open   (AES-256-GCM)
//	                                                         └▶ Sum          (HMAC-SHA-256)
//
// The rule of the package: a box opens only what was sealed for its purpose and
// with the same context, so nothing that is sealed can be moved to another place.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"porterhouse"
)

// MinKey is the length of the shortest master key, in bytes.
const MinKey = 32

// Key is the master key. All replicas have the same.
type Key struct{ master []byte }

// NewKey takes a master key of at least MinKey bytes.
func NewKey(master porterhouse.Secret) (*Key, error) {
	if n := len(master.Reveal()); n < MinKey {
		return nil, fmt.Errorf("seal: the master key has %d bytes, and at least %d are needed: openssl rand -hex 32 makes one", n, MinKey)
	}
	return &Key{[]byte(master.Reveal())}, nil
}

// For returns the box of one purpose, such as "session cookie". Boxes of different
// purposes have different keys (HKDF-SHA-256).
func (k *Key) For(purpose string) (*Box, error) {
	keys, err := hkdf.Key(sha256.New, k.master, nil, "porterhouse "+purpose, 64)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	block, err := aes.NewCipher(keys[:32])
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &Box{aead: aead, mac: keys[32:]}, nil
}

// Box seals and opens for one purpose. It is safe for concurrent use.
type Box struct {
	aead cipher.AEAD
	mac  []byte
}

// ErrSealed says that something was not sealed by this box with this context.
var ErrSealed = errors.New("seal: this was not sealed here, or for another place, or was changed")

// Seal hides plain. context is not hidden and not kept: it says where the result
// belongs, such as the key under which it is stored.
func (b *Box) Seal(plain []byte, context string) []byte {
	return b.aead.Seal(nil, nil, plain, []byte(context))
}

// Open returns what Seal was given with the same context, or ErrSealed.
func (b *Box) Open(sealed []byte, context string) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, []byte(context))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// Sum authenticates parts, and where each of them ends: 32 bytes. Compare sums in
// constant time (hmac.Equal).
func (b *Box) Sum(parts ...string) []byte {
	h := hmac.New(sha256.New, b.mac)
	for _, part := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash never fails
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}
