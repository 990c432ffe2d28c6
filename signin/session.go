package signin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"porterhouse"
	"porterhouse/kv"
	"porterhouse/seal"
)

const (
	sessionCookie = "session"
	sessionStore  = "session/"
	secretLength  = 43 // characters of what secret makes
)

// sessions are those of browsers. Each leads to a login.
type sessions struct {
	cookies cookies
	box     *seal.Box
	store   kv.Store
	logins  *logins
}

func nobody(err error) error {
	return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "nobody is signed in in this browser; sign in", Err: err}
}

// open gives a browser a session of a login.
func (s *sessions) open(w http.ResponseWriter, r *http.Request, l login) error {
	id := secret()
	key := sessionKey(id)
	life := earliest(l.SignedIn.Add(s.logins.lives.Browser), l.Ends).Sub(s.logins.now())
	if err := s.store.Put(r.Context(), key, s.box.Seal([]byte(l.id), key), life); err != nil {
		return err
	}
	s.cookies.set(w, sessionCookie, id, 0)
	return nil
}

// sessionKey is where a session is stored: who reads the store cannot use it.
func sessionKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return sessionStore + hex.EncodeToString(sum[:])
}

// of returns the login of the browser that sent r, and the key of its session.
func (s *sessions) of(r *http.Request) (login, string, error) {
	id := s.cookies.get(r, sessionCookie)
	if len(id) != secretLength {
		return login{}, "", nobody(nil)
	}
	key := sessionKey(id)
	sealed, err := s.store.Get(r.Context(), key)
	if errors.Is(err, kv.ErrNotFound) {
		return login{}, "", nobody(err)
	}
	if err != nil {
		return login{}, "", err
	}
	loginID, err := s.box.Open(sealed, key)
	if err != nil {
		return login{}, "", nobody(err)
	}
	l, _, err := s.logins.load(r.Context(), string(loginID))
	if is(err, porterhouse.Unauthenticated) {
		return login{}, "", nobody(err)
	}
	return l, key, err
}

// close ends one session.
func (s *sessions) close(ctx context.Context, l login, key string) error {
	if _, err := s.store.Consume(ctx, key); err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	if l.Held {
		return nil
	}
	_, err := s.store.Swap(ctx, l.key(), l.sealed, nil, 0) // not what it was: somebody holds it now
	return err
}
