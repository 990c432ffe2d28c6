package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// WholeRun is a TB for what all tests of a package share: TestMain calls End when they
// have run. The zero WholeRun is ready.
type WholeRun struct {
	cleanups []func()
	failure  error
}

// Helper implements TB.
func (*WholeRun) Helper() {}

// Context implements TB.
func (*WholeRun) Context() context.Context { return context.Background() }

// Cleanup implements TB.
func (r *WholeRun) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// Errorf implements TB.
func (r *WholeRun) Errorf(format string, args ...any) {
	r.failure = errors.Join(r.failure, fmt.Errorf(format, args...))
}

// Fatalf implements TB. There is no test that could end, so it panics.
func (r *WholeRun) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// End runs the clean-ups, last first, and returns what failed.
func (r *WholeRun) End() error {
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
	return r.failure
}
