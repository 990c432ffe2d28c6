package identity

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxWaiting   = 1024            // for a turn at one host
	deadAfter    = 3               // timeouts in a row
	deadInterval = 5 * time.Second // between the single requests that try a dead host
)

// reason is an error whose text is ours alone, fit for a log whatever was asked.
type reason string

func (r reason) Error() string { return string(r) }

// host bounds what is under way to one host, and fails at once while it is dead:
// after some timeouts in a row, one request at a time tries whether it came back.
type host struct {
	turns   chan struct{}
	waiting atomic.Int64

	mu       sync.Mutex
	timeouts int       // in a row
	nextTry  time.Time // when dead
}

func newHost(turns int) *host { return &host{turns: make(chan struct{}, turns)} }

// enter waits for a turn, at most for patience; who got one must leave.
func (h *host) enter(ctx context.Context, patience time.Duration, now func() time.Time) error {
	if h.dead(now()) {
		return reason("it did not answer the last times; it is tried again every few seconds")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := h.turn(ctx); err != nil {
		return err
	}
	if !h.try(now()) { // it died while we waited
		<-h.turns
		return reason("it does not answer")
	}
	return nil
}

func (h *host) turn(ctx context.Context) error {
	select {
	case h.turns <- struct{}{}:
		return nil
	default:
	}
	if h.waiting.Add(1) > maxWaiting {
		h.waiting.Add(-1)
		return reason("too many requests wait for it")
	}
	defer h.waiting.Add(-1)
	select {
	case h.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return reason("no turn in time: it answers too slowly for what is asked of it")
	}
}

// dead reports whether the host is not to be asked now.
func (h *host) dead(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.timeouts >= deadAfter && now.Before(h.nextTry)
}

// isAtRest reports whether nobody asks, and there is nothing to be remembered.
func (h *host) isAtRest(now time.Time) bool {
	return len(h.turns) == 0 && h.waiting.Load() == 0 && !h.dead(now)
}

// try reports whether the host may be asked, and if it is dead, sees to it that
// nobody else tries for a while.
func (h *host) try(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timeouts < deadAfter {
		return true
	}
	if now.Before(h.nextTry) {
		return false
	}
	h.nextTry = now.Add(deadInterval)
	return true
}

// leave gives the turn back. What was seen of the host, if anything was, tells
// whether it is dead.
func (h *host) leave(now time.Time, timedOut, seen bool) {
	<-h.turns
	if !seen {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !timedOut {
		h.timeouts = 0
		return
	}
	h.timeouts++
	h.nextTry = now.Add(deadInterval)
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
