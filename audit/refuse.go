package audit

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"porterhouse"
)

const (
	refusalsEach = 10          // refusals of one person that get a line of their own in each foldTime
	maxPeople    = 1000        // whose refusals are counted apart
	foldTime     = time.Minute // how long refusals and attempts are counted before a line says how many
	maxTallied   = 16          // different things that a fold counts apart
)

// Refuse records a question that was never sent; beyond a rate for one person they
// are folded into one line. When the line cannot be written the refusal is counted
// for the folded line, and the error says why.
func (l *Log) Refuse(q Question, err error) error {
	l.mu.Lock()
	p := l.refusals.person(q.Who, l.now())
	l.stats.Refusals++
	admitted := p.admit(l.now())
	if !admitted {
		p.fold.add(l.now(), string(kindOf(err)))
	}
	l.mu.Unlock()
	if !admitted {
		return nil
	}

	body := l.bodies.Get().(*fields)
	defer l.bodies.Put(body)
	*body = (*body)[:0]
	q.write(body)
	writeError(body, err)
	writeReason(body, err)

	l.mu.Lock()
	defer l.mu.Unlock()
	failed := l.put(line{kind: kindRefuse, body: *body})
	if failed != nil {
		l.refusals.person(q.Who, l.now()).fold.add(l.now(), string(kindOf(err)))
	}
	return failed
}

func kindOf(err error) porterhouse.Kind {
	kind, _ := porterhouse.Explain(err)
	return kind
}

// writeReason adds the public half of an error, which may quote the statement.
func writeReason(body *fields, err error) {
	_, public := porterhouse.Explain(err)
	text, _ := mask(public)
	body.text("reason", text)
}

// refusals counts those that get no line of their own, for a bounded number of people.
type refusals struct {
	people map[string]*refused // by Principal.Key
	others refused             // everybody beyond maxPeople
}

// refused is what is known of one person's refusals.
type refused struct {
	who   porterhouse.Principal
	since time.Time // the first line of this foldTime
	lines int       // since then
	fold  fold
}

// person finds or makes the counter of who.
func (r *refusals) person(who porterhouse.Principal, now time.Time) *refused {
	if p, known := r.people[who.Key()]; known {
		return p
	}
	if len(r.people) >= maxPeople {
		return &r.others
	}
	if r.people == nil {
		r.people = make(map[string]*refused)
	}
	who.Token = porterhouse.Secret{}
	p := &refused{who: who, since: now}
	r.people[who.Key()] = p
	return p
}

// admit reports whether the next refusal gets a line of its own.
func (p *refused) admit(now time.Time) bool {
	if now.Sub(p.since) >= foldTime {
		p.since, p.lines = now, 0
	}
	p.lines++
	return p.lines <= refusalsEach
}

// line says how many were folded. Of everybody beyond maxPeople it names nobody.
func (p *refused) line() line {
	l := line{kind: kindFolded}
	writePerson(&l.body, p.who)
	p.fold.write(&l.body)
	return l
}

// fold counts what gets no line of its own.
type fold struct {
	count    uint64
	from, to time.Time
	by       map[string]uint64
}

// add counts one, under a word.
func (f *fold) add(now time.Time, word string) {
	if f.count == 0 {
		f.from, f.by = now, make(map[string]uint64)
	}
	f.count++
	f.to = now
	if _, known := f.by[word]; !known && len(f.by) >= maxTallied {
		word = "other"
	}
	f.by[word]++
}

// due reports whether it has counted since before a time.
func (f *fold) due(before time.Time) bool { return f.count > 0 && !f.from.After(before) }

// write adds the counts to a line.
func (f *fold) write(body *fields) {
	body.moment("from", f.from)
	body.moment("to", f.to)
	body.count("count", int64(f.count))
	body.name("by")
	*body = append(*body, '{')
	for i, word := range slices.Sorted(maps.Keys(f.by)) {
		if i > 0 {
			*body = append(*body, ',')
		}
		*body = appendQuoted(*body, shortened(word, maxText))
		*body = append(*body, ':')
		*body = strconv.AppendUint(*body, f.by[word], 10)
	}
	*body = append(*body, '}')
}

// fold writes what was counted since before a time, and forgets people who have
// been quiet since. What cannot be written is counted on.
func (l *Log) fold(before time.Time) {
	done := func(f *fold, says func() line) bool {
		if !f.due(before) {
			return true
		}
		if l.put(says()) != nil {
			return false
		}
		*f = fold{}
		return true
	}
	r := &l.refusals
	for key, p := range r.people {
		if !done(&p.fold, p.line) {
			return
		}
		if p.fold.count == 0 && !p.since.After(before) {
			delete(r.people, key)
		}
	}
	if done(&r.others.fold, r.others.line) {
		done(&l.attempts.fold, l.attempts.line)
	}
}
