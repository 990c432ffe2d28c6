package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse/kv"
)

// awayStore is a store that can be away: then nobody can tell whether it wrote.
type awayStore struct {
	kv.Store
	away, forgets atomic.Bool
	asked         atomic.Int64
}

var errAway = errors.New("the store is away")

func (s *awayStore) Get(ctx context.Context, key string) ([]byte, error) {
	s.asked.Add(1)
	if s.away.Load() {
		return nil, errAway
	}
	return s.Store.Get(ctx, key)
}

func (s *awayStore) Swap(ctx context.Context, key string, old, new []byte, life time.Duration) (bool, error) {
	if s.away.Load() {
		return false, errAway
	}
	done, err := s.Store.Swap(ctx, key, old, new, life)
	if s.forgets.Load() {
		return false, errAway // it was written, and its answer is lost
	}
	return done, err
}

func openStore(t *testing.T) *awayStore {
	t.Helper()
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	return &awayStore{Store: store}
}

// replica is one of several processes with the same rules.
func replica(t *testing.T, store Store, c *clock, log *bytes.Buffer) *Windows {
	t.Helper()
	return NewWindows(WindowsConfig{Store: store, Now: c.Now, Log: slog.New(slog.NewTextHandler(log, nil))})
}

// What one replica let pass is used up at the other, once they have exchanged their
// counts; and what both let pass meanwhile is counted once.
func TestReplicasShareWindows(t *testing.T) {
	c, store, log := noon(), openStore(t), &bytes.Buffer{}
	ten := Rule{Name: "ten", Queries: 10, Bytes: 1000, Window: time.Hour}
	one, other := replica(t, store, c, log), replica(t, store, c, log)
	here, there := tabFor(t, one, "alice", ten), tabFor(t, other, "alice", ten)
	for range 6 {
		check(t, here.begin(0))
	}
	check(t, here.charge(400))
	for range 3 {
		check(t, there.begin(0))
	}
	for range 3 { // as often as they like: nothing is counted twice
		one.exchange(t.Context())
		other.exchange(t.Context())
	}
	check(t, there.begin(600))
	isLimited(t, there.begin(0), 29*time.Minute+30*time.Second, "ten")
	isLimited(t, there.look(601), 29*time.Minute+30*time.Second, "ten")
	other.exchange(t.Context())
	check(t, here.begin(0)) // it has not heard of the last ones yet
	one.exchange(t.Context())
	isLimited(t, here.begin(0), 29*time.Minute+30*time.Second, "ten")
	c.move(30 * time.Minute)
	check(t, here.begin(1000))
	check(t, there.begin(1000))
}

// While the store is away each replica counts alone and says so once, and nothing is
// lost or counted twice when it is back, whatever became of what was under way.
func TestReplicasCountAlone(t *testing.T) {
	c, store, log := noon(), openStore(t), &bytes.Buffer{}
	rule := Rule{Name: "hundred", Queries: 100, Window: time.Hour}
	one, other := replica(t, store, c, log), replica(t, store, c, log)
	here, there := tabFor(t, one, "alice", rule), tabFor(t, other, "alice", rule)
	for i := range 20 {
		store.away.Store(i%4 == 1)
		store.forgets.Store(i%4 == 2)
		check(t, here.begin(0))
		one.exchange(t.Context())
	}
	store.forgets.Store(false)
	one.exchange(t.Context())
	check(t, there.begin(0))
	other.exchange(t.Context())
	if c := other.counters[there.claims[0].key]; c.others.Queries != 20 || c.here.Queries != 1 {
		t.Errorf("the other knows of %+v", *c)
	}
	if away, back := strings.Count(log.String(), "cannot be exchanged"), strings.Count(log.String(), "exchanged with the other replicas again"); away != 5 || back != 5 {
		t.Errorf("said %d times that it is away and %d times that it is back, want 5 each", away, back)
	}
	if n := one.Stats().Failures; n != 10 {
		t.Errorf("%d exchanges failed", n)
	}
}

// What others stored under the key is no count: it stays, and we count alone.
func TestStoredNonsense(t *testing.T) {
	c, store, log := noon(), openStore(t), &bytes.Buffer{}
	w := replica(t, store, c, log)
	tab := tabFor(t, w, "alice", Rule{Name: "r", Queries: 1, Window: time.Hour})
	check(t, tab.begin(0))
	key := w.due()[0].storeKey()
	check(t, store.Put(t.Context(), key, []byte("nonsense"), 0))
	w.exchange(t.Context())
	isLimited(t, tab.begin(0), 29*time.Minute+30*time.Second, `"r"`)
	if value, err := store.Get(t.Context(), key); err != nil || string(value) != "nonsense" || !strings.Contains(log.String(), "no count") {
		t.Errorf("%q, %v, %s", value, err, log)
	}
}

// Run exchanges every second what is in use, and asks nothing for windows that nobody
// uses. No question waits for it.
func TestRunExchanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, log := openStore(t), &bytes.Buffer{}
		w := NewWindows(WindowsConfig{Store: store, Log: slog.New(slog.NewTextHandler(log, nil))})
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { check(t, w.Run(ctx)) })
		for i := range 100 {
			check(t, tabFor(t, w, fmt.Sprint(i), Rule{Name: "r", Queries: 10, Window: time.Hour}).begin(0))
		}
		time.Sleep(10 * time.Second)
		if n := store.asked.Load(); n != 100 {
			t.Errorf("the store was asked %d times about 100 windows", n)
		}
		stop()
		work.Wait()
		check(t, NewWindows(WindowsConfig{}).Run(context.Background()))
	})
}
