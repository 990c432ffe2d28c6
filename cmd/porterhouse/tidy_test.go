package main

import (
	"runtime"
	"testing"
)

// Memory is given back when nobody is busy and there is some to give, once.
func TestTidy(t *testing.T) {
	const mega = 1 << 20
	before := heap{collections: 5, allocated: 100 * mega, tidied: 50 * mega}
	for _, test := range []struct {
		name string
		now  heap
		want bool
	}{
		{"after a burst", heap{5, 100 * mega, 50 * mega}, true},
		{"with a trickle of requests", heap{5, 101 * mega, 50 * mega}, true},
		{"in the middle of it", heap{5, 110 * mega, 50 * mega}, false},
		{"just collected", heap{6, 100 * mega, 50 * mega}, false},
		{"when it was done a moment ago", heap{5, 100 * mega, 100 * mega}, false},
	} {
		if got := test.now.isWorthTidying(before); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	was := readHeap()
	kept := make([]byte, mega)
	runtime.GC()
	if now := readHeap(); now.collections <= was.collections || now.allocated < was.allocated+mega {
		t.Errorf("after a collection %+v, before it %+v", now, was)
	}
	runtime.KeepAlive(kept)
}
