package proxy

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	freeFailures = 60               // of one network, before it has to wait
	oneMore      = time.Second      // until it may send one more
	provedTime   = 10 * time.Minute // how long a good credential is remembered
	maxNetworks  = 10_000           // counted apart at one time
	maxProved    = 50_000           // good credentials remembered at one time
)

// Strangers bound what it costs us to look at wrong tokens. A network that sends many
// of them has to wait before the next one is looked at; a token that was good a while
// ago is looked at nevertheless, so nobody is kept out by a neighbour's mistakes. (No
// number of guesses finds a token; passwords have a bound of their own, in Config.Login.)
// They outlive a configuration.
type Strangers struct {
	mu sync.Mutex
	// networks says when each network's failures are forgotten: each adds oneMore.
	networks map[netip.Prefix]time.Time
	// known says until when each mark of a good credential is remembered.
	known map[uint64]time.Time
	seed  maphash.Seed // so that nobody can make a token with another's mark
}

// NewStrangers are those of whom nobody has failed.
func NewStrangers() *Strangers {
	return &Strangers{networks: map[netip.Prefix]time.Time{}, known: map[uint64]time.Time{}, seed: maphash.MakeSeed()}
}

// mark is what is remembered of a credential.
func (s *Strangers) mark(c credential) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	_, _ = h.WriteString(c.user) // never fails
	_ = h.WriteByte(0)
	_, _ = h.WriteString(c.secret)
	return h.Sum64()
}

// wait tells how long whoever is at remote has to wait; 0: come in.
func (s *Strangers) wait(now time.Time, remote string, mark uint64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.networks) == 0 {
		return 0
	}
	wait := s.networks[network(remote)].Sub(now.Add(freeFailures * oneMore))
	if wait <= 0 || s.known[mark].After(now) {
		return 0
	}
	return wait
}

// failed notes a credential that was wrong.
func (s *Strangers) failed(now time.Time, remote string, mark uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, mark)
	from := network(remote)
	until, counted := s.networks[from]
	if !counted {
		makeRoom(s.networks, maxNetworks)
	}
	if until.Before(now) {
		until = now
	}
	s.networks[from] = until.Add(oneMore)
}

// proved notes a credential that was good.
func (s *Strangers) proved(now time.Time, mark uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, known := s.known[mark]
	if until.Sub(now) > provedTime/2 {
		return
	}
	if !known {
		makeRoom(s.known, maxProved)
	}
	s.known[mark] = now.Add(provedTime)
}

// makeRoom lets go of any one of too many: whoever fills the table forgets its own.
func makeRoom[K comparable](m map[K]time.Time, most int) {
	if len(m) < most {
		return
	}
	for key := range m {
		delete(m, key)
		return
	}
}

// network is the part of a remote address that one attacker can hardly leave: /24, or
// /48 of IPv6. What is no address is one network.
func network(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := at.Addr().Unmap().WithZone(""), 48
	if address.Is4() {
		bits = 24
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
