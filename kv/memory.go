package kv

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// MemoryConfig is what a Memory is made of; its zero value is good.
type MemoryConfig struct {
	MaxEntries int              // 0: 100,000
	MaxBytes   int64            // of keys, values and what they cost beside; 0: 64 MiB
	Now        func() time.Time // nil: time.Now
}

// Memory keeps entries in this process, and loses them with it. When it is full,
// it refuses new ones: what is in it may be good only once, and is missed.
type Memory struct {
	config MemoryConfig

	mu      sync.Mutex
	entries map[string]*entry
	ends    ends  // entries with a deadline, the next one first
	bytes   int64 // that all entries cost
	closed  bool
}

// entry is one value.
type entry struct {
	key      string
	value    []byte
	deadline time.Time // zero: it stays
	place    int       // in ends
}

const (
	defaultEntries = 100_000
	defaultBytes   = 64 << 20
	entryCost      = 200 // bytes that an entry takes beside its key and its value, about
)

func (e *entry) cost() int64 { return int64(len(e.key)+len(e.value)) + entryCost }

// OpenMemory makes an empty store.
func OpenMemory(c MemoryConfig) (*Memory, error) {
	if c.MaxEntries < 0 || c.MaxBytes < 0 {
		return nil, fmt.Errorf("kv: a store of %d entries and %d bytes cannot be: 0 is the default", c.MaxEntries, c.MaxBytes)
	}
	if c.MaxEntries == 0 {
		c.MaxEntries = defaultEntries
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Memory{config: c, entries: map[string]*entry{}}, nil
}

// enter locks m and forgets what has ended; leave with m.mu.Unlock.
func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return away(errClosed)
	}
	for now := m.config.Now(); len(m.ends) > 0 && ended(m.ends[0].deadline, now); {
		m.remove(m.ends[0])
	}
	return nil
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, key string, value []byte, life time.Duration) error {
	if err := check(key, value, life); err != nil {
		return err
	}
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	return m.write(key, value, life)
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	e, found := m.entries[key]
	if !found {
		return nil, ErrNotFound
	}
	return copied(e.value), nil
}

// Consume implements Store.
func (m *Memory) Consume(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	e, found := m.entries[key]
	if !found {
		return nil, ErrNotFound
	}
	m.remove(e)
	return e.value, nil
}

// Swap implements Store.
func (m *Memory) Swap(ctx context.Context, key string, old, new []byte, life time.Duration) (bool, error) {
	if err := check(key, new, life); err != nil {
		return false, err
	}
	if err := m.enter(ctx); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	e, found := m.entries[key]
	if found != (old != nil) || found && !bytes.Equal(e.value, old) {
		return false, nil
	}
	if new != nil {
		err := m.write(key, new, life)
		return err == nil, err
	}
	if found {
		m.remove(e)
	}
	return true, nil
}

// Keys implements Store.
func (m *Memory) Keys(ctx context.Context, prefix string) ([]string, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	keys := []string{}
	for key := range maps.Keys(m.entries) {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// Close implements Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.entries, m.ends, m.bytes = true, nil, nil, 0
	return nil
}

// write puts an entry in the place of the one that was there, if there is room.
func (m *Memory) write(key string, value []byte, life time.Duration) error {
	e := &entry{key: key, value: copied(value), deadline: deadline(m.config.Now(), life)}
	count, size := len(m.entries)+1, m.bytes+e.cost()
	was, found := m.entries[key]
	if found {
		count, size = count-1, size-was.cost()
	}
	if count > m.config.MaxEntries || size > m.config.MaxBytes {
		return full(fmt.Errorf("kv: memory has %d of %d entries and %d of %d bytes", len(m.entries), m.config.MaxEntries, m.bytes, m.config.MaxBytes))
	}
	if found {
		m.remove(was)
	}
	m.entries[key], m.bytes = e, size
	if !e.deadline.IsZero() {
		heap.Push(&m.ends, e)
	}
	return nil
}

func (m *Memory) remove(e *entry) {
	delete(m.entries, e.key)
	m.bytes -= e.cost()
	if !e.deadline.IsZero() {
		heap.Remove(&m.ends, e.place)
	}
}

// copied is a value that its owner may change, and never nil.
func copied(value []byte) []byte { return append([]byte{}, value...) }

// ends is a heap.Interface: the entry that ends next is the first.
type ends []*entry

func (h ends) Len() int           { return len(h) }
func (h ends) Less(i, j int) bool { return h[i].deadline.Before(h[j].deadline) }
func (h ends) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *ends) Push(x any) {
	e := x.(*entry)
	e.place = len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *ends) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
