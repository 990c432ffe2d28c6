package authserver

import "container/list"

// recent is a map that keeps the entries that were used last, and forgets the
// others. It is not safe for concurrent use.
type recent[V any] struct {
	most    int
	entries map[string]*list.Element
	order   *list.List // of recentEntry[V], the one used last in front
}

type recentEntry[V any] struct {
	key   string
	value V
}

func newRecent[V any](most int) *recent[V] {
	return &recent[V]{most: most, entries: map[string]*list.Element{}, order: list.New()}
}

// get returns the value of a key, which is thereby used.
func (r *recent[V]) get(key string) (value V, known bool) {
	at, known := r.entries[key]
	if !known {
		return value, false
	}
	r.order.MoveToFront(at)
	return at.Value.(recentEntry[V]).value, true
}

// put writes the value of a key, and forgets another when there are too many.
func (r *recent[V]) put(key string, value V) {
	r.remove(key)
	r.entries[key] = r.order.PushFront(recentEntry[V]{key, value})
	if r.order.Len() > r.most {
		r.remove(r.order.Back().Value.(recentEntry[V]).key)
	}
}

// remove forgets a key.
func (r *recent[V]) remove(key string) {
	if at, known := r.entries[key]; known {
		r.order.Remove(at)
		delete(r.entries, key)
	}
}
