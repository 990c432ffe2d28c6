package authserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"porterhouse"
	"porterhouse/kv"
	"porterhouse/seal"
)

// families keeps what refresh tokens are good for. A family is all that came of one
// yes of a person: one refresh token after the other, of which the last one counts.
//
//	begin ─▶ 1 ── rotate ─▶ 2 ── rotate ─▶ 3        family/<id> knows the hashes of 3 and 2
//	         │              │              └─ current: an access token, and 4
//	         │              └─ recent, for 10 s: an access token alone (the answer got lost)
//	         └─ reused: somebody has a copy. The family ends.
//
// What a family was is changed by kv.Swap alone, so of several who refresh at once one
// rotates.
type families struct {
	store kv.Store
	box   *seal.Box // proves that a refresh token was made here
	Lifetimes
	now func() time.Time
}

// family is one family as it is stored.
type family struct {
	Client     string    `json:"client"`
	Who        person    `json:"who"` // as the provider knew them last
	Scopes     []string  `json:"scopes"`
	Resource   string    `json:"resource"`
	Ends       time.Time `json:"ends"` // whatever happens
	Generation uint32    `json:"generation"`
	Current    []byte    `json:"current"`        // SHA-256 of the refresh token
	Last       []byte    `json:"last,omitempty"` // SHA-256 of the one before
	Rotated    time.Time `json:"rotated"`        // when the current one was made
	Ended      bool      `json:"ended,omitempty"`
}

// endedFamily is what is left of a family for a while: nobody can begin it again.
const endedFamilyLife = time.Hour

var (
	errNoFamily = errors.New("the family has ended, or never began")
	errRotated  = errors.New("another request was faster")
)

// entitle is what a person's yes gives a client: with offline_access, the beginning
// of a family of refresh tokens of this id.
func (f *families) entitle(c Client, who porterhouse.Principal, scopes []string, resource, id string) entitlement {
	found := entitlement{who: who, scopes: scopes, resource: resource}
	if !mayRefresh(c) || !slices.Contains(scopes, ScopeOffline) {
		return found
	}
	found.family = id
	found.refresh = func(ctx context.Context) (string, error) {
		return f.begin(ctx, id, family{Client: c.ID, Who: newPerson(who), Scopes: scopes, Resource: resource})
	}
	return found
}

// mayRefresh reports whether a client may have refresh tokens.
func mayRefresh(c Client) bool {
	return c.may(GrantRefresh) && slices.Contains(c.Scopes, ScopeOffline)
}

// begin keeps a new family, and returns its first refresh token.
func (f *families) begin(ctx context.Context, id string, new family) (string, error) {
	new.Ends = earlier(f.now().Add(f.Longest), new.Who.Expires)
	secret, record, err := f.next(id, new)
	if err != nil {
		return "", err
	}
	won, err := f.store.Swap(ctx, familyKey(id), nil, record, f.life(new))
	if err == nil && !won {
		err = refuse("invalid_grant", "what was agreed to has been taken back, or was used before")
	}
	if err != nil {
		return "", err
	}
	return secret, nil
}

// find returns a family as it is, and as it is written, or errNoFamily.
func (f *families) find(ctx context.Context, id string) (found family, record []byte, err error) {
	record, err = f.store.Get(ctx, familyKey(id))
	if errors.Is(err, kv.ErrNotFound) {
		return found, nil, errNoFamily
	} else if err != nil {
		return found, nil, err
	}
	if err := json.Unmarshal(record, &found); err != nil {
		return found, nil, fmt.Errorf("authserver: a family in the store: %w", err)
	}
	if found.Ended || !f.now().Before(found.Ends) {
		return found, nil, errNoFamily
	}
	return found, record, nil
}

// rotate makes the next refresh token of a family that find returned, for the person
// as they are now. errRotated: the family was changed in between.
func (f *families) rotate(ctx context.Context, id string, was family, record []byte, who porterhouse.Principal) (string, error) {
	now := was
	now.Who, now.Last = newPerson(who), was.Current
	now.Ends = earlier(was.Ends, who.Expires)
	secret, next, err := f.next(id, now)
	if err != nil {
		return "", err
	}
	won, err := f.store.Swap(ctx, familyKey(id), record, next, f.life(now))
	if err == nil && !won {
		err = errRotated
	}
	if err != nil {
		return "", err
	}
	return secret, nil
}

// next is the next refresh token of a family, and the family with it, to be stored.
func (f *families) next(id string, of family) (secret string, record []byte, err error) {
	of.Generation++
	of.Rotated = f.now()
	token, err := f.newRefreshToken(id, of.Generation)
	if err != nil {
		return "", nil, err
	}
	of.Current = token.sum()
	if record, err = json.Marshal(of); err != nil {
		return "", nil, fmt.Errorf("authserver: a family: %w", err)
	}
	return token.text, record, nil
}

// end ends a family, whether it has begun or not.
func (f *families) end(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	record, err := json.Marshal(family{Ended: true})
	if err != nil {
		return fmt.Errorf("authserver: a family: %w", err)
	}
	return f.store.Put(ctx, familyKey(id), record, endedFamilyLife)
}

// life is how long a family stays when nobody asks for it.
func (f *families) life(of family) time.Duration {
	return max(min(f.Idle, of.Ends.Sub(f.now())), time.Millisecond)
}

func familyKey(id string) string { return "family/" + id }

// earlier returns the earlier of two times; a zero one is never.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}
