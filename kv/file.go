package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// FileConfig is what a File is made of; its zero value is good.
type FileConfig struct {
	MaxBytes int64            // of the file; 0: 1 GiB
	Now      func() time.Time // nil: time.Now
}

// File keeps entries in a file of one process. A write has reached the disk when
// it returns (a few milliseconds, for the sync, which those who write at the same
// time share): what it acknowledged survives kill -9 and a power failure. Deadlines are moments of the wall clock.
//
// The file has three buckets: entries (key to deadline and value), ends (deadline
// and key, so that what has ended is found without looking at the rest), and meta.
type File struct {
	db    *bbolt.DB
	path  string
	now   func() time.Time
	batch *batch

	closing sync.RWMutex // no transaction may run while the file is closed
	closed  bool
	damaged atomic.Bool // then bbolt is not asked again: it may have kept a lock
}

const (
	defaultFileBytes = 1 << 30
	format           = "porterhouse kv 1"
	sweepEach        = 64 // ended entries that a write clears away: more than it adds
)

// names of the buckets, and of the key in meta.
var (
	bucketEntries = []byte("entries")
	bucketEnds    = []byte("ends")
	bucketMeta    = []byte("meta")
	keyFormat     = []byte("format")
)

// errDamaged is what bbolt found in a page that it cannot read.
var errDamaged = errors.New("a page cannot be read")

// guard runs work on the file. A damaged or shortened file makes bbolt panic, or
// the memory that it is mapped to fault; both are errors here.
func guard(work func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %.300v", errDamaged, p)
		}
	}()
	return work()
}

// view runs a reading transaction.
func (f *File) view(ctx context.Context, read func(*bbolt.Tx) error) error {
	return f.run(ctx, func() error { return f.db.View(read) })
}

// update runs a writing transaction, together with those of others who write now.
func (f *File) update(ctx context.Context, change func(*bbolt.Tx) error) error {
	return f.run(ctx, func() error { return f.batch.do(change) })
}

// commit runs one transaction of several writes, which clears some of what has ended
// away first. When there is no room, everything that has ended goes, and it is tried
// once more.
func (f *File) commit(each []*write) error {
	return guard(func() error {
		err := f.try(each)
		for outOfSpace(err) {
			swept := 0
			if failed := f.db.Update(func(tx *bbolt.Tx) (failed error) {
				swept, failed = f.sweep(tx, 100*sweepEach)
				return failed
			}); failed != nil || swept == 0 {
				break
			}
			err = f.try(each)
		}
		return err
	})
}

// try runs several writes in one transaction. That one finds nothing is its own
// business; any other error undoes them all.
func (f *File) try(each []*write) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		if _, err := f.sweep(tx, max(sweepEach, 2*len(each))); err != nil {
			return err
		}
		for _, w := range each {
			if w.err = w.change(tx); w.err != nil && !errors.Is(w.err, ErrNotFound) {
				return w.err
			}
		}
		return nil
	})
}

// run runs one transaction and says what its error means.
func (f *File) run(ctx context.Context, transaction func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.closing.RLock()
	defer f.closing.RUnlock()
	if f.closed {
		return away(errClosed)
	}
	if f.damaged.Load() {
		return away(fmt.Errorf("kv: %s: %w", f.path, errDamaged))
	}
	switch err := guard(transaction); {
	case err == nil, errors.Is(err, ErrNotFound):
		return err
	case errors.Is(err, errDamaged):
		f.damaged.Store(true)
		return away(fmt.Errorf("kv: %s: %w: nothing is read or written any more; put a copy in its place and start again", f.path, err))
	case outOfSpace(err):
		return full(fmt.Errorf("kv: %s: %w", f.path, err))
	default:
		return away(fmt.Errorf("kv: %s: %w", f.path, err))
	}
}

// outOfSpace reports an error that ends when somebody makes room.
func outOfSpace(err error) bool {
	return errors.Is(err, bolterrors.ErrMaxSizeReached) || errors.Is(err, syscall.ENOSPC) ||
		errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) ||
		err != nil && strings.HasPrefix(err.Error(), "file resize error: ") // of bbolt, which hides the cause
}

