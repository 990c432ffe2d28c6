package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// A failure weighs much for whom it befell, little for others, and is forgotten.
func TestTroublesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := &troubles{begun: time.Now()}
		alice, bob := hashOf("alice"), hashOf("bob")
		want := func(when string, hers, his int64) {
			t.Helper()
			if a, b := all.weight(alice), all.weight(bob); a != hers || b != his {
				t.Errorf("%s it weighs %d for her and %d for him, want %d and %d", when, a, b, hers, his)
			}
		}
		want("before anything", 0, 0)
		all.note(alice)
		want("at once", 31, 1)
		time.Sleep(time.Second)
		want("after a second", 15, 0)
		time.Sleep(4 * time.Second)
		want("after five", 0, 0)
		for i := range 20 {
			all.note(hashOf(fmt.Sprint("person-", i)))
		}
		want("when it has failed many", 1023, 1023)
		time.Sleep(5 * time.Second)
		want("five seconds later", 31, 31)
		all.found()
		want("when a check has met it", 1023, 1023)
		time.Sleep(maxTrouble)
		want("in the end", 0, 0)
	})
}

// However often a person's statements fail, and however many at once, nobody else is
// turned away by more than one statement under way would.
func TestNobodyMakesTroubleForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := &troubles{begun: time.Now()}
		mallory, bob := hashOf("mallory"), hashOf("bob")
		for range 600 {
			var work sync.WaitGroup
			for range 20 {
				work.Go(func() { all.note(mallory) })
			}
			work.Wait()
			if n := all.weight(bob); n > 1 {
				t.Fatalf("it weighs %d for somebody else", n)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		for range 100 { // as patient as can be
			all.note(mallory)
			time.Sleep(ownTrouble)
			if n := all.weight(bob); n > 0 {
				t.Fatalf("it weighs %d for somebody else, and is over", n)
			}
		}
	})
}

// Whoever shares a place in the table with somebody shares nothing else.
func TestTroublesAreTheirOwners(t *testing.T) {
	all := &troubles{begun: time.Now()}
	one := hashOf("alice")
	other := one ^ 1<<63 // the same place
	all.note(one)
	if a, b := all.weight(one), all.weight(other); a != 31 || b != 1 {
		t.Errorf("it weighs %d for the one and %d for the other", a, b)
	}
}

// The server's own troubles are told from what a person has set, asked or made.
func TestWhoseFault(t *testing.T) {
	said := func(code int, message string) error {
		e := porterhouse.Exception{Code: code, Message: message}
		kind, public := judge(e)
		return &porterhouse.Error{Kind: kind, Public: public, Err: &cause{e, ""}}
	}
	for _, test := range []struct {
		err     error
		servers bool
	}{
		{said(202, "Too many simultaneous queries. Maximum: 100"), true},
		{said(202, "Too many simultaneous select queries. Maximum: 100, current: 100"), true},
		{said(202, "Too many simultaneous queries for user alice. Current: 3, maximum: 3"), false},
		{said(202, "Too many simultaneous queries for all users. Current: 3, maximum: 3"), false},
		{said(241, "(total) memory limit exceeded: would use 2.64 GiB, maximum: 2.64 GiB"), true},
		{said(241, "Memory limit (total) exceeded: would use 9.32 GiB, maximum: 9.31 GiB"), true},
		{said(241, "Query memory limit exceeded: would use 13.58 MiB"), false},
		{said(241, "User memory limit exceeded: would use 13.58 MiB"), false},
		{said(241, "Received from other:9000. DB::Exception: (total) memory limit exceeded"), false},
		{said(242, "Table is in readonly mode (replica path: /clickhouse/tables/01/t/replicas/1)"), true},
		{said(242, "Table is in readonly mode due to static storage"), false},
		{said(252, "Too many parts (300). Merges are processing significantly slower than inserts"), true},
		{said(252, "Too many partitions for single INSERT block (more than 100)"), false},
		{said(999, "Session expired"), true},
		{said(159, "Timeout exceeded: elapsed 1000 ms, maximum: 1000 ms"), false},
		{said(201, "Quota for user alice has been exceeded"), false},
		{said(210, "Connection refused (other:9000)"), false},
		{said(279, "All connection tries failed"), false},
		{said(60, "Unknown table"), false},
		{&porterhouse.Error{Kind: porterhouse.Unavailable, Public: gatewayRefused, Err: &cause{porterhouse.Exception{Code: 516}, ""}}, true},
		{&porterhouse.Error{Kind: porterhouse.Unavailable, Public: lost, Err: unanswered{errors.New("EOF")}}, true},
		{notClickHouse(&response{status: 502}), true},
		{unreached(errors.New("refused")), true},
		{&porterhouse.Error{Kind: porterhouse.Timeout}, true},
		{&porterhouse.Error{Kind: porterhouse.Canceled}, false},
		{&porterhouse.Error{Kind: porterhouse.Refused}, false},
	} {
		if isServers(test.err) != test.servers {
			t.Errorf("%v: the server's is %v", test.err, !test.servers)
		}
	}
}

// When all servers are too slow, none of them gets all there is.
func TestSlowServersShare(t *testing.T) {
	c := newStreet(t, 3)
	for _, h := range c.hosts {
		h.health.miss(errors.Join(unanswered{errors.New("i/o timeout")}, context.DeadlineExceeded))
	}
	for i := range 300 {
		c.choose("alice", 0).underway.begin(porterhouse.UserName{}, fmt.Sprint(i))
	}
	for _, h := range c.hosts {
		if n := h.underway.count.Load(); n != 100 {
			t.Errorf("%s has %d of 300", h.target.address, n)
		}
	}
	c.hosts[1].health.back()
	if at := c.choose("alice", 0); at.bit != c.hosts[1].bit {
		t.Errorf("one is in service, and %s was chosen", at.target.address)
	}
}
