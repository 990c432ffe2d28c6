package clickhouse

import (
	"context"
	"fmt"
	"sync"
	"time"

	"porterhouse"
)

// auto finds the lane of a Client, by looking:
//
//	first question ─▶ look ─▶ lane, for all that follow
//	Run: is the server another? does the way fail somebody? ─▶ look again
//
// The first look is with whoever asks first, and shared by all who ask meanwhile. What
// one person's account lacks is no reason to leave a way that works for others: it is
// left when it fails the one with whom it was found, or for a better one that works
// for whom it failed.
type auto struct {
	client *Client
	config Config
	doubts chan porterhouse.UserName // whom the way failed; one at most waits
	every  time.Duration             // watchEvery
	pause  time.Duration             // doubtPause

	mu      sync.Mutex
	flight  *flight              // the first look: under way, or failed a moment ago
	person  porterhouse.UserName // with whom the lane was found
	version string               // of the server, then
	started time.Time            // when that server was
}

// flight is a first look that is shared.
type flight struct {
	done  chan struct{}
	lane  *lane     // when done
	err   error     // when done
	ended time.Time // when done
}

const (
	// lookAgain is how long a first look that found nothing is good for everybody.
	lookAgain = 3 * time.Second

	// watchEvery is how often a server is asked whether it is still the same.
	watchEvery = time.Minute

	// doubtPause is how long at least lies between two looks.
	doubtPause = 10 * time.Second

	// sameStart is how much two answers may differ that say when a server was started.
	sameStart = 10 * time.Second
)

func newAuto(client *Client, c Config) *auto {
	return &auto{client: client, config: c, doubts: make(chan porterhouse.UserName, 1), every: watchEvery, pause: doubtPause}
}

// first returns the lane that a look with that person finds, or one that is under way.
func (a *auto) first(ctx context.Context, person porterhouse.UserName) (*lane, error) {
	f := a.fly(context.WithoutCancel(ctx), person)
	select {
	case <-f.done:
		return f.lane, f.err
	case <-ctx.Done():
		kind, public := porterhouse.Explain(ctx.Err())
		return nil, &porterhouse.Error{Kind: kind, Public: public, Err: ctx.Err()}
	}
}

// fly returns the first look that is under way, or begins one. It ends by itself: see
// probeTime.
func (a *auto) fly(ctx context.Context, person porterhouse.UserName) *flight {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flight != nil && !a.flight.isOver() {
		return a.flight
	}
	f := &flight{done: make(chan struct{})}
	a.flight = f
	go func() {
		f.lane, f.err = a.look(ctx, person)
		f.ended = time.Now()
		close(f.done)
	}()
	return f
}

// isOver reports whether what a flight has found is so old that it says nothing.
func (f *flight) isOver() bool {
	select {
	case <-f.done:
		return time.Since(f.ended) >= lookAgain
	default:
		return false
	}
}

// noLane is what a person is told when nothing works.
const noLane = "Porterhouse has found no way in which ClickHouse lets you in as yourself; try again in a moment, and tell the operator if it lasts"

// look looks with a person, and puts the lane that it finds into its place.
func (a *auto) look(ctx context.Context, person porterhouse.UserName) (*lane, error) {
	f, mode, why := a.choose(ctx, person)
	if mode == "" {
		a.client.log.Warn("no access mode was found to work", "why", why, "person", person)
		return nil, &porterhouse.Error{Kind: porterhouse.Unavailable, Public: noLane, Err: fmt.Errorf("looked for an access mode: %s", why)}
	}
	return a.take(f, mode, why), nil
}

// choose finds what works for a person. New has checked what newProber checks.
func (a *auto) choose(ctx context.Context, person porterhouse.UserName) (f Facts, mode Mode, why string) {
	a.client.count.looks.Add(1)
	c := a.config
	c.Trial.Person = person
	p, err := newProber(c)
	if err != nil {
		return f, "", err.Error()
	}
	p.waysOnly = true
	f = p.run(ctx)
	mode, why = Choose(f, c.Access)
	return f, mode, why
}

// take puts a lane into its place, and says so when it is another than before.
func (a *auto) take(f Facts, mode Mode, why string) *lane {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version, a.started = f.Server.Version, f.At.Add(-f.Server.Uptime)
	before := a.client.lane.Load()
	if before != nil && before.mode == mode {
		return before
	}
	a.person, _ = porterhouse.ParseUserName(f.Person) // the zero name: nobody could be tried
	now := newLane(a.client, mode, a.config.Access, why)
	a.client.lane.Store(now)
	a.client.log.Info("access mode found", "mode", mode, "why", why, "version", f.Server.Version, "person", f.Person)
	return now
}

// doubt says that the lane failed somebody, in a way that is not the statement's fault;
// the zero name: everybody.
func (c *Client) doubt(person porterhouse.UserName) {
	if c.auto == nil {
		return
	}
	select {
	case c.auto.doubts <- person:
	default: // one is enough
	}
}

// Run watches, until ctx ends, whether the mode Auto has to look again: because the
// server is another, or does not let somebody in. In any other mode it returns at once.
func (c *Client) Run(ctx context.Context) {
	if c.auto != nil {
		c.auto.watch(ctx)
	}
}

func (a *auto) watch(ctx context.Context) {
	ticks := time.NewTicker(a.every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case person := <-a.doubts:
			a.reconsider(ctx, person)
			select {
			case <-ctx.Done():
			case <-time.After(a.pause):
			}
		case <-ticks.C:
			if a.isAnother(ctx) {
				a.reconsider(ctx, porterhouse.UserName{})
			}
		}
	}
}

// reconsider looks again: with whom the lane failed, for a better one, and with whom it
// was found, for any other. What finds nothing that works leaves the lane where it is:
// its errors say what is wrong.
func (a *auto) reconsider(ctx context.Context, failed porterhouse.UserName) {
	now := a.client.lane.Load()
	if now == nil {
		return // the next question looks
	}
	a.mu.Lock()
	proven := a.person
	a.mu.Unlock()
	if !failed.IsZero() && failed != proven {
		if f, mode, why := a.choose(ctx, failed); better(mode, now.mode) {
			a.take(f, mode, why)
			return
		}
	}
	f, mode, why := a.choose(ctx, proven)
	if mode == "" || mode == ExecuteAs && now.mode == Verify && !f.ExecuteAs.Person.Works() {
		return // for the worse, and it would not help
	}
	a.take(f, mode, why)
}

// isAnother reports whether the server has another version, or was started anew, since
// the lane was found. Without an account nobody can tell.
func (a *auto) isAnother(ctx context.Context) bool {
	if a.config.User == "" {
		return true
	}
	p, err := newProber(a.config)
	if err != nil {
		return false // New has checked it
	}
	defer p.asker.pool.close()
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	p.who(ctx)
	if !p.facts.Gateway.Login.Works() {
		return false
	}
	server, started := p.facts.Server, p.facts.At.Add(-p.facts.Server.Uptime)
	a.mu.Lock()
	defer a.mu.Unlock()
	return server.Version != a.version || started.Sub(a.started).Abs() > sameStart
}
