package audit

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strconv"
	"time"

	"porterhouse"
)

const (
	refusalsEach = 10          // refusals of one person that get a line of their own in each foldTime
	reasonsEach  = 20          // more that get one because their reason is new
	maxPeople    = 1000        // whose refusals are counted apart
	foldTime     = time.Minute // how long refusals and attempts are counted before a line says how many
	maxTallied   = 16          // different things that a fold counts apart
)

// Refuse records a question that was never sent; beyond a rate for one person they
// are folded into one line, but the first of each reason has its own: cheap refusals
// must not hide a telling one. When the line cannot be written the refusal is counted
// for the folded line, and the error says why.
func (l *Log) Refuse(q Question, err error) error {
	why := reasonOf(err)
	l.mu.Lock()
	p := l.refusals.person(q.Who, l.now())
	l.stats.Refusals++
	admitted := p.admit(l.now(), kindOf(err), why)
	if !admitted {
		p.fold.add(l.now(), string(kindOf(err)), 1)
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
	body.text("reason", why)

	l.mu.Lock()
	defer l.mu.Unlock()
	failed := l.put(line{kind: kindRefuse, body: *body})
	if failed != nil {
		l.refusals.person(q.Who, l.now()).fold.add(l.now(), string(kindOf(err)), 1)
	}
	return failed
}

func kindOf(err error) porterhouse.Kind {
	kind, _ := porterhouse.Explain(err)
	return kind
}

// reasonOf is the public half of an error, masked: it may quote the statement.
func reasonOf(err error) string {
	_, public := porterhouse.Explain(err)
	text, _ := mask(public)
	return text
}

// refusals counts those that get no line of their own, for a bounded number of people.
type refusals struct {
	people map[string]*refused // by Principal.Key
	others refused             // everybody beyond maxPeople
}

// refused is what is known of one person's refusals.
type refused struct {
	who   porterhouse.Principal
	since time.Time                      // the first line of this foldTime
	lines int                            // since then
	kinds map[porterhouse.Kind]struct{}  // since then
	whys  map[[sha256.Size]byte]struct{} // digests of reasons since then; bounded
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

// admit reports whether the next refusal gets a line of its own: the first few, and
// then the first of each kind, and of each reason up to a number.
func (p *refused) admit(now time.Time, kind porterhouse.Kind, reason string) bool {
	if p.whys == nil || now.Sub(p.since) >= foldTime {
		p.since, p.lines = now, 0
		p.kinds = make(map[porterhouse.Kind]struct{})
		p.whys = make(map[[sha256.Size]byte]struct{})
	}
	p.lines++
	fresh := p.isNew(kind, reason)
	return p.lines <= refusalsEach || fresh
}

// isNew takes note of a kind and a reason, and reports whether one was not seen.
func (p *refused) isNew(kind porterhouse.Kind, reason string) bool {
	_, knownKind := p.kinds[kind]
	p.kinds[kind] = struct{}{}
	why := sha256.Sum256([]byte(reason))
	_, knownReason := p.whys[why]
	if !knownReason && len(p.whys) < refusalsEach+reasonsEach {
		p.whys[why] = struct{}{}
		return true
	}
	return !knownKind
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

// add counts some, under a word.
func (f *fold) add(now time.Time, word string, times uint64) {
	if times == 0 {
		return
	}
	if f.count == 0 {
		f.from, f.by = now, make(map[string]uint64)
	}
	f.count += times
	f.to = now
	if _, known := f.by[word]; !known && len(f.by) >= maxTallied {
		word = "other"
	}
	f.by[word] += times
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
	if done(&r.others.fold, r.others.line) && done(&l.attempts.fold, l.attempts.line) {
		done(&l.strangers.fold, l.strangers.line)
	}
}
