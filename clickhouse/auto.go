package clickhouse

import (
	"context"
	"sync"
	"time"

	"porterhouse"
)

// auto finds the lane of a Client, by looking:
//
//	first question ─▶ look ─▶ lane, for all that follow
//	Run: is the server another? does the way fail somebody? ─▶ look again
//
// The first look is with whoever asks first (flight.go). What one person's account
// lacks is no reason to leave a way that works for others: it is left when it fails the
// one with whom it was found, or for a better one that works for whom it failed. For
// Forward none is left: whoever switches EXECUTE AS off does not mean that tokens go on.
type auto struct {
	client *Client
	config Config
	doubts chan porterhouse.UserName // whom the way failed; one at most waits
	places chan struct{}             // a token for each first look under way
	alone  chan struct{}             // the same, where nobody was there when last looked at: one
	every  time.Duration             // watchEvery
	pause  time.Duration             // doubtPause

	mu      sync.Mutex
	flights map[porterhouse.UserName]*flight // first looks: under way, or failed a moment ago
	away    failure                          // of the last look that failed for everybody
	person  porterhouse.UserName             // with whom the lane was found
	version string                           // of the server, then
	started time.Time                        // when that server was
}

const (
	// watchEvery is how often a server is asked whether it is still the same.
	watchEvery = time.Minute

	// doubtPause is how long at least lies between two looks.
	doubtPause = 10 * time.Second

	// sameStart is how much two answers may differ that say when a server was started.
	sameStart = 10 * time.Second
)

func newAuto(client *Client, c Config) *auto {
	return &auto{client: client, config: c, doubts: make(chan porterhouse.UserName, 1), flights: map[porterhouse.UserName]*flight{}, places: make(chan struct{}, looksAtOnce), alone: make(chan struct{}, 1), every: watchEvery, pause: doubtPause}
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
	return a.put(f, mode, why)
}

// put is take for whoever has a.mu.
func (a *auto) put(f Facts, mode Mode, why string) *lane {
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
func (a *auto) doubt(person porterhouse.UserName) {
	if a == nil {
		return // the mode was said
	}
	select {
	case a.doubts <- person:
	default: // one is enough
	}
}

// Run watches, until ctx ends, whether the mode Auto has to look again: because the
// server is another, or does not let somebody in; with a Shadow it compares modes; and for
// a Cluster of several it checks whether the server is there at all.
func (c *Client) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	switch {
	case c.auto != nil:
		work.Go(func() { c.auto.watch(ctx) })
	case c.shadow != nil: // never in the mode Auto
		work.Go(func() { c.shadow.run(ctx) })
	}
	c.health.watch(ctx, signOfLife(c))
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
	if mode == "" || mode == Forward && now.mode != Forward || mode == ExecuteAs && now.mode == Verify && !f.ExecuteAs.Person.Works() {
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
