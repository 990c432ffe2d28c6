package identity

import (
	"context"
	"errors"

	"porterhouse"
)

// ErrNotMine says that a token is not for this processor: ask the next. Every
// other error of a processor is final.
var ErrNotMine = errors.New("identity: token is not mine")

// Verifier asks its processors in order.
type Verifier struct{}

// Verify proves who a token belongs to.
func (v *Verifier) Verify(ctx context.Context, token string) (porterhouse.Principal, error) {
	panic("skeleton")
}
