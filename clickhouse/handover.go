package clickhouse

import "time"

// HandOver tells the client to, which takes the place of from, of the sessions with state
// that from has: their connections are from's, so whoever goes on in one at to is told, once,
// that it has ended, and no statement runs without what was set in it. What from has begun
// is not disturbed. It may be called again, for sessions that have begun meanwhile.
//
// Where to leaves sessions to ClickHouse, there is nothing to tell.
func HandOver(from, to *Client) {
	if from.sessions != nil && to.sessions != nil {
		from.sessions.handOver(to.sessions)
	}
}

func (s *sessions) handOver(to *sessions) {
	for _, key := range s.open() {
		to.note(key, "the operator changed how Porterhouse reaches ClickHouse")
	}
}

// open are the keys of the sessions there are.
func (s *sessions) open() (keys []sessionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.pins {
		keys = append(keys, key)
	}
	return keys
}

// note remembers the loss of a session that this client never had.
func (s *sessions) note(key sessionKey, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pins[key] == nil { // else its client has been told, and has begun another
		s.remember(key, loss{why, time.Now()})
	}
}
