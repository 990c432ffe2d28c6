package signin

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits bounds how often one network may leave for a provider or come back. It is
// generous, because a whole company may be behind one address: what it bounds is
// how much we can be made to ask of a provider.
type limits struct {
	mu       sync.Mutex
	now, old map[netip.Prefix]*rate.Limiter // a network that was not seen for two generations is new
}

const (
	perSecond   = 20
	atOnce      = 600
	maxNetworks = 10_000 // of one generation
)

func newLimits() *limits { return &limits{now: map[netip.Prefix]*rate.Limiter{}} }

// allow counts one request of an address.
func (l *limits) allow(address netip.Addr, now time.Time) bool {
	network := networkOf(address)
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.now[network]
	if found == nil {
		if found = l.old[network]; found == nil {
			found = rate.NewLimiter(perSecond, atOnce)
		}
		if len(l.now) >= maxNetworks {
			l.now, l.old = map[netip.Prefix]*rate.Limiter{}, l.now
		}
		l.now[network] = found
	}
	return found.AllowN(now, 1)
}

// networkOf is what one person can be assumed to have: an IPv4 address, an IPv6 /64.
func networkOf(address netip.Addr) netip.Prefix {
	bits := 64
	if address.Is4() {
		bits = 32
	}
	network, _ := address.Prefix(bits) // no address: the zero prefix
	return network
}
