package authserver

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"porterhouse"
	"porterhouse/kv"
	"porterhouse/seal"
)

// KeysConfig says where the signing keys come from: files of the operator, or made
// here and kept in the store, sealed, where one replica at a time rotates them.
type KeysConfig struct {
	Files  []string      // PEM, P-256; the first signs, all verify. Empty: made here
	Store  kv.Store      // of keys made here
	Key    *seal.Key     // seals them
	Rotate time.Duration // how long a key signs, at least an hour; 0: 30 days
	Keep   time.Duration // how long it verifies afterwards, at least a quarter of one; 0: an hour
	Log    *slog.Logger  // nil: discarded
	Now    func() time.Time
}

// Keys sign our tokens (ES256). It lives as long as the process, and is safe for
// concurrent use.
//
//	files ───────────────────────────────▶ keyRing ─▶ Sign, Public, Verifying
//	store ─▶ read ─▶ due? swap, read again ──┘
//
// Keys made here are one entry of the store, with the time at which each begins to
// sign. So nobody has to be told when that is; the next key is there, and shown at
// /jwks, for as long as the one before it signs; and of several replicas that rotate
// at once one wins (kv.Swap), whose keys all have. Whoever deletes the entry, or takes
// another master key, makes all of our tokens void, and gets new keys.
type Keys struct {
	KeysConfig
	box *seal.Box
	now atomic.Pointer[keyRing]

	mu     sync.Mutex
	looked time.Time // when somebody last looked into the store for an unknown key
	failed bool      // the last look of Run
}

const (
	minRotate   = time.Hour
	minKeep     = maxAccess + 5*time.Minute // tokens live on, and clocks differ
	lookEvery   = 5 * time.Second           // for an unknown key, whoever asks
	reloadEvery = time.Minute
)

// OpenKeys reads the files, or reads the keys in the store and makes the first.
func OpenKeys(ctx context.Context, c KeysConfig) (*Keys, error) {
	if c.Rotate == 0 {
		c.Rotate = 30 * 24 * time.Hour
	}
	if c.Keep == 0 {
		c.Keep = time.Hour
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rotate < minRotate || c.Keep < minKeep {
		return nil, fmt.Errorf("authserver: signing keys that sign for %v and verify for %v more cannot be: at least %v and %v are needed", c.Rotate, c.Keep, minRotate, minKeep)
	}
	k := &Keys{KeysConfig: c}
	if len(c.Files) > 0 {
		ring, err := readKeyFiles(c.Files)
		if err != nil {
			return nil, err
		}
		k.now.Store(ring)
		return k, nil
	}
	if c.Store == nil || c.Key == nil {
		return nil, errors.New("authserver: signing keys need files, or a store and a master key to seal them")
	}
	var err error
	if k.box, err = c.Key.For("signing keys"); err != nil {
		return nil, err
	}
	if err := k.reload(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// Run rotates the keys until ctx ends; of many replicas one does.
func (k *Keys) Run(ctx context.Context) error {
	if len(k.Files) > 0 {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			k.note(k.reload(ctx))
		}
	}
}

// note tells the log when the store went away, and when it came back.
func (k *Keys) note(err error) {
	switch {
	case err != nil && !k.failed && !errors.Is(err, context.Canceled):
		k.Log.Error("the signing keys cannot be read from the store; those known are used on", "error", err)
	case err == nil && k.failed:
		k.Log.Info("the signing keys can be read from the store again")
	}
	k.failed = err != nil
}

// reload reads the keys in the store, and rotates them when that is due.
func (k *Keys) reload(ctx context.Context) error {
	for range swapTries {
		sealed, err := k.Store.Get(ctx, ringKey(k.box))
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return fmt.Errorf("authserver: signing keys: %w", err)
		}
		ring := &keyRing{}
		if err == nil {
			if ring, err = openRing(k.box, sealed); err != nil {
				return err
			}
		}
		next, changed, err := ring.rotated(k.Now(), k.Rotate, k.Keep)
		if err != nil {
			return err
		}
		if !changed {
			k.now.Store(ring)
			return nil
		}
		text, err := next.seal(k.box)
		if err != nil {
			return err
		}
		won, err := k.Store.Swap(ctx, ringKey(k.box), sealed, text, 0)
		if err != nil {
			return fmt.Errorf("authserver: signing keys: %w", err)
		}
		if won {
			k.now.Store(next)
			k.Log.InfoContext(ctx, "signing keys rotated", "signs", next.signing(k.Now()).id, "keys", len(next.keys))
			return nil
		}
	}
	return errors.New("authserver: signing keys: others change them all the time")
}

// Sign makes a JWT of claims (JSON) with the given typ header.
func (k *Keys) Sign(typ string, claims []byte) (string, error) {
	key := k.now.Load().signing(k.Now())
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.private, KeyID: key.id}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("authserver: signing: %w", err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("authserver: signing: %w", err)
	}
	return signed.CompactSerialize()
}

// Public is the key set for /jwks: what signs, what is next, and what still verifies.
func (k *Keys) Public() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, key := range k.now.Load().keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &key.private.PublicKey, KeyID: key.id, Algorithm: string(jose.ES256), Use: "sig"})
	}
	return set
}

// Verifying returns the public key with an id. An unknown id makes it look into the
// store again, seldom: another replica may have rotated. An error is a
// *porterhouse.Error: Unauthenticated when there is no such key, Unavailable when
// nobody can tell.
func (k *Keys) Verifying(ctx context.Context, id string) (*ecdsa.PublicKey, error) {
	if key := k.now.Load().find(id); key != nil {
		return key, nil
	}
	if len(k.Files) == 0 && k.mayLook() {
		if err := k.reload(ctx); err != nil {
			return nil, &porterhouse.Error{Kind: porterhouse.Unavailable, Public: "the keys that tokens are verified with cannot be read right now: try again in a moment", Err: err}
		}
		if key := k.now.Load().find(id); key != nil {
			return key, nil
		}
	}
	return nil, porterhouse.Errorf(porterhouse.Unauthenticated, "the token is signed with a key that this server does not have, or not any more: sign in again")
}

// mayLook reports whether enough time has gone by since somebody last looked.
func (k *Keys) mayLook() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.Now(); now.Sub(k.looked).Abs() >= lookEvery {
		k.looked = now
		return true
	}
	return false
}
