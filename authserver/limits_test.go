package authserver

import (
	"fmt"
	"testing"
	"time"
)

// One party is one IPv4 address, or the 64 bits of IPv6 that one party is given.
func TestNetwork(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1234":                "192.0.2.1",
		"192.0.2.1":                     "192.0.2.1",
		"[::ffff:192.0.2.1]:1234":       "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1234":   "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:0":      "2001:db8:1:2::/64",
		"2001:db8:1:3::1":               "2001:db8:1:3::/64",
		"[fe80::1%eth0]:1":              "fe80::/64",
		"":                              "",
		"not an address":                "",
		"192.0.2.1.evil.example:80":     "",
		"192.0.2.1:1234, 198.51.100.1:": "",
	} {
		if got := network(remote); got != want {
			t.Errorf("network(%q) is %q, want %q", remote, got, want)
		}
	}
}

// A network has its burst, then one in each interval; others are not held up.
func TestLimiter(t *testing.T) {
	now := time.Now()
	l := newLimiter(time.Minute, 3, func() time.Time { return now })
	for i := range 3 {
		if l.spentKey("192.0.2.1") || !l.take("192.0.2.1:1") {
			t.Fatalf("%d of 3 is refused", i+1)
		}
	}
	if l.take("192.0.2.1:2") || !l.spentKey("192.0.2.1") {
		t.Error("a fourth is allowed")
	}
	if !l.take("192.0.2.2:1") {
		t.Error("another network is held up")
	}
	now = now.Add(time.Minute)
	if !l.take("192.0.2.1:3") || l.take("192.0.2.1:3") {
		t.Error("after a minute there is not one more")
	}
}

// However many networks there are, few are remembered.
func TestLimiterIsBounded(t *testing.T) {
	l := newLimiter(time.Minute, 1, time.Now)
	for i := range 2 * maxNetworks {
		l.take(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	if n := len(l.left.entries); n != maxNetworks || l.left.order.Len() != n {
		t.Errorf("%d networks are remembered, %d in order; want %d", n, l.left.order.Len(), maxNetworks)
	}
}

func BenchmarkLimiter(b *testing.B) {
	l := newLimiter(time.Nanosecond, 1, time.Now)
	for i := 0; b.Loop(); i++ {
		l.take("10.0." + fmt.Sprint(i&255) + ".1:1")
	}
}
