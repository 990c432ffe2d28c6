package authserver

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"porterhouse"
)

// Limits are how often one network may do what costs us something, or what could
// be guessed. Whoever stays below them never notices; what is over them is not done. They
// outlive a configuration, so that no reload gives anybody new guesses.
type Limits struct {
	register  *limiter // registrations (RFC 7591): each takes room in the store
	documents *limiter // documents and key sets of clients that are fetched
	failures  *limiter // secrets and keys of a client that were wrong; by network and client
	proofs    *limiter // assertions of clients that anybody can be: each used one takes room in the store
	allProofs *limiter // the same, of all networks together
	devices   *limiter // device codes: each takes room in the store
	agreed    *limiter // what one person agrees to: each takes room in the store for weeks
	userCodes *limiter // user codes that people look up, right or wrong (RFC 8628, 5.1)
	guesses   *limiter // the same, by person
}

// NewLimits are those of which nobody has used anything; now nil: time.Now.
func NewLimits(now func() time.Time) *Limits {
	if now == nil {
		now = time.Now
	}
	return &Limits{
		register:  newLimiter(time.Minute, 30, now),
		documents: newLimiter(time.Second, 30, now),
		failures:  newLimiter(time.Second, 60, now),
		proofs:    newLimiter(time.Second/20, 600, now), // a hosted client renews for all its people from a few addresses
		allProofs: newLimiter(time.Second/100, 10_000, now),
		devices:   newLimiter(10*time.Second, 30, now),
		agreed:    newLimiter(5*time.Minute, 60, now),
		userCodes: newLimiter(10*time.Second, 60, now),
		guesses:   newLimiter(time.Minute, 10, now),
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

	mu   sync.Mutex
	left *recent[*rate.Limiter] // to each
}

func newLimiter(interval time.Duration, burst int, now func() time.Time) *limiter {
	return &limiter{interval: interval, burst: burst, now: now, left: newRecent[*rate.Limiter](maxNetworks)}
}

// take uses up one of what the network of a remote address may, and reports
// whether there was one left.
func (l *limiter) take(remote string) bool { return l.takeKey(network(remote)) }

// takeKey is take for something else than a network.
func (l *limiter) takeKey(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	left, known := l.left.get(key)
	if !known {
		left = rate.NewLimiter(rate.Every(l.interval), l.burst)
		l.left.put(key, left)
	}
	return left.AllowN(l.now(), 1)
}

// spentKey reports whether takeKey would find nothing left; it uses up nothing. It is
// for what counts only when it fails.
func (l *limiter) spentKey(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	left, known := l.left.get(key)
	return known && left.TokensAt(l.now()) < 1
}

// tooManyYeses refuses somebody who agrees more often than anybody can read what is
// agreed to: a program in their name could fill the store for everybody.
func (l *Limits) tooManyYeses(who porterhouse.Principal) error {
	if l.agreed.takeKey(who.Key()) {
		return nil
	}
	return refuse("temporarily_unavailable", "you let programs in too often; try again in some minutes").as(http.StatusTooManyRequests)
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
