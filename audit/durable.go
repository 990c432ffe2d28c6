package audit

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// syncWithin is how soon a line survives a power failure, when Run runs.
const syncWithin = time.Second

// durability knows which lines survive a power failure.
type durability struct {
	mu     sync.Mutex  // held while syncing; taken before Log.mu
	upTo   uint64      // number of the last such line
	failed atomic.Bool // the last sync failed: nothing is asked until one succeeds
}

// everything is a number beyond every line.
const everything = math.MaxUint64

// syncTo makes the line with the number seq, and all before it, durable. Callers
// who come while one syncs wait for it, and then one of them syncs for all.
func (l *Log) syncTo(seq uint64) error {
	d := &l.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	l.mu.Lock()
	f, last := l.w.file, l.w.chain.seq
	l.mu.Unlock()
	if d.upTo >= min(seq, last) {
		return nil
	}
	var err error
	if f != nil {
		err = f.Sync()
	}
	if errors.Is(err, os.ErrClosed) {
		err = nil // a file is synced before it is closed
	}
	d.failed.Store(err != nil)
	if err != nil {
		err = fmt.Errorf("audit: cannot sync the record: %w", err)
	} else {
		d.upTo = last
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.syncing.judge(err)
}
