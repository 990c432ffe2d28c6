package identity

import (
	"container/heap"
	"time"
)

// shelf has a bounded number of answers, each until its end. Whatever is done there takes a
// few away that have ended, so that nobody waits while it is tidied; in a full one the
// answer goes that ends first. It is not safe for concurrent use.
type shelf struct {
	there map[digest]*kept
	ends  endings
}

// kept is an answer on a shelf.
type kept struct {
	given
	place digest
	index int // in endings
}

const (
	maxExchanged = 10_000 // answers on a shelf; who falls out is asked for again
	tidiedAtOnce = 8      // more than come with one put, so that what has ended grows less
)

func newShelf() shelf { return shelf{there: map[digest]*kept{}} }

// get returns what is at a place, and has not ended.
func (s *shelf) get(place digest, now time.Time) (given, bool) {
	s.tidy(now)
	known := s.there[place]
	if known == nil || !now.Before(known.until) {
		return given{}, false
	}
	return known.given, true
}

// put places an answer, in the stead of what was there.
func (s *shelf) put(place digest, g given, now time.Time) {
	s.tidy(now)
	if old := s.there[place]; old != nil {
		s.drop(old)
	}
	if len(s.there) >= maxExchanged {
		s.drop(s.ends[0])
	}
	fresh := &kept{given: g, place: place}
	s.there[place] = fresh
	heap.Push(&s.ends, fresh)
}

// tidy takes away a few that have ended.
func (s *shelf) tidy(now time.Time) {
	for range tidiedAtOnce {
		if len(s.ends) == 0 || now.Before(s.ends[0].until) {
			return
		}
		s.drop(s.ends[0])
	}
}

func (s *shelf) drop(k *kept) {
	heap.Remove(&s.ends, k.index)
	delete(s.there, k.place)
}

// endings is a heap with the answer at its top that ends first.
type endings []*kept

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].until.Before(e[j].until) }
func (e endings) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}

// Push is heap.Interface's.
func (e *endings) Push(fresh any) {
	k := fresh.(*kept)
	k.index = len(*e)
	*e = append(*e, k)
}

// Pop is heap.Interface's.
func (e *endings) Pop() any {
	last := len(*e) - 1
	k := (*e)[last]
	(*e)[last] = nil // or the token would stay in memory
	*e = (*e)[:last]
	return k
}
