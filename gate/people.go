package gate

import (
	"context"
	"sync"
	"time"

	"porterhouse"
)

// People counts the questions that are under way, for each person and for each limit
// that people share. It lives as long as the process, so that new rules do not forget
// who is running what; other replicas have counts of their own. The zero People is
// ready for use.
//
// A question takes its places one after the other, its person's first and that of the
// rule that most people share last; all questions in the same order, so that no two
// wait for each other. Who waits holds the narrower places meanwhile.
type People struct {
	mu    sync.Mutex
	lines map[lineKey]*line // only those with something under way

	refused uint64
}

// lineKey names a line: a person's own, or that of a rule and whoever shares it.
type lineKey struct{ rule, subject string }

// place is what a question wants in one line.
type place struct {
	key    lineKey
	queue  Queue
	person string
	shared string // who shares the line, in words with a space before them; "": nobody
}

// personal is the place in a person's own queue.
func personal(person string, q Queue) place {
	return place{key: lineKey{subject: person}, queue: q, person: person}
}

// enter takes all the places, waiting where it must. The caller gives them back by
// calling leave, once. After an error none is taken.
func (p *People) enter(ctx context.Context, places ...place) (leave func(), err error) {
	for i, wanted := range places {
		if err := p.stand(ctx, wanted); err != nil {
			p.leave(places[:i])
			return nil, err
		}
	}
	return func() { p.leave(places) }, nil
}

// stand takes one place.
func (p *People) stand(ctx context.Context, wanted place) error {
	t, err := p.queue(wanted)
	if t == nil {
		return err
	}
	timer := time.NewTimer(wanted.queue.Wait)
	defer timer.Stop()
	late := false
	select {
	case <-t.called:
		return p.called(wanted, t)
	case <-ctx.Done():
		err = &porterhouse.Error{Kind: porterhouse.Canceled, Public: "the question was taken back while it waited for a place", Err: context.Cause(ctx)}
	case <-timer.C:
		late, err = true, wanted.tooMany("none of them ended within "+wanted.queue.Wait.String())
	}
	p.giveUp(wanted, t, late)
	return err
}

// queue takes a place at once (neither ticket nor error), or a ticket.
func (p *People) queue(wanted place) (*ticket, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines == nil {
		p.lines = make(map[lineKey]*line)
	}
	l := p.lines[wanted.key]
	if l == nil {
		l = &line{}
		p.lines[wanted.key] = l
	}
	t, ok := l.enter(wanted.person, wanted.queue)
	if !ok {
		p.refused++
		return nil, wanted.tooMany("and as many as may are waiting")
	}
	return t, nil
}

// called tells a place from being pushed out.
func (p *People) called(wanted place, t *ticket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.pushed {
		return nil
	}
	p.refused++
	return wanted.tooMany("and so many wait that the last of yours gave way to somebody who has fewer")
}

// giveUp leaves a line: refused when it took too long. A place that came in the same
// moment is passed on.
func (p *People) giveUp(wanted place, t *ticket, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late {
		p.refused++
	}
	l := p.lines[wanted.key]
	if l != nil && !l.remove(t) && !t.pushed {
		l.leave()
	}
	p.forget(wanted.key)
}

// leave gives places back, the widest first.
func (p *People) leave(places []place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(places) - 1; i >= 0; i-- {
		p.lines[places[i].key].leave()
		p.forget(places[i].key)
	}
}

// forget lets go of a line where nothing is under way.
func (p *People) forget(key lineKey) {
	if l := p.lines[key]; l != nil && l.running == 0 && l.waiting == 0 {
		delete(p.lines, key)
	}
}

// PeopleStats counts questions under way, over all people.
type PeopleStats struct {
	People, Running, Waiting int    // Waiting: in a queue, a person's or a rule's
	Refused                  uint64 // questions that found no place in time
}

// Stats returns the counts of this moment.
func (p *People) Stats() PeopleStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PeopleStats{Refused: p.refused}
	for key, l := range p.lines {
		s.Waiting += l.waiting
		if key.rule == "" {
			s.People++
			s.Running += l.running
		} else {
			s.Running -= l.waiting // who waits here has a place in their own queue
		}
	}
	return s
}
