package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porterhouse"
)

// kind is one sort of store under the suite.
type kind struct {
	open func(t testing.TB) Store
	// short is a life that the suite waits for.
	short time.Duration
	// pass lets that much time go by, on the store's clock.
	pass func(time.Duration)
}

// kinds makes one of each. All run the same suite.
func kinds(t *testing.T) map[string]kind {
	memory, file := newClock(), newClock()
	return map[string]kind{
		"memory": {func(t testing.TB) Store { return openMemory(t, MemoryConfig{Now: memory.now}) }, time.Minute, memory.pass},
		"file":   {func(t testing.TB) Store { return openFile(t, t.TempDir()+"/kv/store", FileConfig{Now: file.now}) }, time.Minute, file.pass},
		"redis":  {func(t testing.TB) Store { return openRedis(t, startRedis(t)) }, time.Second, passRedis},
	}
}

// passRedis waits: Redis counts in whole milliseconds, and an end is over when the one
// after it has begun.
func passRedis(d time.Duration) { time.Sleep(d + 20*time.Millisecond) }

// TestStores is the suite: what every store does.
func TestStores(t *testing.T) {
	for name, k := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			for _, test := range []struct {
				name string
				run  func(*testing.T, Store, kind)
			}{
				{"values", testValues},
				{"limits", testLimits},
				{"swap", testSwap},
				{"consume once", testConsumeOnce},
				{"swap once", testSwapOnce},
				{"expiry", testExpiry},
				{"life follows the last write", testLife},
				{"keys", testKeys},
				{"canceled", testCanceled},
				{"close", testClose}, // the last
			} {
				t.Run(test.name, func(t *testing.T) { test.run(t, k.open(t), k) })
			}
		})
	}
}

// Values and keys are any bytes.
func testValues(t *testing.T, s Store, _ kind) {
	keys := []string{"a", "a b", "\x00", "\xff\xfe", "ünïcode", "*", "[a]?", "a\r\nb", string(bytes.Repeat([]byte{7}, MaxKey))}
	values := [][]byte{{}, {0}, []byte("value"), []byte("a\r\nb"), {0xff, 0x00, 0xfe}, bytes.Repeat([]byte("x"), MaxValue)}
	for _, key := range keys {
		missing(t, s, key)
		for _, value := range values {
			put(t, s, key, value, 0)
			holds(t, s, key, value)
		}
	}
	for _, key := range keys {
		if got, err := s.Consume(t.Context(), key); err != nil || !bytes.Equal(got, values[len(values)-1]) {
			t.Errorf("consume %.20q: %d bytes, %v", key, len(got), err)
		}
		missing(t, s, key)
	}
	value := []byte("mine")
	put(t, s, "a", value, 0)
	value[0] = 'M'
	holds(t, s, "a", []byte("mine"))
}

func testLimits(t *testing.T, s Store, _ kind) {
	long := string(make([]byte, MaxKey+1))
	for name, err := range map[string]error{
		"empty key":    s.Put(t.Context(), "", nil, 0),
		"long key":     s.Put(t.Context(), long, nil, 0),
		"large value":  s.Put(t.Context(), "k", make([]byte, MaxValue+1), 0),
		"negative":     s.Put(t.Context(), "k", nil, -1),
		"long life":    s.Put(t.Context(), "k", nil, MaxLife+1),
		"get":          second(s.Get(t.Context(), "")),
		"consume":      second(s.Consume(t.Context(), long)),
		"swap":         second(s.Swap(t.Context(), "", nil, nil, 0)),
		"swap's value": second(s.Swap(t.Context(), "k", nil, make([]byte, MaxValue+1), 0)),
		"swap's life":  second(s.Swap(t.Context(), "k", nil, []byte{1}, -1)),
	} {
		isKind(t, name, err, porterhouse.Invalid)
	}
	if got, err := s.Keys(t.Context(), ""); err != nil || len(got) != 0 {
		t.Errorf("stored all the same: %d keys, %v", len(got), err)
	}
}

