package clickhouse

import (
	"sync"
	"time"
)

// Places remembers at which server of a cluster each client's session is, for as long as
// the session may live. It outlives the Clusters that share it, so that a session stays
// where it is when the servers of a cluster become others. The zero Places is ready for use.
type Places struct {
	mu     sync.Mutex
	all    map[sessionKey]spot
	owners map[string]int // how many of all each has
	swept  time.Time      // when those that are over were looked for last
}

// spot is where a session is.
type spot struct {
	host  string // its name and port
	until time.Time
}

// Bounds of Places. Beyond them a session is found by its name alone, which leads to the
// same server while the servers are the same.
const (
	maxPlaces      = 1 << 16
	maxOwnerPlaces = 1 << 10 // of one owner
)

// find is where a session is; "": it is nowhere that is known.
func (p *Places) find(key sessionKey) (host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.all[key]; ok && time.Now().Before(at.until) {
		return at.host
	}
	return ""
}

// keep notes that a statement of a session is at a host, and that the session lives for
// as long as timeout after it.
func (p *Places) keep(key sessionKey, host string, timeout time.Duration) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all, p.owners = map[sessionKey]spot{}, map[string]int{}
	}
	if now.Sub(p.swept) > sessionTimeout {
		p.swept = now
		p.sweep(now)
	}
	if _, known := p.all[key]; !known {
		if len(p.all) >= maxPlaces || p.owners[key.owner] >= maxOwnerPlaces {
			return
		}
		p.owners[key.owner]++
	}
	p.all[key] = spot{host, now.Add(timeout)}
}

// forget forgets a session.
func (p *Places) forget(key sessionKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(key)
}

// HasAt reports whether there are sessions at a host, by its name and port.
func (p *Places) HasAt(host string) bool {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.all {
		if at.host == host && now.Before(at.until) {
			return true
		}
	}
	return false
}

// sweep forgets what is over. The caller holds mu.
func (p *Places) sweep(now time.Time) {
	for key, at := range p.all {
		if !now.Before(at.until) {
			p.drop(key)
		}
	}
}

// drop takes a session out. The caller holds mu.
func (p *Places) drop(key sessionKey) {
	if _, known := p.all[key]; !known {
		return
	}
	delete(p.all, key)
	if p.owners[key.owner]--; p.owners[key.owner] == 0 {
		delete(p.owners, key.owner)
	}
}
