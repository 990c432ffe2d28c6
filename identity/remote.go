package identity

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// remote is a document of a provider: its key set, or what it says of itself. It is
// fetched on demand, by one flight for all who wait, and kept:
//
//	younger than life           used as it is
//	older                       fetched again; callers wait a little for that
//	the provider is away        used on, until it is life + outage old
//	something new is asked for  fetched again, at most once in interval, whoever asks
//	                            and however often
//
// So a key that the provider took back is accepted for life at most, and for
// outage more only while the provider cannot be reached.
type remote[T any] struct {
	what  string // for reasons: "the key set"
	from  string // its URL
	life  time.Duration
	fetch func(context.Context) (T, error)
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	value   T
	fetched time.Time     // when value was; zero: never
	tried   time.Time     // when last was fetched, or tried to
	failure error         // of that; nil: it was fetched
	under   chan struct{} // closed when the fetch under way ends; nil: none is
}

const (
	outage   = 24 * time.Hour   // how long an old document is used while there is no newer
	interval = 10 * time.Second // between two fetches for something that was not there
	patience = 3 * time.Second  // for a fetch, of who could use an old document
)

// get returns the document: one that suffices, or else the newest that there is.
func (r *remote[T]) get(ctx context.Context, suffices func(T) bool) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	useful := r.isYounger(now, r.life+outage) && suffices(r.value)
	if useful && r.isYounger(now, r.life) {
		return r.value, nil
	}
	if r.under == nil && !r.tried.IsZero() && now.Sub(r.tried) < interval && now.Sub(r.tried) >= 0 {
		return r.settle(useful) // it was tried a moment ago
	}
	if r.under == nil {
		r.start(ctx, now)
	}
	wait := now.Sub(r.tried)
	r.await(ctx, useful, patience-wait)
	if useful = r.isYounger(r.now(), r.life+outage) && suffices(r.value); !useful && ctx.Err() != nil {
		var none T
		return none, left(ctx)
	}
	return r.settle(useful)
}

// peek returns the document as it was last fetched, if it ever was.
func (r *remote[T]) peek() (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, !r.fetched.IsZero()
}

func (r *remote[T]) isYounger(now time.Time, than time.Duration) bool {
	return !r.fetched.IsZero() && now.Sub(r.fetched) < than
}

// settle answers with what there is now: nothing new, while the provider is away,
// is no answer to who needs something new.
func (r *remote[T]) settle(useful bool) (T, error) {
	var none T
	switch {
	case useful:
		return r.value, nil
	case r.under != nil:
		return none, away("%s (%s) is still being fetched", r.what, r.from)
	case r.failure != nil:
		return none, away("%s (%s): %w", r.what, r.from, r.failure)
	}
	return r.value, nil
}

// start fetches in a goroutine that ends with the fetch; it is not the caller's to
// cancel, because others may wait for it too. mu is held.
func (r *remote[T]) start(ctx context.Context, now time.Time) {
	done := make(chan struct{})
	r.under, r.tried = done, now
	go func() {
		value, err := r.fetch(context.WithoutCancel(ctx))
		r.mu.Lock()
		defer r.mu.Unlock()
		defer close(done)
		r.land(value, err)
	}()
}

// land keeps what was fetched. mu is held.
func (r *remote[T]) land(value T, err error) {
	if err != nil && r.failure == nil {
		r.log.Error("an identity provider cannot be asked", "what", r.what, "url", r.from, "cause", err)
	}
	if err == nil && r.failure != nil {
		r.log.Info("an identity provider can be asked again", "what", r.what, "url", r.from)
	}
	r.under, r.failure, r.tried = nil, err, r.now()
	if err == nil {
		r.value, r.fetched = value, r.tried
	}
}

// await lets the fetch under way end: to the end of ctx, or, when there is an old
// document to use, for a little. mu is held before and after.
func (r *remote[T]) await(ctx context.Context, useful bool, little time.Duration) {
	done := r.under
	r.mu.Unlock()
	defer r.mu.Lock()
	if useful {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, little)
		defer cancel()
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}
