package kv

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// Those who write while somebody else does share one transaction.
func TestBatchShares(t *testing.T) {
	const callers = 100
	release, first := make(chan struct{}), make(chan struct{})
	var sizes []int // the leader is one at a time
	b := newBatch(func(each []*write) error {
		if sizes = append(sizes, len(each)); len(sizes) == 1 {
			close(first)
			<-release
		}
		return nil
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = b.do(nil) })
	<-first
	for range callers {
		wg.Go(func() { _ = b.do(nil) })
	}
	for waiting := 0; waiting < callers; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		waiting = len(b.waiting)
		b.mu.Unlock()
	}
	close(release)
	wg.Wait()
	if len(sizes) != 2 || sizes[1] != callers {
		t.Errorf("the transactions had %v writes, not 1 and %d", sizes, callers)
	}
}

// together runs changes in one batch of a file, and returns their errors.
func together(f *File, changes ...func(*bbolt.Tx) error) (errs []error) {
	each := make([]*write, len(changes))
	for i, change := range changes {
		each[i] = &write{change: change, done: make(chan struct{})}
	}
	f.batch.waiting = each
	f.batch.lead()
	for _, w := range each {
		<-w.done
		errs = append(errs, w.err)
	}
	return errs
}

// Of several writes in one transaction one that fails undoes itself alone, and one
// that finds nothing hinders nobody.
func TestBatchFailsAlone(t *testing.T) {
	f := openFile(t, t.TempDir()+"/kv/store", FileConfig{})
	broken := errors.New("broken")
	for name, middle := range map[string]error{"nothing there": ErrNotFound, "failed": broken} {
		add := func(key string) func(*bbolt.Tx) error {
			return func(tx *bbolt.Tx) error { return f.write(tx, name+key, []byte(key), 0) }
		}
		nothing := func(*bbolt.Tx) error { return middle }
		errs := together(f, add("1"), nothing, add("2"), nothing)
		for i, want := range []error{nil, middle, nil, middle} {
			if !errors.Is(errs[i], want) {
				t.Errorf("%s: write %d: %v, not %v", name, i, errs[i], want)
			}
		}
		holds(t, f, name+"1", []byte("1"))
		holds(t, f, name+"2", []byte("2"))
	}
	errs := together(f, func(tx *bbolt.Tx) error {
		return errors.Join(f.write(tx, "half", []byte("done"), 0), broken)
	}, func(tx *bbolt.Tx) error { return f.write(tx, "whole", []byte("done"), 0) })
	if !errors.Is(errs[0], broken) || errs[1] != nil {
		t.Error(errs)
	}
	if _, err := f.Get(t.Context(), "half"); !errors.Is(err, ErrNotFound) {
		t.Errorf("what a failed write had written is there: %v", err)
	}
	holds(t, f, "whole", []byte("done"))
}

// Many who want the same thing at once, in one transaction or in several: one gets it.
func TestBatchHasOneWinner(t *testing.T) {
	f := openFile(t, t.TempDir()+"/kv/store", FileConfig{})
	var wg sync.WaitGroup
	for round := range 10 {
		key := fmt.Sprint("round ", round)
		put(t, f, key, []byte("before"), 0)
		won := make(chan bool, 64)
		for range cap(won) {
			wg.Go(func() {
				swapped, err := f.Swap(t.Context(), key, []byte("before"), []byte("after"), 0)
				if err != nil {
					t.Error(err)
				}
				won <- swapped
			})
		}
		wg.Wait()
		close(won)
		winners := 0
		for swapped := range won {
			if swapped {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("%s: %d winners", key, winners)
		}
	}
}
