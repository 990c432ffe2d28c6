package identity

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
)

// Issuer is the issuer of everybody whom an API token proves. Their Subject is
// the user name exactly as it was given to Create, in Unicode normal form C:
// names are not folded, because ClickHouse tells Alice from alice. Instead,
// Create refuses a second spelling of a name that has a token already.
const Issuer = "porterhouse"

// TokensConfig says where the API tokens are kept.
type TokensConfig struct {
	Path string           // the file; it need not exist yet
	Log  *slog.Logger     // nil: discarded
	Now  func() time.Time // nil: time.Now
}

// Tokens is a file of API tokens. [Tokens.Verify] is a Processor; Create, List
// and Revoke are the operator's. Any number of processes may use one file: each
// change is made under a lock and replaces the file as a whole, and whoever
// verifies looks at the file anew, without a goroutine, when it was last seen
// a quarter of a second ago.
//
// What the file's state means for everybody who has a token:
//
//	it does not exist            there are no tokens: refused
//	it cannot be read, or is     Unavailable, logged once, until it is mended; what
//	damaged or writable by all   was read before is forgotten, because it may hold
//	                             a token that was revoked since
type Tokens struct {
	path string
	log  *slog.Logger
	now  func() time.Time

	view    atomic.Pointer[view]
	looking sync.Mutex // held by whoever looks at the file
}

// NewTokens reads the file for the first time, and fails when it cannot.
func NewTokens(c TokensConfig) (*Tokens, error) {
	if c.Path == "" {
		return nil, errors.New("identity: the token file has no path")
	}
	t := &Tokens{path: c.Path, log: c.Log, now: c.Now}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.now == nil {
		t.now = time.Now
	}
	first := t.read(t.now())
	if first.err != nil {
		return nil, fmt.Errorf("identity: token file: %w", first.err)
	}
	t.view.Store(first)
	return t, nil
}

// errNoAPIToken passes on what has not the shape of an API token.
var errNoAPIToken = fmt.Errorf("API tokens: %w: not one of ours, by its shape", ErrNotMine)

// Verify implements Processor for tokens that begin with "ph_". The Principal
// has no Token: there is nobody that an API token could be forwarded to.
func (t *Tokens) Verify(_ context.Context, token string) (porterhouse.Principal, error) {
	if !strings.HasPrefix(token, tokenPrefix) {
		return porterhouse.Principal{}, errNoAPIToken
	}
	id, err := parse(token)
	if err != nil {
		return porterhouse.Principal{}, refuse("%w", err)
	}
	now := t.now()
	seen := t.current(now)
	if seen.err != nil {
		return porterhouse.Principal{}, &porterhouse.Error{
			Kind:   porterhouse.Unavailable,
			Public: "tokens cannot be checked at the moment; try again later",
			Err:    fmt.Errorf("token file: %w", seen.err),
		}
	}
	known, ok := seen.tokens[id]
	if !ok {
		return porterhouse.Principal{}, refuse("there is no token %s", id)
	}
	presented := digestOf(token)
	if subtle.ConstantTimeCompare(presented[:], known.Digest[:]) != 1 {
		return porterhouse.Principal{}, refuse("wrong secret for token %s of %s", id, known.User)
	}
	if at, ended := known.ended(now); ended {
		return porterhouse.Principal{}, refuse("token %s of %s ended on %s", id, known.User, at.Format(time.RFC3339))
	}
	return known.principal(), nil
}

func (t Token) principal() porterhouse.Principal {
	return porterhouse.Principal{
		Issuer:  Issuer,
		Subject: t.User,
		User:    t.User,
		Client:  t.Client,
		TokenID: t.ID,
		Expires: t.Expires,
	}
}