// sweep clears away up to limit entries that have ended, and says how many.
func (f *File) sweep(tx *bbolt.Tx, limit int) (int, error) {
	now := stamp(f.now())
	var gone [][]byte
	cursor := tx.Bucket(bucketEnds).Cursor()
	for end, _ := cursor.First(); end != nil && len(gone) < limit && bytes.Compare(end[:stampLength], now) <= 0; end, _ = cursor.Next() {
		gone = append(gone, bytes.Clone(end))
	}
	for _, end := range gone {
		if err := tx.Bucket(bucketEntries).Delete(end[stampLength:]); err != nil {
			return 0, err
		}
		if err := tx.Bucket(bucketEnds).Delete(end); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}

// Put implements Store.
func (f *File) Put(ctx context.Context, key string, value []byte, life time.Duration) error {
	if err := check(key, value, life); err != nil {
		return err
	}
	return f.update(ctx, func(tx *bbolt.Tx) error { return f.write(tx, key, value, life) })
}

// Get implements Store.
func (f *File) Get(ctx context.Context, key string) (value []byte, err error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	err = f.view(ctx, func(tx *bbolt.Tx) error {
		found := f.read(tx, key)
		if found == nil {
			return ErrNotFound
		}
		value = copied(found)
		return nil
	})
	return value, err
}

// Consume implements Store.
func (f *File) Consume(ctx context.Context, key string) (value []byte, err error) {
	// A look without a sync first: guessed and used keys are to cost nothing.
	if _, err := f.Get(ctx, key); err != nil {
		return nil, err
	}
	err = f.update(ctx, func(tx *bbolt.Tx) error {
		found := f.read(tx, key)
		if found == nil {
			return ErrNotFound
		}
		value = copied(found)
		return remove(tx, key)
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// Swap implements Store.
func (f *File) Swap(ctx context.Context, key string, old, new []byte, life time.Duration) (swapped bool, err error) {
	if err := check(key, new, life); err != nil {
		return false, err
	}
	err = f.update(ctx, func(tx *bbolt.Tx) error {
		found := f.read(tx, key)
		swapped = (found != nil) == (old != nil) && bytes.Equal(found, old)
		switch {
		case !swapped:
			return nil
		case new == nil:
			return remove(tx, key)
		}
		return f.write(tx, key, new, life)
	})
	return swapped && err == nil, err
}

// Keys implements Store.
func (f *File) Keys(ctx context.Context, prefix string) ([]string, error) {
	keys := []string{}
	err := f.view(ctx, func(tx *bbolt.Tx) error {
		now := f.now()
		cursor := tx.Bucket(bucketEntries).Cursor()
		for key, stored := cursor.Seek([]byte(prefix)); bytes.HasPrefix(key, []byte(prefix)) && key != nil; key, stored = cursor.Next() {
			if !ended(unstamp(stored), now) {
				keys = append(keys, string(key))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// Close implements Store. It waits for what is being written.
func (f *File) Close() error {
	f.closing.Lock()
	defer f.closing.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	if f.damaged.Load() {
		return fmt.Errorf("kv: %s: %w", f.path, errDamaged)
	}
	return f.db.Close()
}

// stampLength is the length of a deadline as it is stored: big-endian nanoseconds
// since 1970, so that they sort; 0: none.
const stampLength = 8

func stamp(deadline time.Time) []byte {
	if deadline.IsZero() {
		return make([]byte, stampLength)
	}
	return binary.BigEndian.AppendUint64(nil, uint64(deadline.UnixNano()))
}

// unstamp reads the deadline that a stored value begins with.
func unstamp(stored []byte) time.Time {
	if nanoseconds := binary.BigEndian.Uint64(stored); nanoseconds != 0 {
		return time.Unix(0, int64(nanoseconds))
	}
	return time.Time{}
}

// read returns the value under key, which is good until tx ends; nil: there is none.
func (f *File) read(tx *bbolt.Tx, key string) []byte {
	stored := tx.Bucket(bucketEntries).Get([]byte(key))
	if stored == nil || ended(unstamp(stored), f.now()) {
		return nil
	}
	return stored[stampLength:]
}

// write puts an entry in the place of the one that was there.
func (f *File) write(tx *bbolt.Tx, key string, value []byte, life time.Duration) error {
	if err := remove(tx, key); err != nil {
		return err
	}
	end := stamp(deadline(f.now(), life))
	if life != 0 {
		if err := tx.Bucket(bucketEnds).Put(append(bytes.Clone(end), key...), nil); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketEntries).Put([]byte(key), append(end, value...))
}

// remove takes an entry away, if there is one.
func remove(tx *bbolt.Tx, key string) error {
	stored := tx.Bucket(bucketEntries).Get([]byte(key))
	if stored == nil {
		return nil
	}
	end := append(bytes.Clone(stored[:stampLength]), key...)
	if err := tx.Bucket(bucketEnds).Delete(end); err != nil {
		return err
	}
	return tx.Bucket(bucketEntries).Delete([]byte(key))
}
