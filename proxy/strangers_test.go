package proxy

import (
	"fmt"
	"testing"
	"time"
)

func TestStrangers(t *testing.T) {
	s, now := NewStrangers(), time.Unix(1_000_000, 0)
	const attacker, neighbour, elsewhere = "192.0.2.1:1000", "192.0.2.77:2000", "198.51.100.1:1000"
	good, fresh, bad := s.mark(credential{"", "good"}), s.mark(credential{"", "fresh"}), s.mark(credential{"", "bad"})
	s.proved(now, good)
	for i := range freeFailures {
		if wait := s.wait(now, attacker, bad); wait != 0 {
			t.Fatalf("has to wait %v after %d failures", wait, i)
		}
		s.failed(now, attacker, bad)
	}
	s.failed(now, attacker, bad)
	if wait := s.wait(now, attacker, bad); wait != oneMore {
		t.Errorf("waits %v after too many failures", wait)
	}
	if wait := s.wait(now, neighbour, fresh); wait != oneMore {
		t.Errorf("a token that nobody knows waits %v in the same network", wait)
	}
	if wait := s.wait(now, neighbour, good); wait != 0 {
		t.Errorf("a token that was good waits %v", wait)
	}
	if wait := s.wait(now, elsewhere, bad); wait != 0 {
		t.Errorf("another network waits %v", wait)
	}
	if wait := s.wait(now.Add(oneMore), attacker, bad); wait != 0 {
		t.Errorf("waits %v when the time is over", wait)
	}
	s.failed(now, elsewhere, good)
	if wait := s.wait(now, attacker, good); wait == 0 {
		t.Error("a token that is not good any more does not wait")
	}
	if wait := s.wait(now.Add(provedTime), attacker, good); wait != 0 {
		t.Errorf("everything is forgotten, and it waits %v", wait)
	}
}

// Whoever comes from everywhere fills no memory.
func TestStrangersAreBounded(t *testing.T) {
	s, now := NewStrangers(), time.Unix(1_000_000, 0)
	for i := range maxNetworks + 100 {
		s.failed(now, fmt.Sprintf("%d.%d.%d.1:1", 1+i>>16, i>>8&255, i&255), 1)
	}
	for i := range maxProved + 100 {
		s.proved(now, uint64(i))
	}
	if len(s.networks) > maxNetworks || len(s.known) > maxProved {
		t.Errorf("%d networks, %d marks", len(s.networks), len(s.known))
	}
}

func TestNetwork(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.77:1":          "192.0.2.0/24",
		"[::ffff:192.0.2.77]:1": "192.0.2.0/24",
		"[2001:db8:1:2::3]:1":   "2001:db8:1::/48",
		"[fe80::1%eth0]:1":      "fe80::/48",
		"somewhere":             "invalid Prefix",
	} {
		if got := network(remote).String(); got != want {
			t.Errorf("%s is in %s, want %s", remote, got, want)
		}
	}
}
