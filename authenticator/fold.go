package authenticator

import (
	"strings"
	"sync"
	"time"

	"porterhouse"
)

const (
	foldTime   = time.Minute
	maxFolded  = 1000 // kinds counted apart; those beyond are one kind
	foldOthers = ""   // the key of that one
)

// fold tells of the first thing of a kind at once and of those that follow within
// a minute together: ClickHouse asks on every request, so one person may come a
// thousand times in a second.
type fold[T any] struct {
	tell func(what T, times uint64)

	mu    sync.Mutex
	kinds map[string]*folded[T]
	next  time.Time // when those whose minute is over are told of
}

// folded is one kind.
type folded[T any] struct {
	last  T
	times uint64 // that nobody was told of
	since time.Time
}

// told is what tell is called with, once the lock is free.
type told[T any] struct {
	what  T
	times uint64
}

// add takes note of one more. The tale of others may be told with it.
func (f *fold[T]) add(now time.Time, key string, what T) {
	for _, t := range f.note(now, key, what) {
		f.tell(t.what, t.times)
	}
}

func (f *fold[T]) note(now time.Time, key string, what T) []told[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	tales := f.due(now)
	if _, known := f.kinds[key]; !known && len(f.kinds) >= maxFolded {
		key = foldOthers
	}
	if k, known := f.kinds[key]; known {
		k.last, k.times = what, k.times+1
		return tales
	}
	if f.kinds == nil {
		f.kinds = map[string]*folded[T]{}
	}
	f.kinds[key] = &folded[T]{last: what, since: now}
	return append(tales, told[T]{what, 1})
}

// due takes out the kinds whose minute is over. It looks at most once a second.
func (f *fold[T]) due(now time.Time) (tales []told[T]) {
	if now.Before(f.next) {
		return nil
	}
	f.next = now.Add(time.Second)
	for key, k := range f.kinds {
		if now.Sub(k.since) < foldTime {
			continue
		}
		if delete(f.kinds, key); k.times > 0 {
			tales = append(tales, told[T]{k.last, k.times})
		}
	}
	return tales
}

// flush tells of all that nobody was told of.
func (f *fold[T]) flush() {
	f.mu.Lock()
	kinds := f.kinds
	f.kinds = nil
	f.mu.Unlock()
	for _, k := range kinds {
		if k.times > 0 {
			f.tell(k.last, k.times)
		}
	}
}

// key is the same for admissions of one person, by one credential, to one account.
func (a Admission) key() string {
	how := "token"
	if a.Ticket {
		how = "ticket"
	}
	return strings.Join([]string{how, a.Account.User.String(), a.Who.TokenID, a.Who.Key()}, "\x00")
}

// key is the same for rejections of one kind, of one user, from one network.
func (r Rejection) key() string {
	kind, _ := porterhouse.Explain(r.Err)
	return strings.Join([]string{string(kind), r.User, network(r.Remote)}, "\x00")
}
