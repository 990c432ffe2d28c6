package main

import (
	"context"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

// tidy gives back what a burst has left, until ctx ends. The collector is lazy (tune),
// so the garbage of the last burst, and the stacks that it has made large, would stay
// ours for minutes after the last request: 80 MB of 5,000 clients who have connected
// and are idle now.
func tidy(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	before := readHeap()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := readHeap()
		now.tidied = before.tidied
		if now.isWorthTidying(before) {
			debug.FreeOSMemory()
			now = readHeap()
			now.tidied = now.allocated
		}
		before = now
	}
}

const (
	tidyEvery = 2 * time.Second
	tidyQuiet = 2 << 20  // bytes allocated in that time: less is hardly anybody's work
	tidyWorth = 16 << 20 // bytes allocated since the last time
)

// heap is what the runtime has done so far.
type heap struct {
	collections uint64
	allocated   uint64 // bytes
	tidied      uint64 // of these, when memory was last given back
}

// isWorthTidying reports whether nobody was busy since before, so that nobody is held
// up, and there is something to give back.
func (h heap) isWorthTidying(before heap) bool {
	return h.collections == before.collections && h.allocated-before.allocated < tidyQuiet && h.allocated-h.tidied >= tidyWorth
}

func readHeap() heap {
	samples := []runtimemetrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}}
	runtimemetrics.Read(samples)
	return heap{collections: samples[0].Value.Uint64(), allocated: samples[1].Value.Uint64()}
}
