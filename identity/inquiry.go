package identity

import "context"

// inquiry is one call of a Verifier, as its processors see it: what they share, for
// they are asked one after the other about the same token. The nil inquiry is that
// of a processor which is asked by itself.
//
// It travels in ctx because a Processor is a plain function, which others make too.
// Nothing outside this package can read it, and no answer depends on it.
type inquiry struct {
	trace *trace // nil: nobody wants to read one

	// Hashing a token costs more than all else that a remembered verdict does, so it
	// is hashed once, by the first who needs it.
	token  string
	by     *verdicts // whose digest it is
	hashed digest
}

type inquiryKey struct{}

// with returns a context that leads to i.
func (i *inquiry) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, inquiryKey{}, i)
}

// inquiryOf returns the inquiry of ctx; nil where there is none.
func inquiryOf(ctx context.Context) *inquiry {
	i, _ := ctx.Value(inquiryKey{}).(*inquiry)
	return i
}

// digest is v's digest of a token: the shared one, if that is of this token and by v.
func (i *inquiry) digest(v *verdicts, token string) digest {
	if i == nil || i.token != token {
		return v.digest(token)
	}
	if i.by != v {
		i.by, i.hashed = v, v.digest(token)
	}
	return i.hashed
}
