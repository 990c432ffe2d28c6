package clickhouse

// choose returns the server for a statement of a user's that is bound to none, of those
// that were not tried: the one with the fewest statements under way, to which its troubles
// are added. Of several, each user has an order of their own, which is the same everywhere and as long as the servers
// are: so a person's questions mostly meet the same one, its caches, and what they have
// just written.
//
// A server that is away or drains takes nothing. When all are away, those that are merely
// slow share what comes, for too much of it may be why; then it is the one that went last:
// nobody is refused without a try. nil: all were tried.
func (c *Cluster) choose(user string, tried hostSet) *host {
	return c.pick(user, tried, func(h *host, own uint64) int64 { return h.underway.count.Load() + h.troubles.weight(own) })
}

// settle returns the server for a session: the one that comes first in an order of the
// session's own, so that others of us who know nothing of it find the same one.
func (c *Cluster) settle(key sessionKey, tried hostSet) *host {
	return c.pick(key.owner+"\x00"+key.id, tried, func(*host, uint64) int64 { return 0 })
}

// loadOf is what a server is chosen by, for whoever has that hash.
type loadOf func(h *host, own uint64) int64

// pick returns the server with the least load, and among equals the first in the order of
// the name.
func (c *Cluster) pick(name string, tried hostSet, load loadOf) *host {
	own := hashOf(name)
	if best := leastOf(c.hosts, own, tried, load, (*absence).isNone); best != nil {
		return best
	}
	if best := leastOf(c.hosts, own, tried, load, (*absence).isSlowness); best != nil {
		return best
	}
	return c.likeliest(tried)
}

// leastOf is pick among those whose absence will do.
func leastOf(hosts []host, own uint64, tried hostSet, load loadOf, will func(*absence) bool) *host {
	var best *host
	var least int64
	var most uint64
	for i := range hosts {
		h := &hosts[i]
		if h.drain || tried&h.bit != 0 || !will(h.health.absent()) {
			continue
		}
		n, rank := load(h, own), mixed(own^h.hash)
		if best == nil || n < least || n == least && rank > most {
			best, least, most = h, n, rank
		}
	}
	return best
}

// likeliest returns, of servers that are away, the one that went last.
func (c *Cluster) likeliest(tried hostSet) *host {
	var best *host
	var last *absence
	for i := range c.hosts {
		h := &c.hosts[i]
		if h.drain || tried&h.bit != 0 {
			continue
		}
		away := h.health.absent()
		if away == nil { // it has just come back
			return h
		}
		if best == nil || away.since.After(last.since) {
			best, last = h, away
		}
	}
	return best
}

// named returns the server with that name and port; nil: there is none.
func (c *Cluster) named(name string) *host {
	for i := range c.hosts {
		if c.hosts[i].target.address == name {
			return &c.hosts[i]
		}
	}
	return nil
}

// hashOf is FNV-1a, of 64 bits: the same in every process.
func hashOf(text string) uint64 {
	hash := uint64(14695981039346656037)
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * 1099511628211
	}
	return hash
}

// mixed spreads a hash over all its bits, as the last step of MurmurHash3 does: without it
// servers whose names differ in the last letter would mostly come in the same order.
func mixed(hash uint64) uint64 {
	hash = (hash ^ hash>>33) * 0xff51afd7ed558ccd
	hash = (hash ^ hash>>33) * 0xc4ceb9fe1a85ec53
	return hash ^ hash>>33
}
