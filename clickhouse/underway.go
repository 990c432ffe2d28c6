package clickhouse

import (
	"sync"
	"sync/atomic"

	"porterhouse"
)

// underway is the statements of a Client whose answers are open. The zero underway is
// ready for use.
type underway struct {
	count atomic.Int64

	mu  sync.Mutex
	all map[owned]int // how many of each: two may have the same id
}

// owned is a statement: clients choose ids, and two people may choose the same.
type owned struct {
	user porterhouse.UserName
	id   string
}

// begin counts a statement in.
func (u *underway) begin(user porterhouse.UserName, id string) {
	u.count.Add(1)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all == nil {
		u.all = map[owned]int{}
	}
	u.all[owned{user, id}]++
}

// end counts it out.
func (u *underway) end(user porterhouse.UserName, id string) {
	u.count.Add(-1)
	u.mu.Lock()
	defer u.mu.Unlock()
	if key := (owned{user, id}); u.all[key] > 1 {
		u.all[key]--
	} else {
		delete(u.all, key)
	}
}

// has reports whether a statement of that user's is under way.
func (u *underway) has(user porterhouse.UserName, id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.all[owned{user, id}] > 0
}

// hasAnybodys reports whether a statement with one of the ids is under way, whoever's it is.
func (u *underway) hasAnybodys(ids map[string]bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for s := range u.all {
		if ids[s.id] {
			return true
		}
	}
	return false
}
