package signin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"porterhouse"
	"porterhouse/kv"
	"porterhouse/seal"
)

// logins keeps the sign-ins of people.
type logins struct {
	store     kv.Store
	box       *seal.Box
	providers map[string]Provider // by name
	lives     Lifetimes
	now       func() time.Time
}

// login is one sign-in of a person, as it is kept: who it is, as the provider last
// said, and what is needed to ask again.
type login struct {
	Issuer  string    `json:"issuer"`
	Subject string    `json:"subject"`
	User    string    `json:"user"`
	Client  string    `json:"client"`
	Proof   string    `json:"proof"`  // the provider's name
	Groups  []string  `json:"groups"` // null: it told none
	Issued  time.Time `json:"issued"`
	Kept    Kept      `json:"kept"`

	SignedIn  time.Time `json:"signed_in"`
	Confirmed time.Time `json:"confirmed"` // the provider's last yes
	Asked     time.Time `json:"asked"`     // when it was last tried to get one, or there was no way to
	Ends      time.Time `json:"ends"`      // whatever happens
	Held      bool      `json:"held"`      // somebody has asked for it: it outlives the browser's session

	id     string
	sealed []byte // as it is stored: what a Swap replaces
}

const (
	loginStore = "login/"
	idLength   = 22 // characters of a login's id: 128 bits
)

// ended is the answer about a login that does not count any more.
func ended(err error) error {
	return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "this sign-in has ended; sign in again", Err: err}
}

// new makes a login of somebody whom a provider has just proved.
func (k *logins) new(p Provider, who porterhouse.Principal, given Kept) login {
	id := make([]byte, 16)
	rand.Read(id)
	l := login{id: encoding.EncodeToString(id), SignedIn: k.now()}
	l.learn(who, given, l.SignedIn)
	if l.Ends = l.SignedIn.Add(k.lives.Longest); !p.canRecheck(given) {
		l.Ends = earliest(l.Ends, l.SignedIn.Add(k.lives.WithoutRecheck))
	}
	return l
}

// learn takes what a provider says now.
func (l *login) learn(who porterhouse.Principal, k Kept, now time.Time) {
	l.Issuer, l.Subject, l.User, l.Client = who.Issuer, who.Subject, who.User, who.Client
	l.Proof, l.Groups, l.Issued, l.Kept = who.Proof, who.Groups, who.Issued, k
	if l.Issued.IsZero() {
		l.Issued = now
	}
	l.Confirmed, l.Asked = now, now
}

// principal is the person of a login.
func (l *login) principal() porterhouse.Principal {
	return porterhouse.Principal{
		Issuer: l.Issuer, Subject: l.Subject, User: l.User, Client: l.Client, Proof: l.Proof, Groups: l.Groups,
		TokenID: l.id, Login: l.id, Issued: l.Issued, Expires: l.Ends,
	}
}

func (l *login) key() string { return loginStore + l.id }

// until is when a login ends if nothing happens.
func (k *logins) until(l login) time.Time {
	if l.Held {
		return earliest(l.Ends, l.Asked.Add(k.lives.Idle))
	}
	return earliest(l.Ends, l.SignedIn.Add(k.lives.Browser))
}

// pack seals a login for its place.
func (k *logins) pack(l login) ([]byte, error) {
	plain, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("signin: %w", err)
	}
	return k.box.Seal(plain, l.key()), nil
}

// create stores a login that is new.
func (k *logins) create(ctx context.Context, l login) error {
	sealed, err := k.pack(l)
	if err != nil {
		return err
	}
	return k.store.Put(ctx, l.key(), sealed, k.until(l).Sub(k.now()))
}

// replace stores next in the place of l. It has ended meanwhile if it is not what it
// was: who ends a login does not wait for whoever renews it.
func (k *logins) replace(ctx context.Context, l, next login) error {
	life := k.until(next).Sub(k.now())
	if life <= 0 {
		return ended(errors.New("it is over"))
	}
	sealed, err := k.pack(next)
	if err != nil {
		return err
	}
	same, err := k.store.Swap(ctx, l.key(), l.sealed, sealed, life)
	if err == nil && !same {
		err = ended(errors.New("it was ended, or changed, meanwhile"))
	}
	return err
}

// load reads a login that has not ended, and its provider.
func (k *logins) load(ctx context.Context, id string) (login, Provider, error) {
	l := login{id: id}
	if len(id) != idLength {
		return login{}, Provider{}, ended(errors.New("this is no login's id"))
	}
	sealed, err := k.store.Get(ctx, l.key())
	if errors.Is(err, kv.ErrNotFound) {
		return login{}, Provider{}, ended(err)
	}
	if err != nil {
		return login{}, Provider{}, err
	}
	plain, err := k.box.Open(sealed, l.key())
	if err != nil {
		return login{}, Provider{}, ended(err)
	}
	if err := json.Unmarshal(plain, &l); err != nil {
		return login{}, Provider{}, ended(err)
	}
	p, found := k.providers[l.Proof]
	if !found {
		return login{}, Provider{}, ended(fmt.Errorf("its provider %q is not configured any more", l.Proof))
	}
	if !k.now().Before(k.until(l)) {
		return login{}, Provider{}, ended(errors.New("it is over"))
	}
	l.sealed = sealed
	return l, p, nil
}

// end ends a login of theirs, if there is one.
func (k *logins) end(ctx context.Context, who porterhouse.Principal) error {
	l, _, err := k.load(ctx, who.TokenID)
	if is(err, porterhouse.Unauthenticated) || err == nil && l.principal().Key() != who.Key() {
		return nil // there is none of theirs
	}
	if err != nil {
		return err
	}
	if _, err := k.store.Consume(ctx, l.key()); err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	return nil
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
