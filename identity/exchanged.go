package identity

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"porterhouse"
)

// exchanged remembers tokens that were given in exchange, and for a moment that none was.
// Callers with the same question share one flight, and whoever leaves does not end it.
// Neither is in memory for long after its end, and no number of failures takes a token's room.
// Each place is an HMAC of a person and of the token that they brought, so nobody but its
// bearer has what is there. It is safe for concurrent use.
type exchanged struct {
	now func() time.Time

	mu      sync.Mutex
	tokens  shelf
	noes    shelf
	flights map[digest]*exchangeFlight
}

// given is a token, or why there is none, until its end.
type given struct {
	token porterhouse.Secret
	err   error
	until time.Time
}

// exchangeFlight is an exchange under way.
type exchangeFlight struct {
	landed chan struct{} // closed when what is given is there
	given
}

const (
	exchangeTime    = 8 * time.Second  // for the provider, all in all
	exchangeFailure = 10 * time.Second // how long nobody asks again in vain
)

func newExchanged(now func() time.Time) *exchanged {
	return &exchanged{now: now, tokens: newShelf(), noes: newShelf(), flights: map[digest]*exchangeFlight{}}
}

// fetcher gets a token that is good until then.
type fetcher func(context.Context) (porterhouse.Secret, time.Time, error)

// answer returns what is remembered at a place, or what the flight there brings.
func (x *exchanged) answer(ctx context.Context, place digest, fetch fetcher) (porterhouse.Secret, error) {
	found, f := x.board(ctx, place, fetch)
	if f == nil {
		return found.token, found.err
	}
	select {
	case <-f.landed:
		return f.token, f.err
	case <-ctx.Done():
		return porterhouse.Secret{}, left(ctx)
	}
}

// board finds what is remembered, or joins the flight under way, or starts one.
func (x *exchanged) board(ctx context.Context, place digest, fetch fetcher) (given, *exchangeFlight) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.now()
	for _, on := range []*shelf{&x.tokens, &x.noes} {
		if known, ok := on.get(place, now); ok {
			return known, nil
		}
	}
	f, under := x.flights[place]
	if !under {
		f = &exchangeFlight{landed: make(chan struct{})}
		x.flights[place] = f
		go x.fly(context.WithoutCancel(ctx), f, place, fetch)
	}
	return given{}, f
}

// fly fetches. A panic would end the process here, where no HTTP server stands above to
// catch it: it becomes the answer of this one flight.
func (x *exchanged) fly(ctx context.Context, f *exchangeFlight, place digest, fetch fetcher) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil {
			f.given = given{err: broken("exchanging a token panicked: %v\n%s", cause, debug.Stack())}
		}
		x.mu.Lock()
		x.remember(place, f.given)
		delete(x.flights, place)
		x.mu.Unlock()
		close(f.landed)
	}()
	f.err = broken("exchanging a token ended without an answer")
	f.token, f.until, f.err = fetch(ctx)
}

// remember keeps what a flight brought. mu is held.
func (x *exchanged) remember(place digest, g given) {
	now := x.now()
	if g.err != nil {
		g.until = now.Add(exchangeFailure)
		x.noes.put(place, g, now)
		return
	}
	x.tokens.put(place, g, now)
}
