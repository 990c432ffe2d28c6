package authserver

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits are how often one network may do what costs us something, or what could
// be guessed. Whoever stays below them never notices; what is over them is not done.
type limits struct {
	register  *limiter // registrations (RFC 7591): each takes room in the store
	documents *limiter // documents and key sets of clients that are fetched
	failures  *limiter // failed client authentications
	devices   *limiter // device codes: each takes room in the store
	userCodes *limiter // user codes that people look up, right or wrong (RFC 8628, 5.1)
}

func newLimits(now func() time.Time) limits {
	return limits{
		register:  newLimiter(time.Minute, 30, now),
		documents: newLimiter(time.Second, 30, now),
		failures:  newLimiter(time.Second, 60, now),
		devices:   newLimiter(10*time.Second, 30, now),
		userCodes: newLimiter(10*time.Second, 60, now),
	}
}

// maxNetworks is how many networks one limiter remembers; the one that was not
// heard of for the longest time is forgotten first.
const maxNetworks = 10_000

// limiter bounds how often one network may do something: burst times at once, and
// then once in each interval. It is safe for concurrent use.
type limiter struct {
	interval time.Duration
	burst    int
	now      func() time.Time

	mu       sync.Mutex
	networks *recent[*rate.Limiter] // what each has left
}

func newLimiter(interval time.Duration, burst int, now func() time.Time) *limiter {
	return &limiter{interval: interval, burst: burst, now: now, networks: newRecent[*rate.Limiter](maxNetworks)}
}

// take uses up one of what the network of a remote address may, and reports
// whether there was one left.
func (l *limiter) take(remote string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(network(remote)).AllowN(l.now(), 1)
}

// spent reports whether nothing is left to the network of a remote address; it uses
// up nothing. It is for what counts only when it fails.
func (l *limiter) spent(remote string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	left, known := l.networks.get(network(remote))
	return known && left.TokensAt(l.now()) < 1
}

// of returns what a network has left. mu is held.
func (l *limiter) of(network string) *rate.Limiter {
	left, known := l.networks.get(network)
	if !known {
		left = rate.NewLimiter(rate.Every(l.interval), l.burst)
		l.networks.put(network, left)
	}
	return left
}

// network is what one party is expected to have for itself: an IPv4 address, or 64
// bits of an IPv6 address. remote is an address with or without a port; all that
// cannot be read are one network.
func network(remote string) string {
	address, err := netip.ParseAddr(remote)
	if err != nil {
		withPort, err := netip.ParseAddrPort(remote)
		if err != nil {
			return ""
		}
		address = withPort.Addr()
	}
	address = address.Unmap().WithZone("")
	if address.Is4() {
		return address.String()
	}
	return netip.PrefixFrom(address, 64).Masked().String()
}
