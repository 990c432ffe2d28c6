// Package kv keeps small values under keys for a while, or for good, where
// several processes may look: in memory, in a file of one process, or in Redis.
// It does not know what it stores.
//
//	           Put  Get  Consume  Swap  Keys
//	             └────┴─────┴──────┴─────┘
//	OpenMemory        OpenFile              OpenRedis
//	one process       one process           many processes
//	lost at its end   survives a crash      as durable as the server is told to be
//	~ 1 µs            a sync for a write    a round trip
//
// The rule of the package: what two callers do at once has one winner. Consume
// gives a value to one of them, and Swap changes it only from what was there.
// What cannot be kept is refused: no entry goes before its time to make room for
// another.
package kv

import (
	"context"
	"errors"
	"time"

	"porterhouse"
)

// Store is where values are kept. It is safe for concurrent use. An error that is
// not ErrNotFound is a *porterhouse.Error: of kind Unavailable when nobody can
// tell (a write may then have happened), Limited when the store is full, Invalid
// for a key, a value or a life beyond the limits below; or it is ctx's own.
type Store interface {
	// Put writes a value, whatever was there. After life it is gone; 0: it stays.
	Put(ctx context.Context, key string, value []byte, life time.Duration) error
	// Get reads a value, or returns ErrNotFound. An empty value is not nil.
	Get(ctx context.Context, key string) ([]byte, error)
	// Consume reads a value and deletes it: of several callers one gets it, the
	// others ErrNotFound.
	Consume(ctx context.Context, key string) ([]byte, error)
	// Swap writes new if the value is old, and reports whether it was; a nil old
	// means that there must be none, a nil new deletes. life is that of new.
	Swap(ctx context.Context, key string, old, new []byte, life time.Duration) (bool, error)
	// Keys returns the keys with a prefix, sorted; for looking through durable entries.
	Keys(ctx context.Context, prefix string) ([]string, error)
	// Close lets go of it. Whatever is asked afterwards is Unavailable.
	Close() error
}

// ErrNotFound says that there is no value under a key, or not any more.
var ErrNotFound = errors.New("kv: not found")

// The limits of one entry, the same in every store.
const (
	MaxKey   = 1 << 10              // bytes of a key, of any values; at least 1
	MaxValue = 256 << 10            // bytes of a value
	MaxLife  = 10 * 366 * day       // what is to stay longer stays for good
	day      = 24 * time.Hour       //
	minLife  = 1 * time.Millisecond // a shorter life is this long: Redis counts in milliseconds
)

// checkKey holds a key to the limits.
func checkKey(key string) error {
	switch {
	case key == "":
		return porterhouse.Errorf(porterhouse.Invalid, "the key of a stored value is empty")
	case len(key) > MaxKey:
		return porterhouse.Errorf(porterhouse.Invalid, "the key of a stored value has %d bytes, more than the %d allowed", len(key), MaxKey)
	}
	return nil
}

// check holds what is to be written to the limits.
func check(key string, value []byte, life time.Duration) error {
	switch {
	case len(value) > MaxValue:
		return porterhouse.Errorf(porterhouse.Invalid, "a value to be stored has %d bytes, more than the %d allowed", len(value), MaxValue)
	case life < 0 || life > MaxLife:
		return porterhouse.Errorf(porterhouse.Invalid, "a value cannot be stored for %v: 0 is for good, and %v is the longest time", life, MaxLife)
	}
	return checkKey(key)
}

// away says that nobody can tell, and why.
func away(err error) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "the store of this server's state is away; try again later, and tell the operator if it stays so",
		Err:    err,
	}
}

// full says that there is no room.
func full(err error) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Limited,
		Public: "the store of this server's state is full; try again later, and tell the operator if it stays so",
		Err:    err,
	}
}

// errClosed is the cause of what is asked after Close.
var errClosed = errors.New("kv: the store is closed")

// deadline is the moment after which an entry is gone; zero: it stays.
func deadline(now time.Time, life time.Duration) time.Time {
	if life == 0 {
		return time.Time{}
	}
	return now.Add(max(life, minLife))
}

// ended reports whether an entry with this deadline is gone.
func ended(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }
