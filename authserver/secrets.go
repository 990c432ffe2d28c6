package authserver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// randomBytes are n bytes that nobody can guess.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// newID is a public id of 128 random bits.
func newID() string { return base64.RawURLEncoding.EncodeToString(randomBytes(16)) }

// stored is where the store has what belongs to a secret: under its hash, so that
// who reads the store has no secret.
func stored(kind, secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return kind + "/" + hex.EncodeToString(sum[:])
}
