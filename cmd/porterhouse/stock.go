package main

import (
	"maps"
	"sync"
)

// stock is the parts of all reaches, and what they are. The zero stock is ready for use.
type stock struct {
	mu    sync.Mutex
	parts map[*part]string
}

// hold gives a part one more holder, and reports whether it is the first.
func (s *stock) hold(held *part, name string) (isFirst bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held.holders++
	if s.parts == nil {
		s.parts = make(map[*part]string)
	}
	s.parts[held] = name
	return held.holders == 1
}

// isLast takes one holder from a part, and reports whether it was the last.
func (s *stock) isLast(held *part) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	held.holders--
	return held.holders == 0
}

// forget takes a part out that has been let go of.
func (s *stock) forget(held *part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.parts, held)
}

// all are the parts there are now.
func (s *stock) all() map[*part]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.parts)
}
