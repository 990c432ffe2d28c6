package signin

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound how often one network may leave for a provider or come back, and how often
// one person may sign in. They are generous, because a whole company may be behind one
// address: what they bound is how much we can be made to ask of a provider. They outlive a
// configuration.
type Limits struct {
	networks often[netip.Prefix]
	people   often[string] // by Principal.Key
}

const (
	perSecond   = 20
	atOnce      = 600
	maxNetworks = 10_000 // of one generation

	// One person signs in in a few browsers. A program that does so in their name, at a
	// provider that asks nothing, would fill the store for everybody.
	signInEach    = time.Minute
	signInsAtOnce = 60
)

// NewLimits are those of which nobody has used anything.
func NewLimits() *Limits {
	return &Limits{networks: newOften[netip.Prefix](perSecond, atOnce), people: newOften[string](rate.Every(signInEach), signInsAtOnce)}
}

// allow counts one request of an address.
func (l *Limits) allow(address netip.Addr, now time.Time) bool {
	return l.networks.take(networkOf(address), now)
}

// often bounds how often each of many may do something.
type often[K comparable] struct {
	rate   rate.Limit
	atOnce int

	mu       sync.Mutex
	now, old map[K]*rate.Limiter // who was not seen for two generations is new
}

func newOften[K comparable](each rate.Limit, atOnce int) often[K] {
	return often[K]{rate: each, atOnce: atOnce, now: map[K]*rate.Limiter{}}
}

// take counts one, and reports whether it may be.
func (o *often[K]) take(key K, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := o.now[key]
	if found == nil {
		if found = o.old[key]; found == nil {
			found = rate.NewLimiter(o.rate, o.atOnce)
		}
		if len(o.now) >= maxNetworks {
			o.now, o.old = map[K]*rate.Limiter{}, o.now
		}
		o.now[key] = found
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
