package openid

import (
	"crypto/rand"
	"errors"
	"maps"
	"sync"
	"time"
)

// shelf keeps things for a while, each under a key that nobody can guess, and a
// bounded number of them.
type shelf[T any] struct {
	life time.Duration
	most int
	now  func() time.Time

	mu     sync.Mutex
	things map[string]kept[T]
}

type kept[T any] struct {
	thing T
	until time.Time
}

func newShelf[T any](life time.Duration, most int, now func() time.Time) *shelf[T] {
	return &shelf[T]{life: life, most: most, now: now, things: map[string]kept[T]{}}
}

// errFull says that too much is under way.
var errFull = errors.New("too many are under way; try again in some minutes")

// add puts a thing on the shelf and returns its key.
func (s *shelf[T]) add(thing T) (key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if len(s.things) >= s.most {
		maps.DeleteFunc(s.things, func(_ string, k kept[T]) bool { return !now.Before(k.until) })
	}
	if len(s.things) >= s.most {
		return "", errFull
	}
	key = rand.Text()
	s.things[key] = kept[T]{thing, now.Add(s.life)}
	return key, nil
}

// take returns a thing and takes it off the shelf: the second taker finds nothing.
func (s *shelf[T]) take(key string) (thing T, found bool) {
	found = s.change(key, func(t *T) (keep bool) {
		thing = *t
		return false
	})
	return thing, found
}

// change lets do look at a thing and change it, alone; what do does not keep, goes.
func (s *shelf[T]) change(key string, do func(*T) (keep bool)) (found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, found := s.things[key]
	if found && !s.now().Before(k.until) {
		delete(s.things, key)
		return false
	}
	if !found {
		return false
	}
	if do(&k.thing) {
		s.things[key] = k
	} else {
		delete(s.things, key)
	}
	return true
}

// key returns the key of the first thing that is the one.
func (s *shelf[T]) key(is func(T) bool) (key string, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, k := range s.things {
		if s.now().Before(k.until) && is(k.thing) {
			return key, true
		}
	}
	return "", false
}
