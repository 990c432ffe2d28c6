package gate

import (
	"crypto/rand"
	"log/slog"
	"sync"
	"time"
)

// WindowsConfig is what Windows are made of.
type WindowsConfig struct {
	// Store is where replicas tell each other their counts; nil: each counts alone.
	Store Store
	Log   *slog.Logger     // nil: discarded
	Now   func() time.Time // nil: time.Now
}

// Windows count what the rules allow within a window of time. They live as long as
// the process, and a rule made anew under the same name goes on counting.
//
// Every window is counted here. Where there is a Store, Run tells it the counts once
// a second and learns those of the other replicas, so that no question waits for it:
// in that second all replicas together may let more pass than the rule allows.
type Windows struct {
	store Store
	self  string // this process, to the others
	log   *slog.Logger
	now   func() time.Time
	most  int // windows that are counted at once

	mu       sync.Mutex
	counters map[windowKey]*counter
	sweptAt  time.Time
	stats    WindowsStats
	alone    bool // the store did not answer last time
}

// WindowsStats counts since the start.
type WindowsStats struct {
	Windows  int    // that are counted now
	Refused  uint64 // questions, because a window was used up
	Cut      uint64 // answers and uploads, because it was used up in the middle
	Failures uint64 // exchanges with the other replicas that did not work
}

// windowKey names a window: that of a rule, and whose it is. Another length is another window.
type windowKey struct {
	rule    string
	length  time.Duration
	subject string
}

// Count is what was used of a window.
type Count struct {
	Queries int64 `json:"q"`
	Bytes   int64 `json:"b"`
}

func (c Count) plus(d Count) Count { return Count{c.Queries + d.Queries, c.Bytes + d.Bytes} }

// counter is the count of one window, while it lasts.
type counter struct {
	end    time.Time
	here   Count // by this process
	others Count // by the other replicas, when last heard of
	asked  bool  // since it was last exchanged
}

func (c *counter) used() Count { return c.here.plus(c.others) }

// NewWindows makes Windows of which none is used.
func NewWindows(c WindowsConfig) *Windows {
	w := &Windows{store: c.Store, self: rand.Text(), log: c.Log, now: c.Now, most: maxWindows, counters: map[windowKey]*counter{}}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.now == nil {
		w.now = time.Now
	}
	return w
}

// Stats returns the counts so far.
func (w *Windows) Stats() WindowsStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Windows = len(w.counters)
	return s
}

// maxWindows bounds the windows that are counted at once: some 30 MB.
const maxWindows = 200_000

// How often windows that are over are forgotten: in general, and when there is no room.
const sweepEvery, sweepFull = time.Minute, time.Second

// counter finds or makes the counter of a window, as it is now; nil: there are too
// many. The caller holds the lock.
func (w *Windows) counter(key windowKey, now time.Time) *counter {
	c := w.counters[key]
	if c != nil && now.Before(c.end) {
		return c
	}
	full := c == nil && len(w.counters) >= w.most
	if since := now.Sub(w.sweptAt); since >= sweepEvery || full && since >= sweepFull {
		w.sweep(now)
		full = c == nil && len(w.counters) >= w.most
	}
	if full {
		return nil
	}
	c = &counter{end: now.UTC().Truncate(key.length).Add(key.length)}
	w.counters[key] = c
	return c
}

// sweep forgets what is over.
func (w *Windows) sweep(now time.Time) {
	w.sweptAt = now
	for key, c := range w.counters {
		if !now.Before(c.end) {
			delete(w.counters, key)
		}
	}
}
