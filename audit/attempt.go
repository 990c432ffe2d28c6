package audit

import (
	"net/netip"
	"time"
)

// samplesEach is how many unauthenticated attempts get a line of their own in each
// foldTime, of all doors together; so anybody who floods a door makes at most these
// lines and one that counts the rest.
const samplesEach = 5

// Attempt is somebody whom no token proved.
type Attempt struct {
	Door, Remote string // Remote is an address, with or without a port
	Err          error
	Times        uint64 // how often it was made; 0: once
}

// Unauthenticated counts an attempt and records a sample: the first from a door
// and a network, as long as there are few.
func (l *Log) Unauthenticated(a Attempt) {
	times := max(1, a.Times)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Unauthenticated += times
	if l.closed {
		return
	}
	now := l.now()
	if l.attempts.sample(a, now) && l.put(a.line()) == nil {
		times--
	}
	l.attempts.fold.add(now, a.Door, times)
}

func (a Attempt) line() line {
	l := line{kind: kindUnauthenticated}
	l.body.text("door", a.Door)
	l.body.text("remote", a.Remote)
	if a.Err != nil {
		l.body.text("error", string(kindOf(a.Err)))
		l.body.text("reason", reasonOf(a.Err))
	}
	return l
}

// attempts counts those that get no line of their own.
type attempts struct {
	since   time.Time
	sampled [samplesEach]string // doors and networks, since then
	samples int
	fold    fold
}

// sample reports whether the attempt gets a line of its own.
func (t *attempts) sample(a Attempt, now time.Time) bool {
	if now.Sub(t.since) >= foldTime {
		t.since, t.samples = now, 0
	}
	from := a.Door + " " + network(a.Remote)
	for _, seen := range t.sampled[:t.samples] {
		if seen == from {
			return false
		}
	}
	if t.samples == samplesEach {
		return false
	}
	t.sampled[t.samples] = from
	t.samples++
	return true
}

// line says how many got none.
func (t *attempts) line() line {
	l := line{kind: kindUnauthenticated}
	t.fold.write(&l.body)
	return l
}

// network is the part of a remote address that one attacker can hardly leave: /24,
// or /48 of IPv6. What is no address is one network.
func network(remote string) string {
	address, err := netip.ParseAddr(remote)
	if withPort, bad := netip.ParseAddrPort(remote); bad == nil {
		address, err = withPort.Addr(), nil
	}
	if err != nil {
		return "?"
	}
	bits := 48
	if address = address.Unmap(); address.Is4() {
		bits = 24
	}
	prefix, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return "?"
	}
	return prefix.String()
}
