package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// cell is one measurement: a target under a workload at a concurrency. It is
// made of many short turns, one in each round, between those of the others, so
// that a noisy neighbour hurts all alike.
type cell struct {
	target      *target
	workload    *workload
	concurrency int
	turns       []turn
	calls       int // all of them, those that only warm up included
}

// turn is what one slice of time gave.
type turn struct {
	from, to  time.Time
	latencies []time.Duration // of every call, sorted
	bytes     int             // of an answer
	used      usage
	counted   counts
}

// perSecond is the turn's throughput.
func (t turn) perSecond() float64 { return float64(len(t.latencies)) / t.to.Sub(t.from).Seconds() }

// usage is CPU time: of the target's process, of ClickHouse and of this one.
type usage struct{ server, database, own time.Duration }

func (u usage) since(before usage) usage {
	return usage{u.server - before.server, u.database - before.database, u.own - before.own}
}

func (u usage) plus(more usage) usage {
	return usage{u.server + more.server, u.database + more.database, u.own + more.own}
}

// counts are what the target made ClickHouse do: the connections that
// ClickHouse accepted, and the target's own account.
type counts struct {
	connections int
	told        counters // by the target itself
}

// load makes turns.
type load struct {
	database *database
	warm     time.Duration // before each slice
	slice    time.Duration
}

// block is all targets under one workload at one concurrency, the reference
// first. Their turns of one round follow one another directly.
type block []*cell

// rounds goes over all blocks again and again. In each round another target
// of a block begins.
func (l load) rounds(ctx context.Context, n int, blocks []block, progress func(round int)) error {
	for round := range n {
		progress(round)
		for _, b := range blocks {
			for i := range b {
				if err := l.turn(ctx, b[(i+round)%len(b)]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// turn measures c for one slice. Connections and sessions are opened and warm
// before it begins.
func (l load) turn(ctx context.Context, c *cell) (err error) {
	clients := make([]*client, 0, c.concurrency)
	defer func() {
		for _, client := range clients {
			err = errors.Join(err, client.leave(ctx))
		}
	}()
	for n := range c.concurrency {
		client, err := open(ctx, c.target, n, c.workload)
		if err != nil {
			return err
		}
		clients = append(clients, client)
	}
	warm, err := callUntil(ctx, clients, l.warm)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", c.target.name, c.workload.name, err)
	}
	t, err := l.measure(ctx, c.target, clients)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", c.target.name, c.workload.name, err)
	}
	c.calls += c.concurrency + len(warm) + len(t.latencies)
	c.turns = append(c.turns, t)
	return nil
}

// measure runs the clients for the slice, and reads all that is counted before
// and after it: CPU times right next to it, because reading the others costs some.
func (l load) measure(ctx context.Context, of *target, clients []*client) (turn, error) {
	countedBefore, err := l.counts(ctx, of)
	if err != nil {
		return turn{}, err
	}
	usedBefore, err := l.usage(of)
	if err != nil {
		return turn{}, err
	}
	t := turn{bytes: clients[0].size, from: time.Now()}
	if t.latencies, err = callUntil(ctx, clients, l.slice); err != nil {
		return turn{}, err
	}
	t.to = time.Now()
	used, err := l.usage(of)
	if err != nil {
		return turn{}, err
	}
	counted, err := l.counts(ctx, of)
	if err != nil {
		return turn{}, err
	}
	t.used = used.since(usedBefore)
	t.counted.connections = counted.connections - countedBefore.connections
	t.counted.told = counted.told.since(countedBefore.told)
	return t, nil
}

func (l load) usage(of *target) (usage, error) {
	server, err1 := cpuTime(of.pid)
	database, err2 := cpuTime(l.database.pid)
	own, err3 := ownCPUTime()
	return usage{server, database, own}, errors.Join(err1, err2, err3)
}

func (l load) counts(ctx context.Context, of *target) (counts, error) {
	connections, err1 := l.database.connections(ctx)
	told, err2 := readCounters(ctx, of)
	return counts{connections, told}, errors.Join(err1, err2)
}

// callUntil lets every client call again and again until the time is over, and
// returns the sorted latencies of all. The first failure ends it: figures of a
// server that fails are figures of something else.
func callUntil(ctx context.Context, clients []*client, d time.Duration) ([]time.Duration, error) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	latencies := make([][]time.Duration, len(clients))
	errs := make([]error, len(clients))
	end := time.Now().Add(d)
	var wait sync.WaitGroup
	for i, c := range clients {
		wait.Go(func() {
			if latencies[i], errs[i] = c.loop(working, end); errs[i] != nil {
				stop()
			}
		})
	}
	wait.Wait()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return nil, err
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return all, nil
}

// loop calls until end, or until ctx does.
func (c *client) loop(ctx context.Context, end time.Time) ([]time.Duration, error) {
	latencies := make([]time.Duration, 0, 4096)
	for before := time.Now(); before.Before(end) && ctx.Err() == nil; {
		if err := c.again(ctx); err != nil {
			return nil, err
		}
		now := time.Now()
		latencies = append(latencies, now.Sub(before))
		before = now
	}
	return latencies, nil
}
