package authenticator

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	freeFailures = 10                     // of one user or network in a minute, answered at once
	failureTime  = time.Minute            //
	failurePause = 100 * time.Millisecond // before each answer to one more failure …
	maxPause     = 500 * time.Millisecond // … and no more than this: ClickHouse would ask again
	maxCounted   = 10_000                 // users and networks counted apart; those beyond are not slowed by themselves
	maxPaused    = 256                    // answers that wait at one time; those beyond go at once
)

// Failures slow the answers to secrets that were looked at and are wrong, by user
// and by network. They hold up nobody whose secret is right: that is never asked
// here. Slowness cannot make guessing harder than 256 bits do; it makes it cheap
// for us. They outlive a configuration; the zero Failures are ready for use.
type Failures struct {
	mu      sync.Mutex
	since   time.Time
	counted map[string]int // since then

	paused atomic.Int64
}

// slow takes note of a failure and waits as long as its answer is to wait.
func (f *Failures) slow(ctx context.Context, now time.Time, user, remote string) {
	pause := f.pause(now, "user "+user, "network "+network(remote))
	if pause == 0 {
		return
	}
	if f.paused.Add(1) <= maxPaused {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	f.paused.Add(-1)
}

// pause counts one more failure under each key, and returns how long to wait.
func (f *Failures) pause(now time.Time, keys ...string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counted == nil || now.Sub(f.since) >= failureTime {
		f.since, f.counted = now, map[string]int{}
	}
	most := 0
	for _, key := range keys {
		if _, known := f.counted[key]; known || len(f.counted) < maxCounted {
			f.counted[key]++
		}
		most = max(most, f.counted[key])
	}
	return min(time.Duration(max(0, most-freeFailures))*failurePause, maxPause)
}

// network is the part of a remote address that one attacker can hardly leave: /24,
// or /48 of IPv6. What is no address is one network.
func network(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return "?"
	}
	bits := 48
	address := at.Addr().Unmap().WithZone("")
	if address.Is4() {
		bits = 24
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return "?"
	}
	return prefix.String()
}
