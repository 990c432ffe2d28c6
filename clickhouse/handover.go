package clickhouse

import (
	"maps"
	"slices"
	"time"
)

// HandOver tells the client to, which takes the place of from, of the sessions with state
// that from has: their connections are from's, so whoever goes on in one at to is told, once,
// that it has ended, and no statement runs without what was set in it. What from has begun
// is not disturbed. It may be called again, for sessions that have begun meanwhile.
//
// Where to leaves sessions to ClickHouse, there is nothing to tell.
func HandOver(from, to *Client) {
	if from.sessions != nil && to.sessions != nil {
		handOver(from.sessions, to.sessions)
	}
}

func handOver(from, to *sessions) {
	from.mu.Lock()
	open := slices.Collect(maps.Keys(from.pins))
	from.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	for _, key := range open {
		if to.pins[key] == nil { // else its client has been told, and has begun another
			to.remember(key, loss{"the operator changed how Porterhouse reaches ClickHouse", time.Now()})
		}
	}
}
