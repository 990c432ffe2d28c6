package login

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"porterhouse"
)

// store is the file of the logins. It is written as a whole, so that a reader finds
// the old one or the new one.
type store struct {
	dir     string
	keyring Keyring // nil: there is none
}

// record is a login as the file has it.
type record struct {
	Resource           string    `json:"resource"`
	Server             string    `json:"server,omitempty"` // where to sign in, when Resource does not tell
	Issuer             string    `json:"issuer"`
	TokenEndpoint      string    `json:"token_endpoint"`
	RevocationEndpoint string    `json:"revocation_endpoint,omitempty"`
	Person             string    `json:"person,omitempty"`
	Scope              string    `json:"scope,omitempty"`
	SignedIn           time.Time `json:"signed_in"`
	Tokens             *tokens   `json:"tokens,omitempty"` // in the clear, where there is no keyring
	Sealed             []byte    `json:"sealed,omitempty"` // else
}

func (r record) login() Login {
	return Login{Resource: r.Resource, Server: cmp.Or(r.Server, r.Resource), Person: r.Person, Scope: r.Scope, SignedIn: r.SignedIn, Sealed: len(r.Sealed) > 0}
}

// document is the whole file.
type document struct {
	Logins []record `json:"logins"`
}

func (s store) path() string { return filepath.Join(s.dir, "logins.json") }

// read returns what the file has; no file, nothing. A file that others can read or
// that is not ours is refused: its tokens may be anybody's by now.
func (s store) read() ([]record, error) {
	file, err := os.OpenFile(s.path(), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the file of the logins cannot be read: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	if err := ownersOnly(file); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("the file of the logins cannot be read: %w", err)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%s is not what porterhouse has written (%w): remove it, and sign in again", s.path(), err)
	}
	return d.Logins, nil
}

// ownersOnly refuses a file that anybody but its owner, who must be we, can read.
func ownersOnly(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("the file of the logins: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no plain file", file.Name())
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("others can read %s (%v), and the tokens in it: remove it, and sign in again", file.Name(), info.Mode().Perm())
	case !ok || int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to somebody else", file.Name())
	}
	return nil
}

// put writes one login with its tokens, beside the others and in place of its old self.
func (s store) put(ctx context.Context, r record, kept tokens) (Login, error) {
	if err := s.close(ctx, &r, kept); err != nil {
		return Login{}, err
	}
	return r.login(), s.update(ctx, func(all []record) []record {
		return append(slices.DeleteFunc(all, func(o record) bool { return o.Resource == r.Resource }), r)
	})
}

// remove forgets a login.
func (s store) remove(ctx context.Context, resource string) error {
	return s.update(ctx, func(all []record) []record {
		return slices.DeleteFunc(all, func(o record) bool { return o.Resource == resource })
	})
}

// update changes the file, one process at a time.
func (s store) update(ctx context.Context, change func([]record) []record) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	all, err := s.read()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(document{change(all)}, "", "  ")
	if err != nil {
		return fmt.Errorf("the file of the logins: %w", err)
	}
	if err := replace(s.path(), text); err != nil {
		return fmt.Errorf("the file of the logins cannot be written: %w", err)
	}
	return nil
}

// replace writes a file beside path, for the owner alone, and moves it there.
func replace(path string, text []byte) error {
	beside, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = beside.Write(text)
	if err == nil {
		err = beside.Sync()
	}
	err = errors.Join(err, beside.Close())
	if err == nil {
		err = os.Rename(beside.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(beside.Name()))
	}
	return nil
}

// lockWait is how long one process waits for another that refreshes a token; who
// holds the lock waits no longer than that for its server.
const lockWait = time.Minute

// lock takes the lock on a login, or with "" on the file; all processes share it, and
// one that dies lets go of it.
func (s store) lock(ctx context.Context, resource string) (unlock func(), err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("the directory of the logins cannot be made: %w", err)
	}
	name := "logins.lock"
	if resource != "" {
		sum := sha256.Sum256([]byte(resource))
		name = "login-" + hex.EncodeToString(sum[:6]) + ".lock"
	}
	file, err := os.OpenFile(filepath.Join(s.dir, name), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock of the logins: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil // which unlocks it; nothing was written
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("the lock %s: %w", file.Name(), err), file.Close())
		}
		select {
		case <-ctx.Done():
			busy := porterhouse.Errorf(porterhouse.Unavailable, "another porterhouse process has been busy with this login for too long; try again")
			return nil, errors.Join(busy, file.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
