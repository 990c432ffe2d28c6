package gate

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Store is where replicas tell each other what they counted: a kv.Store that all of
// them reach, with the methods as they are there.
type Store interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Swap(ctx context.Context, key string, old, new []byte, life time.Duration) (bool, error)
}

const (
	// exchangeEvery is how often the replicas exchange their counts.
	exchangeEvery = time.Second
	// exchangeTime bounds the exchange of one window.
	exchangeTime = 2 * time.Second
	// exchangers is how many windows are exchanged at once.
	exchangers = 8
	// exchangeTries is how often one is tried when others write at the same moment.
	exchangeTries = 5
	// keptAfter is how long a count is kept after its window, for clocks that differ.
	keptAfter = time.Minute
)

// Run exchanges counts with the other replicas until ctx ends. Without a Store it
// has nothing to do.
func (w *Windows) Run(ctx context.Context) error {
	if w.store == nil {
		return nil
	}
	ticker := time.NewTicker(exchangeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			w.exchange(ctx)
		}
	}
}

// exchange tells the others of every window that was asked for since the last time,
// and learns what they counted.
func (w *Windows) exchange(ctx context.Context) {
	due := w.due()
	var next atomic.Int64
	var failure atomic.Pointer[error]
	var work sync.WaitGroup
	for range min(exchangers, len(due)) {
		work.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(due)) && failure.Load() == nil; i = next.Add(1) - 1 {
				if err := w.exchangeOne(ctx, due[i]); err != nil && ctx.Err() == nil {
					failure.Store(&err)
				}
			}
		})
	}
	work.Wait()
	if len(due) > 0 && ctx.Err() == nil {
		w.told(failure.Load())
	}
}

// dueWindow is a window to be exchanged.
type dueWindow struct {
	key windowKey
	end time.Time
}

// due lists the windows that were asked for.
func (w *Windows) due() []dueWindow {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	var due []dueWindow
	for key, c := range w.counters {
		if c.asked && now.Before(c.end) {
			due = append(due, dueWindow{key, c.end})
		}
	}
	return due
}

// exchangeOne puts the count of this process beside those of the others. Each writes
// only its own, as a whole: to write it twice, because nobody knows whether it was
// written, changes nothing.
func (w *Windows) exchangeOne(ctx context.Context, d dueWindow) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	for range exchangeTries {
		old, unread := w.store.Get(ctx, d.storeKey())
		if unread != nil {
			old = nil // there is none, most likely; else Swap will say so
		}
		counts := map[string]Count{}
		if len(old) > 0 && json.Unmarshal(old, &counts) != nil {
			return errors.New("what is stored is no count")
		}
		told := w.here(d)
		counts[w.self] = told
		value, err := json.Marshal(counts)
		if err != nil {
			return err
		}
		written, err := w.store.Swap(ctx, d.storeKey(), old, value, d.end.Sub(w.now())+keptAfter)
		if err != nil {
			return errors.Join(err, unread)
		}
		if written {
			delete(counts, w.self)
			w.learn(d, told, counts)
			return nil
		}
	}
	return nil // the others are busy with it: next time
}

// storeKey names the window in the store, so that replicas with other rules under the
// same name do not disturb each other.
func (d dueWindow) storeKey() string {
	return "gate/window/" + digest(d.key.rule, d.key.length.String(), d.key.subject) + "/" + strconv.FormatInt(d.end.Unix(), 10)
}

// here is what this process counted.
func (w *Windows) here(d dueWindow) Count {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.counters[d.key]; c != nil && c.end.Equal(d.end) {
		return c.here
	}
	return Count{}
}

// learn takes in what the others counted.
func (w *Windows) learn(d dueWindow, told Count, others map[string]Count) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.counters[d.key]
	if c == nil || !c.end.Equal(d.end) {
		return
	}
	c.others = Count{}
	for _, o := range others {
		c.others = c.others.plus(o)
	}
	c.asked = c.here != told
}

// told says once that the store is away, and once that it is back.
func (w *Windows) told(failure *error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if failure != nil {
		w.stats.Failures++
	}
	switch away := failure != nil; {
	case away && !w.alone:
		w.log.Warn("the counts of the limits cannot be exchanged with the other replicas; each counts alone until they can", "error", *failure)
	case !away && w.alone:
		w.log.Info("the counts of the limits are exchanged with the other replicas again")
	}
	w.alone = failure != nil
}
