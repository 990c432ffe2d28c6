package login

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"

	"porterhouse"
)

// Keyring keeps one secret of the person who uses this machine: the key of the file
// of the logins. The tokens themselves would not fit: some keyrings take no more than
// 2,500 bytes, and a token with many groups has more.
type Keyring interface {
	// Get returns the secret; ErrNoSecret: there is none yet.
	Get() (string, error)
	Set(secret string) error
}

// ErrNoSecret says that a keyring is there, and has nothing of ours.
var ErrNoSecret = keyring.ErrNotFound

// SystemKeyring returns the keyring of this desktop, or nil where there is none.
func SystemKeyring(env func(string) (string, bool)) Keyring {
	if runtime.GOOS == "darwin" || hasBus(env) {
		return system{}
	}
	return nil
}

// hasBus reports whether somebody's desktop session is here. Without one, asking for
// the keyring would start a message bus of its own.
func hasBus(env func(string) (string, bool)) bool {
	if address, _ := env("DBUS_SESSION_BUS_ADDRESS"); address != "" {
		return true
	}
	directory, _ := env("XDG_RUNTIME_DIR")
	if directory == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(directory, "bus"))
	return err == nil
}

// system is the keyring of the desktop: Keychain, or the Secret Service.
type system struct{}

// The one entry that we have in it.
const keyringService, keyringUser = "porterhouse", "logins"

func (system) Get() (string, error) { return keyring.Get(keyringService, keyringUser) }
func (system) Set(secret string) error {
	return keyring.Set(keyringService, keyringUser, secret)
}

// keyringWait is how long the keyring may take: it may ask the person to unlock it.
const keyringWait = 30 * time.Second

// key returns the key of the file from the keyring; where there is none yet, it is
// made if it may be.
func (s store) key(ctx context.Context, create bool) ([]byte, error) {
	if s.keyring == nil {
		return nil, errors.New("there is no keyring here")
	}
	type result struct {
		key []byte
		err error
	}
	ctx, cancel := context.WithTimeout(ctx, keyringWait)
	defer cancel()
	done := make(chan result, 1)
	go func() { // the keyring knows no deadline
		key, err := keyOf(s.keyring)
		if create && errors.Is(err, ErrNoSecret) {
			key, err = s.makeKey(ctx)
		}
		done <- result{key, err}
	}()
	select {
	case r := <-done:
		return r.key, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("the keyring does not answer: %w", ctx.Err())
	}
}

// keySize is AES-256's, in bytes.
const keySize = 32

func keyOf(k Keyring) ([]byte, error) {
	text, err := k.Get()
	if err != nil {
		return nil, fmt.Errorf("the keyring: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keySize {
		return nil, errors.New("the keyring's entry porterhouse is not what porterhouse has put there")
	}
	return key, nil
}

// makeKey makes the key where there is none. Of several processes one does it: a second
// key in the place of the first would lock up what was sealed with that.
func (s store) makeKey(ctx context.Context) ([]byte, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if key, err := keyOf(s.keyring); !errors.Is(err, ErrNoSecret) {
		return key, err
	}
	key := make([]byte, keySize)
	rand.Read(key) // never fails
	if err := s.keyring.Set(base64.StdEncoding.EncodeToString(key)); err != nil {
		return nil, fmt.Errorf("the keyring: %w", err)
	}
	return key, nil
}

// close puts tokens into a record: sealed, where the keyring has a key for that. A
// keyring that fails is none: then the owner's file keeps them alone.
func (s store) close(ctx context.Context, r *record, kept tokens) error {
	r.Tokens, r.Sealed = &kept, nil
	key, err := s.key(ctx, true)
	if err != nil {
		return nil
	}
	box, err := boxOf(key)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("sealing the tokens: %w", err)
	}
	r.Tokens, r.Sealed = nil, box.Seal(nil, nil, plain, r.place())
	return nil
}

// open takes the tokens out of a record.
func (s store) open(ctx context.Context, r record) (tokens, error) {
	if len(r.Sealed) == 0 {
		if r.Tokens == nil {
			return tokens{}, nil
		}
		return *r.Tokens, nil
	}
	key, err := s.key(ctx, false)
	if err != nil {
		return tokens{}, &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "the login at " + r.Resource + " is locked by the keyring: unlock that, or run " + r.again(), Err: err}
	}
	box, err := boxOf(key)
	if err != nil {
		return tokens{}, err
	}
	var kept tokens
	plain, err := box.Open(nil, nil, r.Sealed, r.place())
	if err == nil {
		err = json.Unmarshal(plain, &kept)
	}
	if err != nil {
		return tokens{}, r.ended(errors.New("what is kept of it was changed, or sealed with another key"))
	}
	return kept, nil
}

// place is where the tokens may go: who changes the addresses in the file does not
// get them sent there.
func (r record) place() []byte {
	return fmt.Appendf(nil, "%q %q %q %q", r.Resource, r.Issuer, r.TokenEndpoint, r.RevocationEndpoint)
}

func boxOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("the key in the keyring: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
