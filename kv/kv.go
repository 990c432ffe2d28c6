// Package kv keeps small values under keys for a while, or for good, where
// several processes may look: in memory, in a file of one process, or in Redis.
// It does not know what it stores.
//
// The rule of the package: what two callers do at once has one winner. Consume
// gives a value to one of them, and Swap changes it only from what was there.
package kv

import (
	"context"
	"errors"
	"time"
)

// Store is where values are kept. It is safe for concurrent use. An error that is
// not ErrNotFound is a *porterhouse.Error of kind Unavailable: nobody can tell.
type Store interface {
	// Put writes a value, whatever was there. After life it is gone; 0: it stays.
	Put(ctx context.Context, key string, value []byte, life time.Duration) error
	// Get reads a value, or returns ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Consume reads a value and deletes it: of several callers one gets it, the
	// others ErrNotFound.
	Consume(ctx context.Context, key string) ([]byte, error)
	// Swap writes new if the value is old, and reports whether it was; a nil old
	// means that there must be none, a nil new deletes. life is that of new.
	Swap(ctx context.Context, key string, old, new []byte, life time.Duration) (bool, error)
	// Keys returns the keys with a prefix, sorted; for looking through durable entries.
	Keys(ctx context.Context, prefix string) ([]string, error)
	// Close lets go of it.
	Close() error
}

// ErrNotFound says that there is no value under a key, or not any more.
var ErrNotFound = errors.New("kv: not found")
