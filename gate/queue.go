package gate

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"porterhouse"
)

// Queue bounds how many questions run at once: those of one person, or those that
// share a Rule.
type Queue struct {
	Running int           // questions that run at once
	Waiting int           // further ones that wait for a place; beyond them: refused
	Wait    time.Duration // how long one waits before it is refused
}

func (q Queue) check() error {
	if q.Running < 1 || q.Waiting < 0 || q.Wait <= 0 {
		return errors.New("a queue needs at least one running question, none or more waiting, and a time to wait")
	}
	return nil
}

// line is a Queue in use. Who waits is served in turn, person by person, and each
// person's questions in the order in which they came: a thousand questions of one
// person cost another no more than one. The caller holds the lock of People.
type line struct {
	Queue   // as the last comer knows it: rules can be made anew meanwhile
	running int
	waiting int
	turns   []*turn // of people who wait; the first is served next, and then goes to the end
}

// turn is one person's questions in a line.
type turn struct {
	person  string
	tickets []*ticket
}

// ticket is one question that waits.
type ticket struct {
	called chan struct{} // closed when its place is free, or it was pushed out
	pushed bool          // out, by somebody who has fewer questions in the line
}

// enter takes a place at once (a nil ticket), or a ticket; neither: the line is full.
func (l *line) enter(person string, q Queue) (t *ticket, ok bool) {
	l.Queue = q
	l.serve()
	if l.running < l.Running && l.waiting == 0 {
		l.running++
		return nil, true
	}
	if l.waiting >= l.Waiting && !l.pushOut(person) {
		return nil, false
	}
	t = &ticket{called: make(chan struct{})}
	own := l.turnOf(person)
	own.tickets = append(own.tickets, t)
	l.waiting++
	return t, true
}

// turnOf finds or makes the turn of a person.
func (l *line) turnOf(person string) *turn {
	i := slices.IndexFunc(l.turns, func(t *turn) bool { return t.person == person })
	if i < 0 {
		i = len(l.turns)
		l.turns = append(l.turns, &turn{person: person})
	}
	return l.turns[i]
}

// pushOut makes room for a person in a full line: whoever has most questions in it
// gives up the last one, if that is still not fewer than the newcomer has then.
func (l *line) pushOut(person string) bool {
	var most *turn
	own := 0
	for _, t := range l.turns {
		if most == nil || len(t.tickets) > len(most.tickets) {
			most = t
		}
		if t.person == person {
			own = len(t.tickets)
		}
	}
	if most == nil || len(most.tickets)-1 < own+1 {
		return false
	}
	last := most.tickets[len(most.tickets)-1]
	last.pushed = true
	l.remove(last)
	close(last.called)
	return true
}

// serve gives free places to those who wait.
func (l *line) serve() {
	for l.running < l.Running && l.waiting > 0 {
		next := l.turns[0]
		t := next.tickets[0]
		l.turns = append(l.turns[1:], next)
		l.remove(t)
		l.running++
		close(t.called)
	}
}

// leave gives a place back.
func (l *line) leave() {
	l.running--
	l.serve()
}

// remove takes a ticket out of the line, and reports false when it was not in it.
func (l *line) remove(gone *ticket) bool {
	for i, t := range l.turns {
		at := slices.Index(t.tickets, gone)
		if at < 0 {
			continue
		}
		t.tickets = slices.Delete(t.tickets, at, at+1)
		l.waiting--
		if len(t.tickets) == 0 {
			l.turns = slices.Delete(l.turns, i, i+1)
		}
		return true
	}
	return false
}

// tooMany says that there is no place, whose limit that is, and why it is none now.
func (p place) tooMany(detail string) error {
	who := "you have %d questions running, the most one person may have at once, %s; wait for one to end and ask again"
	args := []any{p.queue.Running, detail}
	if p.key.rule != "" {
		who = "the limit %q lets %d questions run at once%s, and so many do, %s; wait for one to end and ask again"
		args = []any{p.key.rule, p.queue.Running, p.shared, detail}
	}
	return limited(codeTooManyQueries, retrySoon, who, args...)
}

// retrySoon is when to ask again after a full queue: nobody knows when a question ends.
const retrySoon = time.Second

// limited is a refusal by a limit.
func limited(code int, retry time.Duration, format string, args ...any) *porterhouse.Error {
	return &porterhouse.Error{Kind: porterhouse.Limited, Public: fmt.Sprintf(format, args...), Code: code, RetryAfter: retry}
}
