package identity

import (
	"context"
	"fmt"
	"sync"

	"porterhouse"
)

// trace collects what was checked of one token, for the operator. The nil trace
// collects nothing.
type trace struct {
	mu    sync.Mutex
	lines []string
}

// note adds a line: what was checked, by which claim. Never the token itself.
func (t *trace) note(format string, args ...any) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

// traceOf returns the trace of ctx; nil, mostly.
func traceOf(ctx context.Context) *trace {
	if i := inquiryOf(ctx); i != nil {
		return i.trace
	}
	return nil
}

// Explain is Verify for the operator: it looks into no cache, counts nothing, and
// tells line by line which processor was asked and what it found. Where the token
// is refused, the error's private half has the reason.
func (v *Verifier) Explain(ctx context.Context, token string) (porterhouse.Principal, []string, error) {
	t := &trace{}
	who, err := v.ask(ctx, &inquiry{token: token, trace: t})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		return porterhouse.Principal{}, t.lines, err
	}
	return who, t.lines, nil
}
