package authserver

import (
	"context"
	"crypto/ecdsa"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"

	"porterhouse/kv"
	"porterhouse/seal"
)

// KeysConfig says where the signing keys come from: files of the operator, or made
// here and kept in the store, sealed, where one replica at a time rotates them.
type KeysConfig struct {
	Files  []string      // PEM, P-256; the first signs, all verify. Empty: made here
	Store  kv.Store      // of keys made here
	Key    *seal.Key     // seals them
	Rotate time.Duration // how long a key signs; 0: 30 days
	Keep   time.Duration // how long it verifies afterwards; 0: an hour
	Log    *slog.Logger
	Now    func() time.Time
}

// Keys sign our tokens (ES256). It lives as long as the process.
type Keys struct{}

// OpenKeys reads the files, or reads the keys in the store and makes the first.
func OpenKeys(ctx context.Context, c KeysConfig) (*Keys, error) { panic("not yet") }

// Run rotates the keys until ctx ends; of many replicas one does.
func (k *Keys) Run(ctx context.Context) error { panic("not yet") }

// Sign makes a JWT of claims (JSON) with the given typ header.
func (k *Keys) Sign(typ string, claims []byte) (string, error) { panic("not yet") }

// Public is the key set for /jwks: what signs, what is next, and what still verifies.
func (k *Keys) Public() jose.JSONWebKeySet { panic("not yet") }

// Verifying returns the public key with an id. An unknown id makes it look into the
// store again, seldom: another replica may have rotated.
func (k *Keys) Verifying(ctx context.Context, id string) (*ecdsa.PublicKey, error) {
	panic("not yet")
}
