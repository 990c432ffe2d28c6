package clickhouse

import (
	"sync"
	"time"
)

// known remembers for a minute what ClickHouse has said, of a bounded number of things.
// The zero known is ready for use.
type known[K comparable, V any] struct {
	mu  sync.Mutex
	all map[K]knownOnce[V]
}

type knownOnce[V any] struct {
	value V
	until time.Time // when it must be asked again
}

const (
	knownFor = time.Minute
	maxKnown = 10_000
)

func (k *known[K, V]) get(key K) (V, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, ok := k.all[key]
	return found.value, ok && time.Now().Before(found.until)
}

// put remembers one more. When there are too many all are forgotten: they come back as
// they are asked for.
func (k *known[K, V]) put(key K, value V) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil || len(k.all) >= maxKnown {
		k.all = map[K]knownOnce[V]{}
	}
	k.all[key] = knownOnce[V]{value, time.Now().Add(knownFor)}
}

func (k *known[K, V]) forget(key K) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, key)
}
