package kv

import (
	"errors"
	"sync"

	"go.etcd.io/bbolt"
)

// batch lets all who write at the same time share one transaction, and so one sync,
// which is what a write takes its time for:
//
//	do ─▶ waiting ─▶ one of those who wait becomes the leader and takes all of them
//	                                       │
//	      each gets its own error ◀── one transaction, one sync
//
// Nobody waits for company: a write that comes alone begins at once.
type batch struct {
	run    func(each []*write) error // one transaction of them all; with an error, none has happened
	leader chan struct{}             // held by whoever runs one

	mu      sync.Mutex
	waiting []*write
}

// maxBatch bounds what one transaction holds in memory.
const maxBatch = 256

// write is what one caller wants written.
type write struct {
	change func(*bbolt.Tx) error // it may run twice: once in a transaction that fails
	err    error                 // its own, such as ErrNotFound, or that of the transaction
	done   chan struct{}         // closed when err is what became of it
}

func newBatch(run func(each []*write) error) *batch {
	return &batch{run: run, leader: make(chan struct{}, 1)}
}

// do returns when change has reached the disk, or failed.
func (b *batch) do(change func(*bbolt.Tx) error) error {
	w := &write{change: change, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	for {
		select {
		case <-w.done:
			return w.err
		case b.leader <- struct{}{}:
			b.lead()
			<-b.leader
		}
	}
}

// lead runs those who wait. When they fail together, each is run alone, so that nobody
// fails because of another's write.
func (b *batch) lead() {
	each := b.take()
	if len(each) == 0 {
		return
	}
	err := b.run(each)
	alone := err != nil && len(each) > 1 && !errors.Is(err, errDamaged)
	for _, w := range each {
		failed := err
		if alone {
			failed = b.run([]*write{w})
		}
		if failed != nil {
			w.err = failed
		}
		close(w.done)
	}
}

func (b *batch) take() []*write {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.waiting), maxBatch)
	each := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	return each
}
