package gate

import (
	"context"
	"sync"
	"time"

	"porterhouse/clickhouse"
)

// pulse tells whether a cluster answers. However many ask, ClickHouse is asked once at
// a time, and at most once a second.
type pulse struct {
	ping beat[struct{}]
}

// pulseEvery is how long an answer of a pulse holds.
const pulseEvery = time.Second

func newPulse(client *clickhouse.Client) *pulse {
	return &pulse{
		ping: beat[struct{}]{ask: func(ctx context.Context) (struct{}, error) { return struct{}{}, client.Ping(ctx) }},
	}
}

// Ping reports whether ClickHouse answers at all, as it was a second ago at most.
func (g *Gate) Ping(ctx context.Context, cluster string) error {
	p, ok := g.pulses[cluster]
	if !ok {
		return invalid("there is no cluster named %q", cluster)
	}
	_, err := p.ping.get(ctx)
	return err
}

// beat is one thing that is asked for all at once.
type beat[T any] struct {
	ask func(context.Context) (T, error)

	mu     sync.Mutex
	flight *flight[T] // the last one; nil: there was none
}

// flight is one asking of it.
type flight[T any] struct {
	done  chan struct{}
	since time.Time // when it was done; to be read after done
	value T
	err   error
}

// get returns what was answered in the last second, or waits for an answer. Who asks
// first and goes away does not take the others' answer with them.
func (b *beat[T]) get(ctx context.Context) (value T, err error) {
	f := b.board(ctx)
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return value, context.Cause(ctx)
	}
}

// board finds the flight that holds now, or begins one.
func (b *beat[T]) board(ctx context.Context) *flight[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flight != nil && b.flight.holds() {
		return b.flight
	}
	f := &flight[T]{done: make(chan struct{})}
	b.flight = f
	go func() {
		f.value, f.err = b.ask(context.WithoutCancel(ctx)) // the client bounds it
		f.since = time.Now()
		close(f.done)
	}()
	return f
}

// holds reports whether a flight is under way or was a moment ago.
func (f *flight[T]) holds() bool {
	select {
	case <-f.done:
		return time.Since(f.since) < pulseEvery
	default:
		return true
	}
}
