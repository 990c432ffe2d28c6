package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"porterhouse"
)

// flight is a first look with one person, shared by all of that person's questions.
//
// What it finds to work is everybody's, and so is that ClickHouse was not reached. Any
// other failure may be for want of something that only this account lacks, so others
// look for themselves: a few at once, the others in turn.
//
// A failure is good for a while; that ClickHouse was not reached only for those who waited
// meanwhile: it may be back, and be the only server that can answer. Whoever comes later
// has one look made, by one at a time.
type flight struct {
	begun time.Time
	done  chan struct{}
	lane  *lane     // when done
	err   error     // when done
	ended time.Time // when done
}

const (
	// lookAgain is how long a first look is good that reached ClickHouse and found nothing.
	lookAgain = 3 * time.Second

	// looksAtOnce is how many people are looked with at once, before a lane was found.
	looksAtOnce = 4

	// flightTime bounds a first look, and the wait for its turn.
	flightTime = 10 * time.Second
)

// noLane is what a person is told when nothing works.
const noLane = "Porterhouse has found no way in which ClickHouse lets you in as yourself; try again in a moment, and tell the operator if it lasts"

// first returns the lane that a look with that person finds, or one that is under way. The
// person waits for it no longer than atMost.
func (a *auto) first(ctx context.Context, person porterhouse.UserName, atMost time.Duration) (*lane, error) {
	f := a.fly(context.WithoutCancel(ctx), person)
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	select {
	case <-f.done:
		return f.lane, f.err
	case <-ctx.Done():
		kind, public := porterhouse.Explain(ctx.Err())
		return nil, &porterhouse.Error{Kind: kind, Public: public, Err: ctx.Err()}
	}
}

// fly returns the first look with a person that is under way, or begins one. It ends by
// itself: see flightTime.
func (a *auto) fly(ctx context.Context, person porterhouse.UserName) *flight {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.flights, func(_ porterhouse.UserName, f *flight) bool { return f.isOver() })
	if f := a.flights[person]; f != nil {
		return f
	}
	f := &flight{begun: time.Now(), done: make(chan struct{})}
	a.flights[person] = f
	turns := a.places
	if isUnsent(a.away.err) {
		turns = a.alone
	}
	go func() {
		f.lane, f.err = a.inTurn(ctx, turns, f.begun, person)
		f.ended = time.Now()
		close(f.done)
	}()
	return f
}

// isOver reports whether what a flight has found is so old that it says nothing.
func (f *flight) isOver() bool {
	select {
	case <-f.done:
		return isUnsent(f.err) || time.Since(f.ended) >= lookAgain
	default:
		return false
	}
}

// inTurn looks with a person when it is their turn, unless somebody else's look has made
// that needless.
func (a *auto) inTurn(ctx context.Context, turns chan struct{}, begun time.Time, person porterhouse.UserName) (*lane, error) {
	ctx, cancel := context.WithTimeout(ctx, flightTime)
	defer cancel()
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return nil, &porterhouse.Error{Kind: porterhouse.Unavailable, Public: noLane, Err: errors.New("too many people were looked with at once")}
	}
	if l, err := a.found(begun); l != nil || err != nil {
		return l, err
	}
	return a.look(ctx, person)
}

// failure is why nothing works, for whoever asks.
type failure struct {
	err error // nil: there was none
	at  time.Time
}

// found is what others' looks have found that holds for everybody who has waited since
// begun, if they have.
func (a *auto) found(begun time.Time) (*lane, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.client.lane.Load()
	if l == nil && a.away.holds(begun) {
		return nil, a.away.err
	}
	return l, nil
}

// holds reports whether it is the answer to a question that came then.
func (f failure) holds(came time.Time) bool {
	if isUnsent(f.err) {
		return f.at.After(came)
	}
	return time.Since(f.at) < lookAgain
}

// look looks with a person, and puts the lane that it finds into its place, unless
// somebody beside was faster and has found one that is as good.
func (a *auto) look(ctx context.Context, person porterhouse.UserName) (*lane, error) {
	f, mode, why := a.choose(ctx, person)
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.client.lane.Load(); now != nil && !better(mode, now.mode) {
		return now, nil
	}
	if mode != "" {
		return a.put(f, mode, why), nil
	}
	a.client.log.Warn("no access mode was found to work", "why", why, "person", person)
	err := &porterhouse.Error{Kind: porterhouse.Unavailable, Public: noLane, Err: fmt.Errorf("looked for an access mode: %s", why)}
	if !f.Reached.Works() {
		err.Err = unsent{err.Err}
	}
	a.away = failure{}
	if a.isEverybodys(f) {
		a.away = failure{err, time.Now()}
	}
	return nil, err
}

// isEverybodys reports whether a look would have failed with anybody: ClickHouse was not
// reached, or there is nothing to try that depends on the account.
func (a *auto) isEverybodys(f Facts) bool {
	return !f.Reached.Works() || a.config.Access.Mint == nil && a.config.Access.Cluster == ""
}