// Of nil and the empty value one is nothing, the other a value.
func testSwap(t *testing.T, s Store, _ kind) {
	steps := []struct {
		old, new []byte
		want     bool
		left     []byte // nil: nothing
	}{
		{nil, nil, true, nil},
		{[]byte{}, []byte("a"), false, nil},
		{[]byte("a"), nil, false, nil},
		{nil, []byte("a"), true, []byte("a")},
		{nil, []byte("b"), false, []byte("a")},
		{nil, nil, false, []byte("a")},
		{[]byte{}, []byte("b"), false, []byte("a")},
		{[]byte("b"), []byte("c"), false, []byte("a")},
		{[]byte("a"), []byte{}, true, []byte{}},
		{nil, []byte("b"), false, []byte{}},
		{[]byte{}, []byte{0, 0xff}, true, []byte{0, 0xff}},
		{[]byte{0, 0xff}, []byte{0, 0xff}, true, []byte{0, 0xff}},
		{[]byte{0, 0xff}, nil, true, nil},
	}
	for i, step := range steps {
		if got, err := s.Swap(t.Context(), "key", step.old, step.new, 0); err != nil || got != step.want {
			t.Fatalf("step %d: %v, %v", i, got, err)
		}
		if step.left == nil {
			missing(t, s, "key")
		} else {
			holds(t, s, "key", step.left)
		}
	}
}

// Of 100 that consume at once, one gets it.
func testConsumeOnce(t *testing.T, s Store, _ kind) {
	for round := range 5 {
		key := fmt.Sprint("ticket ", round)
		put(t, s, key, []byte("in"), time.Minute)
		winners := atOnce(t, func() bool {
			value, err := s.Consume(t.Context(), key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
			return err == nil && string(value) == "in"
		})
		if winners != 1 {
			t.Errorf("%d consumed it", winners)
		}
		missing(t, s, key)
	}
}

// Of 100 that swap at once, one does; and a counter that all of them count up by
// swapping loses nothing.
func testSwapOnce(t *testing.T, s Store, _ kind) {
	put(t, s, "owner", []byte("nobody"), 0)
	var number atomic.Int64
	winners := atOnce(t, func() bool {
		done, err := s.Swap(t.Context(), "owner", []byte("nobody"), fmt.Append(nil, number.Add(1)), 0)
		if err != nil {
			t.Error(err)
		}
		return done
	})
	if winners != 1 {
		t.Errorf("%d swapped it", winners)
	}
	var counted sync.WaitGroup
	for range 4 {
		counted.Go(func() {
			for range 5 {
				count(t, s)
			}
		})
	}
	counted.Wait()
	holds(t, s, "count", make([]byte, 20))
}

// count makes the value of "count" one byte longer.
func count(t *testing.T, s Store) {
	for {
		old, err := s.Get(t.Context(), "count")
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Error(err)
			return
		}
		done, err := s.Swap(t.Context(), "count", old, append(bytes.Clone(old), 0), 0)
		if err != nil {
			t.Error(err)
			return
		}
		if done {
			return
		}
	}
}

// What has ended is gone at once, for every way of asking.
func testExpiry(t *testing.T, s Store, k kind) {
	for _, key := range []string{"get", "consume", "swap", "swap back", "keys"} {
		put(t, s, key, []byte("v"), k.short)
	}
	put(t, s, "stays", []byte("v"), 0)
	put(t, s, "later", []byte("v"), time.Hour)
	holds(t, s, "get", []byte("v"))
	k.pass(k.short)

	missing(t, s, "get")
	if _, err := s.Consume(t.Context(), "consume"); !errors.Is(err, ErrNotFound) {
		t.Errorf("consume: %v", err)
	}
	if done, err := s.Swap(t.Context(), "swap", []byte("v"), []byte("w"), 0); err != nil || done {
		t.Errorf("swapped what has ended: %v, %v", done, err)
	}
	if done, err := s.Swap(t.Context(), "swap back", nil, []byte("w"), 0); err != nil || !done {
		t.Errorf("not swapped in the place of what has ended: %v, %v", done, err)
	}
	keysAre(t, s, "", "later", "stays", "swap back")
	k.pass(k.short)
	holds(t, s, "swap back", []byte("w"))
}

