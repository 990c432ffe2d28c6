package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"porterhouse"
	"porterhouse/blocks"
)

// Shadow says that some of what people read is asked again, in their own mode and in
// another one, and that the two answers are compared.
type Shadow struct {
	Mode  Mode    // ExecuteAs, Interserver or Verify, with what it needs in Access; "": nothing is compared
	Share float64 // of the statements that can be compared, at most 1; 0: 0.01

	// Room is for the blocks that are compared, of all clients that share it; nil: a room of
	// its own. See NewShadowRoom.
	Room *blocks.Room
}

// standardShare is how much is compared where nobody says how much.
const standardShare = 0.01

// Comparable reports whether answers in the mode can be compared with those in another
// one: whether the gateway needs nothing of a person's but the name, also when the person
// has gone. In Forward that is a token, in Static all are one account, and of Auto nobody
// knows before which mode it will be.
func (m Mode) Comparable() bool { return m == ExecuteAs || m == Interserver || m == Verify }

// Bounds of comparing. None of it is in the way of people: places, connections and
// memory are its own.
const (
	shadowWorkers = 2
	shadowQueue   = 64               // statements that wait
	shadowWait    = 30 * time.Second // until all is compared, from the person's answer on: what somebody may do is known for moments
	shadowTime    = 10 * time.Second // for one answer
	shadowMemory  = 128 << 20        // bytes of blocks that are being read, by all clients of a process
	summaryEvery  = time.Hour
)

// NewShadowRoom makes a room of 128 MiB, for Shadow.Room: what all comparisons of a process
// take together, however many servers there are.
func NewShadowRoom() *blocks.Room { return blocks.NewRoom(shadowMemory) }

// checkShadow refuses what cannot be compared.
func (c Config) checkShadow() error {
	s, mode := c.Shadow, cmp.Or(c.Access.Mode, ExecuteAs)
	switch {
	case s.Mode == "" && s.Share == 0:
		return nil
	case !(s.Share >= 0 && s.Share <= 1):
		return fmt.Errorf("clickhouse: a share of %v is compared: want 0 to 1", s.Share)
	case !s.Mode.Comparable() || !mode.Comparable():
		return fmt.Errorf("clickhouse: the access mode %s is compared with %q, and both have to be of %s, %s and %s", mode, s.Mode, ExecuteAs, Interserver, Verify)
	case s.Mode == mode:
		return fmt.Errorf("clickhouse: the access mode %s is compared with itself", mode)
	}
	return nil
}

// shadow compares two access modes, by what people ask in the first one:
//
//	Query ─▶ its own answer, closed ─▶ queue ─▶ who asks? ─▶ the statement, once in each mode (shadow_view.go)
//	   (shadow_follow.go)                         └──────────┴─▶ differ? ─▶ twice more (shadow_compare.go)
//	                                                               └─▶ log, counts, the last ones (shadow_report.go)
//
// It asks what somebody has just been let ask, as the same account and within the same
// limits, and only what reads.
type shadow struct {
	sides [2]side // in the mode of people's own statements, and in the other one
	share float64
	queue chan comparison
	room  *blocks.Room
	every time.Duration // summaryEvery

	people known[porterhouse.UserName, ShadowOutcome] // what comes of all that an account asks; ShadowSame: that is to be seen
	report shadowReport
}

// newShadow makes what Config.Shadow asks for, nil for nothing. It connects to nothing.
// What is compared goes to log.
func newShadow(c Config, log *slog.Logger) (*shadow, error) {
	if err := c.checkShadow(); err != nil || c.Shadow.Mode == "" {
		return nil, err
	}
	s := &shadow{
		share: cmp.Or(c.Shadow.Share, standardShare),
		queue: make(chan comparison, shadowQueue),
		room:  cmp.Or(c.Shadow.Room, NewShadowRoom()),
		every: summaryEvery,
	}
	s.report.modes, s.report.log = [2]Mode{cmp.Or(c.Access.Mode, ExecuteAs), c.Shadow.Mode}, log
	plain := c.Log // the clients name the host themselves
	c.Shadow, c.MaxConnections = Shadow{}, shadowWorkers
	for i, mode := range s.report.modes {
		c.Access.Mode, c.Log = mode, plain.With("compares", mode)
		client, err := New(c)
		if err != nil {
			return nil, err
		}
		s.sides[i] = side{client, mode}
	}
	return s, nil
}

// run compares until ctx ends.
func (s *shadow) run(ctx context.Context) {
	var work sync.WaitGroup
	for range shadowWorkers {
		work.Go(func() { s.work(ctx) })
	}
	s.report.run(ctx, s.every)
	work.Wait()
}

func (s *shadow) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-s.queue:
			s.settle(ctx, job)
		}
	}
}

// close lets go of all connections.
func (s *shadow) close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return errors.Join(s.sides[0].Close(ctx), s.sides[1].Close(ctx))
}
