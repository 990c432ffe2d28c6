package authserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"porterhouse/kv"
)

// codes keeps authorization codes, under their hashes. A code that is used becomes a
// mark that names what came of it, in the same step (kv.Swap), so that of several who
// bring it one wins, and the others are known for what they are.
type codes struct {
	store kv.Store
	life  time.Duration
	now   func() time.Time
}

// authorization is what a person agreed to.
type authorization struct {
	Client    string    `json:"client"`
	Redirect  string    `json:"redirect"`
	Challenge string    `json:"challenge"` // PKCE, S256
	Scopes    []string  `json:"scopes"`
	Resource  string    `json:"resource"`
	Who       person    `json:"who"`
	Family    string    `json:"family"` // of the refresh tokens that may come of it
	Expires   time.Time `json:"expires"`
	Used      bool      `json:"used,omitempty"`
}

const (
	codePrefix = "phc_"
	// codeAfterwards is how long a used code is known as one.
	codeAfterwards = 10 * time.Minute
)

var (
	errNoCode   = errors.New("no such code: it has ended, or was never made")
	errUsedCode = errors.New("the code was used before")
)

// add keeps an authorization, and returns its code.
func (c *codes) add(ctx context.Context, a authorization) (string, error) {
	a.Expires = c.now().Add(c.life)
	record, err := a.record()
	if err != nil {
		return "", err
	}
	code := codePrefix + base64.RawURLEncoding.EncodeToString(randomBytes(32))
	return code, c.store.Put(ctx, stored("code", code), record, c.life)
}

// use returns what belongs to a code, and uses the code up. With errUsedCode, too,
// the authorization is there.
func (c *codes) use(ctx context.Context, code string) (a authorization, err error) {
	key := stored("code", code)
	record, err := c.store.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) {
		return a, errNoCode
	} else if err != nil {
		return a, err
	}
	if err := json.Unmarshal(record, &a); err != nil {
		return a, fmt.Errorf("authserver: an authorization in the store: %w", err)
	}
	if a.Used {
		return a, errUsedCode
	}
	used, err := a.mark().record()
	if err != nil {
		return a, err
	}
	if won, err := c.store.Swap(ctx, key, record, used, codeAfterwards); err != nil {
		return a, err
	} else if !won {
		return a, errUsedCode
	}
	return a, nil
}

// putBack makes a code that use has just used up good again, for as long as it still
// had to live. Whoever brought it in the meantime has been taken for a thief, and ended
// the family.
func (c *codes) putBack(ctx context.Context, code string, a authorization) error {
	used, err := a.mark().record()
	if err != nil {
		return err
	}
	record, err := a.record()
	if err != nil {
		return err
	}
	life := a.Expires.Sub(c.now())
	if life <= 0 {
		record, life = nil, 0 // it has ended
	}
	_, err = c.store.Swap(ctx, stored("code", code), used, record, life)
	return err
}

// mark is what is left of a code that is used.
func (a authorization) mark() authorization {
	a.Used = true
	return a
}

// record is an authorization as it is stored.
func (a authorization) record() ([]byte, error) {
	record, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("authserver: an authorization: %w", err)
	}
	return record, nil
}