// A write brings its own life.
func testLife(t *testing.T, s Store, k kind) {
	put(t, s, "for good", []byte("v"), k.short)
	put(t, s, "for good", []byte("v"), 0)
	put(t, s, "longer", []byte("v"), k.short)
	put(t, s, "longer", []byte("v"), time.Hour)
	put(t, s, "swapped", []byte("v"), k.short)
	put(t, s, "cut", []byte("v"), 0)
	for key, life := range map[string]time.Duration{"swapped": 0, "cut": k.short} {
		if done, err := s.Swap(t.Context(), key, []byte("v"), []byte("v"), life); err != nil || !done {
			t.Fatalf("%s: %v, %v", key, done, err)
		}
	}
	put(t, s, "a moment", []byte("v"), 1) // a nanosecond is not for good
	k.pass(k.short)
	put(t, s, "another", nil, 0) // and whatever this sweeps
	keysAre(t, s, "", "another", "for good", "longer", "swapped")
}

func testKeys(t *testing.T, s Store, _ kind) {
	for _, key := range []string{"b/2", "b/1", "a/1", "b", "b*", "b*/x", "b[a]", "ba", "\xff\xff", "\xff"} {
		put(t, s, key, nil, 0)
	}
	keysAre(t, s, "b/", "b/1", "b/2")
	keysAre(t, s, "b*", "b*", "b*/x")
	keysAre(t, s, "b[a]", "b[a]")
	keysAre(t, s, "b?")
	keysAre(t, s, "none")
	keysAre(t, s, "\xff", "\xff", "\xff\xff")
	keysAre(t, s, "", "a/1", "b", "b*", "b*/x", "b/1", "b/2", "b[a]", "ba", "\xff", "\xff\xff")
}

func testCanceled(t *testing.T, s Store, _ kind) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"put":     s.Put(ctx, "k", nil, 0),
		"get":     second(s.Get(ctx, "k")),
		"consume": second(s.Consume(ctx, "k")),
		"swap":    second(s.Swap(ctx, "k", nil, []byte{}, 0)),
		"keys":    second(s.Keys(ctx, "")),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	missing(t, s, "k")
}

func testClose(t *testing.T, s Store, _ kind) {
	put(t, s, "k", nil, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"put":     s.Put(t.Context(), "k", nil, 0),
		"get":     second(s.Get(t.Context(), "k")),
		"consume": second(s.Consume(t.Context(), "k")),
		"swap":    second(s.Swap(t.Context(), "k", nil, nil, 0)),
		"keys":    second(s.Keys(t.Context(), "")),
	} {
		isKind(t, name, err, porterhouse.Unavailable)
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: the log is told %v", name, err)
		}
	}
}

// The helpers of the suite.

func put(t testing.TB, s Store, key string, value []byte, life time.Duration) {
	t.Helper()
	if err := s.Put(t.Context(), key, value, life); err != nil {
		t.Fatalf("put %.20q: %v", key, err)
	}
}

func holds(t testing.TB, s Store, key string, want []byte) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); err != nil || got == nil || !bytes.Equal(got, want) {
		t.Errorf("%.20q holds %.20q (%d bytes), %v, want %.20q", key, got, len(got), err, want)
	}
}

func missing(t testing.TB, s Store, key string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); !errors.Is(err, ErrNotFound) {
		t.Errorf("%.20q holds %.20q, %v, want nothing", key, got, err)
	}
}

func keysAre(t testing.TB, s Store, prefix string, want ...string) {
	t.Helper()
	got, err := s.Keys(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("keys with %q: %s", prefix, diff)
	}
}

func isKind(t testing.TB, name string, err error, want porterhouse.Kind) {
	t.Helper()
	var e *porterhouse.Error
	if !errors.As(err, &e) || e.Kind != want {
		t.Errorf("%s: %v, want an error of kind %s", name, err, want)
	}
}

func second[T any](_ T, err error) error { return err }

// atOnce has 100 goroutines try, and counts those that won.
func atOnce(t testing.TB, try func() bool) int64 {
	t.Helper()
	var won atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for range 100 {
		all.Go(func() {
			<-start
			if try() {
				won.Add(1)
			}
		})
	}
	close(start)
	all.Wait()
	return won.Load()
}

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func openMemory(t testing.TB, c MemoryConfig) *Memory {
	t.Helper()
	m, err := OpenMemory(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, m) })
	return m
}

func openFile(t testing.TB, path string, c FileConfig) *File {
	t.Helper()
	f, err := OpenFile(path, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, f) })
	return f
}

func closed(t testing.TB, s Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
