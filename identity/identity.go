package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"porterhouse"
)

// ErrNotMine says that a token is not for this processor: ask the next. Every
// other error of a processor is final.
var ErrNotMine = errors.New("identity: token is not mine")

// Processor is one way to prove who a token belongs to. It returns ErrNotMine, with
// its own name and why, for a token of another kind, and otherwise a *porterhouse.Error: of kind
// Unauthenticated for a token it refuses, Unavailable when it cannot tell.
type Processor func(ctx context.Context, token string) (porterhouse.Principal, error)

// Config is what a Verifier is made of.
type Config struct {
	Processors []Processor // asked in this order; at least one
}

// Verifier asks its processors in order. It is safe for concurrent use.
type Verifier struct {
	processors                []Processor
	accepted, refused, failed atomic.Uint64
}

// New checks c and returns its Verifier.
func New(c Config) (*Verifier, error) {
	if len(c.Processors) == 0 {
		return nil, errors.New("identity: no processor: nobody could ever be proved")
	}
	for i, p := range c.Processors {
		if p == nil {
			return nil, fmt.Errorf("identity: processor %d is nil", i)
		}
	}
	return &Verifier{processors: c.Processors}, nil
}

// maxToken is the longest token, in bytes, that any processor gets to see.
const maxToken = 16 << 10

// Verify proves who a token belongs to. The error is a *porterhouse.Error:
// Unauthenticated when the token is refused, another kind when nobody could
// tell (then the same token may be good later).
func (v *Verifier) Verify(ctx context.Context, token string) (porterhouse.Principal, error) {
	who, err := v.ask(ctx, &inquiry{token: token})
	if err == nil {
		v.accepted.Add(1)
		return who, nil
	}
	if kind, _ := porterhouse.Explain(err); kind == porterhouse.Unauthenticated {
		v.refused.Add(1)
	} else {
		v.failed.Add(1)
	}
	return porterhouse.Principal{}, err
}

func (v *Verifier) ask(ctx context.Context, i *inquiry) (porterhouse.Principal, error) {
	if i.token == "" {
		return porterhouse.Principal{}, refuse("the token is empty")
	}
	if len(i.token) > maxToken {
		return porterhouse.Principal{}, refuse("the token has %d bytes, more than the %d allowed", len(i.token), maxToken)
	}
	ctx = i.with(ctx)
	var passed []string
	for n, process := range v.processors {
		who, err := process(ctx, i.token)
		if errors.Is(err, ErrNotMine) {
			i.trace.note("asked, %d of %d: %v", n+1, len(v.processors), err)
			passed = append(passed, err.Error())
			continue
		}
		if err != nil {
			return porterhouse.Principal{}, err
		}
		i.trace.note("asked, %d of %d: processor %s: it is %q", n+1, len(v.processors), who.Proof, who.User)
		return who, complete(who)
	}
	return porterhouse.Principal{}, refuse("no processor knows this kind of token: %s", strings.Join(passed, "; "))
}

// complete refuses a Principal whose Key would be empty, or could be that of a
// person of another issuer.
func complete(who porterhouse.Principal) error {
	if who.Issuer == "" || who.Subject == "" || strings.ContainsRune(who.Issuer, 0) {
		return refuse("the processor proved nobody: issuer %q, subject %q", who.Issuer, who.Subject)
	}
	return nil
}

// refuse is the one answer to every token that proves nobody. The format is of
// the private reason, which must not hold the token.
func refuse(format string, args ...any) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Unauthenticated,
		Public: "the token is not valid: it may be mistyped, expired or revoked; ask the operator of this server for a new one",
		Err:    fmt.Errorf(format, args...),
	}
}

// Stats counts the tokens seen since New.
type Stats struct {
	Accepted uint64 // proved somebody
	Refused  uint64 // proved nobody
	Failed   uint64 // nobody could tell
}

// Stats returns the counts so far.
func (v *Verifier) Stats() Stats {
	return Stats{v.accepted.Load(), v.refused.Load(), v.failed.Load()}
}
