package signin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"porterhouse"
	"porterhouse/kv"
)

const (
	sessionCookie = "session"
	sessionStore  = "session/"
	secretLength  = 43 // characters of what secret makes
)

func nobody(err error) error {
	return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "nobody is signed in in this browser; sign in", Err: err}
}

// open gives a browser a session of a login.
func (s *SignIn) open(w http.ResponseWriter, r *http.Request, l login) error {
	id := secret()
	key := sessionKey(id)
	life := earliest(l.SignedIn.Add(s.Lifetimes.Browser), l.Ends).Sub(s.Now())
	if err := s.Store.Put(r.Context(), key, s.sessions.Seal([]byte(l.id), key), life); err != nil {
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

// sessionOf returns the login of the browser that sent r, and the key of its session.
func (s *SignIn) sessionOf(r *http.Request) (login, string, error) {
	id := s.cookies.get(r, sessionCookie)
	if len(id) != secretLength {
		return login{}, "", nobody(nil)
	}
	key := sessionKey(id)
	sealed, err := s.Store.Get(r.Context(), key)
	if errors.Is(err, kv.ErrNotFound) {
		return login{}, "", nobody(err)
	}
	if err != nil {
		return login{}, "", err
	}
	of, err := s.sessions.Open(sealed, key)
	if err != nil {
		return login{}, "", nobody(err)
	}
	l, _, err := s.load(r.Context(), string(of))
	if is(err, porterhouse.Unauthenticated) {
		return login{}, "", nobody(err)
	}
	return l, key, err
}

// Who tells who is signed in in the browser that sent r. The Principal's TokenID is
// the login's id, Issued when the person signed in, and Expires when the login ends
// whatever happens. Unauthenticated: nobody; Unavailable: the store is away.
func (s *SignIn) Who(r *http.Request) (porterhouse.Principal, error) {
	l, _, err := s.sessionOf(r)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	who := l.principal()
	who.Issued = l.SignedIn
	return who, nil
}

// leave ends the session of the browser that sent r, and its login when nobody else
// has asked for that. What cannot be ended now ends by itself.
func (s *SignIn) leave(r *http.Request) {
	l, key, err := s.sessionOf(r)
	if err == nil {
		err = s.close(r.Context(), l, key)
	}
	if err != nil && !is(err, porterhouse.Unauthenticated) {
		s.Log.Warn("a session was left behind", "request", r.Header.Get("X-Request-Id"), "error", err)
	}
}

// close ends one session.
func (s *SignIn) close(ctx context.Context, l login, key string) error {
	if _, err := s.Store.Consume(ctx, key); err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	if l.Held {
		return nil
	}
	_, err := s.Store.Swap(ctx, l.key(), l.sealed, nil, 0) // not what it was: somebody holds it now
	return err
}
