package gate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"porterhouse"
)

// Queue bounds how many questions one person has at ClickHouse at once.
type Queue struct {
	Running int           // questions of one person that run at once
	Waiting int           // further ones that wait for a place; beyond them: refused
	Wait    time.Duration // how long one waits before it is refused
}

func (q Queue) check() error {
	if q.Running < 1 || q.Waiting < 0 || q.Wait <= 0 {
		return errors.New("gate: a person's queue needs at least one running question, none or more waiting, and a time to wait")
	}
	return nil
}

// People counts the questions that each person has under way. It lives as long
// as the process, so that new rules do not forget who is running what. The zero
// People is ready for use.
type People struct {
	mu     sync.Mutex
	places map[string]*places // only of people with something under way

	refused uint64
}

// places are those of one person: taken ones, and a first-come queue for more.
type places struct {
	running int
	waiting []chan struct{} // closed when its owner has got the place
}

// enter takes a place for the person, waiting in the queue where it must. The
// caller gives the place back by calling leave, once.
func (p *People) enter(ctx context.Context, person string, q Queue) (leave func(), err error) {
	turn, err := p.line(person, q)
	if err != nil {
		return nil, err
	}
	leave = func() { p.leave(person) }
	if turn == nil {
		return leave, nil
	}
	timer := time.NewTimer(q.Wait)
	defer timer.Stop()
	late := false
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
		err = &porterhouse.Error{Kind: porterhouse.Canceled, Public: "the question was taken back while it waited for a place", Err: context.Cause(ctx)}
	case <-timer.C:
		late, err = true, tooMany(q, "none of them ended within "+q.Wait.String())
	}
	if !p.giveUp(person, turn, late) {
		leave() // the place came in the same moment: pass it on
	}
	return nil, err
}

// line takes a place at once (a nil turn) or a place in the queue.
func (p *People) line(person string, q Queue) (turn chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.places == nil {
		p.places = make(map[string]*places)
	}
	own := p.places[person]
	if own == nil {
		own = &places{}
		p.places[person] = own
	}
	switch {
	case own.running < q.Running:
		own.running++
		return nil, nil
	case len(own.waiting) >= q.Waiting:
		p.refused++
		return nil, tooMany(q, "and as many as may are waiting")
	}
	turn = make(chan struct{})
	own.waiting = append(own.waiting, turn)
	return turn, nil
}

// leave gives the place to whoever waits longest, or frees it.
func (p *People) leave(person string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.places[person]
	if len(own.waiting) > 0 {
		close(own.waiting[0])
		own.waiting = own.waiting[1:]
		return
	}
	if own.running--; own.running == 0 {
		delete(p.places, person)
	}
}

// giveUp leaves the queue: refused when it took too long. It reports false when
// the place had just been given.
func (p *People) giveUp(person string, turn chan struct{}, late bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late {
		p.refused++
	}
	own := p.places[person]
	i := slices.Index(own.waiting, turn)
	if i < 0 {
		return false
	}
	own.waiting = slices.Delete(own.waiting, i, i+1)
	return true
}

func tooMany(q Queue, detail string) error {
	return porterhouse.Errorf(porterhouse.Limited,
		"you have %d questions running, the most one person may have at once, %s; wait for one to end and ask again", q.Running, detail)
}

// PeopleStats counts questions under way, over all people.
type PeopleStats struct {
	People, Running, Waiting int
	Refused                  uint64 // questions that found no place in time
}

// Stats returns the counts of this moment.
func (p *People) Stats() PeopleStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PeopleStats{People: len(p.places), Refused: p.refused}
	for _, own := range p.places {
		s.Running += own.running
		s.Waiting += len(own.waiting)
	}
	return s
}
