package clickhouse

import "sync"

// Bounds of the data whose length nobody knows beforehand, in bytes.
const (
	maxSpooled    = 16 << 30         // in files, of everybody together
	maxOwnSpooled = 4 * maxStatement // of one person
	inMemory      = 128 << 10        // up to here no file is needed
)

// Spool counts what waits in files until its length is known, and whose it is. One is for
// all clients of a process, whose files are all in one directory: a cluster more, or a
// server, is no more room there. It is safe for concurrent use.
type Spool struct {
	mu   sync.Mutex
	used int64
	own  map[string]int64 // by person; none of it: not there
}

// NewSpool makes a Spool of 16 GiB, for Config.Spool, of which one person has 4 GiB.
func NewSpool() *Spool { return &Spool{own: map[string]int64{}} }

// add counts more bytes of a person's, or less, and returns how many there are then.
func (s *Spool) add(person string, more int64) (used, own int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += more
	if s.own[person] += more; s.own[person] == 0 {
		delete(s.own, person)
	}
	return s.used, s.own[person]
}
