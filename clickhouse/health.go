package clickhouse

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
)

// health is whether a server of a Cluster of several is in service. It goes out of service
// at once when it cannot be connected to, whatever for, or when a check fails, and comes
// back when one succeeds:
//
//	a connection, or a check, fails ─▶ away ──▶ checks, soon and then less often ─▶ back
//	a check is slow, and the next ───▶  │
//	                                    └ takes nothing new while others are there
//
// A server without others beside it is always asked, so nobody checks it.
type health struct {
	host string
	log  *slog.Logger

	watchers atomic.Int32 // Clusters of several that it belongs to; 0: nobody asks
	aways    atomic.Uint64
	stir     chan struct{} // one token: there may be something to check

	mu   sync.Mutex
	away atomic.Pointer[absence] // nil: in service. Written under mu
	left chan struct{}           // closed while it is away
}

// absence is that a server is out of service.
type absence struct {
	since time.Time
	why   error
}

// isNone reports whether it is in service.
func (a *absence) isNone() bool { return a == nil }

// isSlowness reports whether it takes questions, and answers too late.
func (a *absence) isSlowness() bool {
	return a != nil && isUnanswered(a.why) && errors.Is(a.why, context.DeadlineExceeded)
}

const (
	// checkWell is how often a server in service is checked.
	checkWell = 15 * time.Second

	// checkAway is how soon one that is away is checked; the pause doubles up to checkWell.
	checkAway = 2 * time.Second

	// healthTime bounds one check.
	healthTime = 3 * time.Second
)

func newHealth(host string, log *slog.Logger) *health {
	return &health{host: host, log: log, stir: make(chan struct{}, 1), left: make(chan struct{})}
}

// join counts a Cluster in that goes by what is found; leave counts it out.
func (h *health) join() {
	h.watchers.Add(1)
	h.doubt()
}

func (h *health) leave() {
	if h.watchers.Add(-1) == 0 {
		h.back() // whoever comes later finds out anew
	}
}

// doubt asks for a check soon.
func (h *health) doubt() {
	select {
	case h.stir <- struct{}{}:
	default: // there will be one
	}
}

// absent is since when the server is away, and why; nil: it is in service.
func (h *health) absent() *absence { return h.away.Load() }

// gone is closed while the server is away.
func (h *health) gone() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.left
}

// miss takes the server out of service. nil is the health of nobody.
func (h *health) miss(why error) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers.Load() == 0 || h.away.Load() != nil {
		return
	}
	h.away.Store(&absence{time.Now(), why})
	h.aways.Add(1)
	close(h.left)
	h.log.Warn("a server of the cluster is out of service", "host", h.host, "error", why)
	h.doubt()
}

// back puts it into service.
func (h *health) back() {
	h.mu.Lock()
	defer h.mu.Unlock()
	away := h.away.Load()
	if away == nil {
		return
	}
	h.away.Store(nil)
	h.left = make(chan struct{})
	if h.watchers.Load() > 0 {
		h.log.Info("a server of the cluster is back in service", "host", h.host, "away", time.Since(away.since).Round(time.Millisecond))
	}
}

// minding returns connect, whose failures take the server out of service. That whoever
// wanted the connection went away says nothing of the server.
func (h *health) minding(connect func(context.Context) (net.Conn, error)) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := connect(ctx)
		if err != nil && !isOver(ctx) {
			h.miss(err)
		}
		return conn, err
	}
}

// isOver reports whether whoever asks has left, or their time is up. Whoever dials goes by
// the same deadline, and mostly notices it a moment before ctx says so.
func isOver(ctx context.Context) bool {
	deadline, has := ctx.Deadline()
	return ctx.Err() != nil || has && !time.Now().Before(deadline)
}

// watch checks until ctx ends, as long as somebody goes by what is found.
func (h *health) watch(ctx context.Context, check func(context.Context) error) {
	var last time.Time // when a check ended
	failed := 0        // checks, one after the other
	timer := time.NewTimer(checkWell)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.stir:
			// Not at once when one was just made: whoever doubts again has to wait.
			if wait := time.Until(last.Add(jittered(checkAway))); wait > 0 {
				timer.Reset(wait)
				continue
			}
		case <-timer.C:
		}
		switch {
		case h.watchers.Load() == 0:
			failed = 0
		case h.look(ctx, check):
			failed, last = 0, time.Now()
		default:
			failed, last = failed+1, time.Now()
		}
		timer.Reset(jittered(pauseAfter(failed)))
	}
}

// pauseAfter is how long to wait for the next check, after so many that failed.
func pauseAfter(failed int) time.Duration {
	if failed == 0 {
		return checkWell
	}
	return min(checkAway<<min(failed-1, 8), checkWell)
}

// look makes one check, and reports whether the server is well. That one was slow is no
// sign yet that it is away: a second one is.
func (h *health) look(ctx context.Context, check func(context.Context) error) (well bool) {
	err := within(ctx, healthTime, check)
	if errors.Is(err, context.DeadlineExceeded) && h.absent() == nil {
		err = within(ctx, healthTime, check)
	}
	switch {
	case ctx.Err() != nil: // nobody waits for it
	case err != nil:
		h.miss(err)
	default:
		h.back()
	}
	return err == nil
}

// within does something in time, and says so in its error when the time was up: a
// connection only says that it was closed.
func within(ctx context.Context, atMost time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	if err := do(ctx); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}

// jittered is about d, so that several of us do not ask in step.
func jittered(d time.Duration) time.Duration { return d - d/8 + rand.N(d/4) }

// healthComment is the log_comment of a check that has to be a statement.
const healthComment = `{"porterhouse":"health"}`

// signOfLife returns how to check the server of a client: by the way that people's
// statements take. That ClickHouse refuses the check says that it is there.
func signOfLife(c *Client) func(context.Context) error {
	return func(ctx context.Context) error {
		l := c.lane.Load()
		if l.is(Interserver) { // only a statement proves the secret
			_, err := c.interserver.checkServer(ctx, healthComment)
			return unlessHeard(c, err)
		}
		err := beat(ctx, c)
		if err != nil || !l.is(ExecuteAs) || c.sessions == nil || c.sessions.target == nil {
			return err
		}
		return c.sessions.target.knock(ctx)
	}
}

// beat asks by a statement, if the gateway has an account: a server can answer every ping
// and no question.
func beat(ctx context.Context, c *Client) error {
	if c.target.login == "" {
		return c.pulse.ping(ctx)
	}
	_, err := c.pulse.ask(ctx, "SELECT 1", healthComment, healthTime)
	return unlessHeard(c, err)
}

// unlessHeard returns the error of a check, unless ClickHouse itself has said it: then it
// is there, and may be in trouble.
func unlessHeard(c *Client, err error) error {
	e, heard := errors.AsType[*porterhouse.Exception](err)
	switch {
	case !heard:
		return err
	case saysOfServer(*e):
		c.troubles.found()
	}
	return nil
}

// knock says hello at the native port.
func (t *nativeTarget) knock(ctx context.Context) error {
	c, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer c.cut()
	defer context.AfterFunc(ctx, c.cut)()
	err = t.greet(c, t.hello(""))
	if _, heard := errors.AsType[*nativeException](err); heard {
		return nil
	}
	return err
}
