package audit

// Stats counts what was recorded since Open.
type Stats struct {
	Questions       uint64 // asked
	Refusals        uint64 // folded ones included
	Unauthenticated uint64 // counted ones included
	Failures        uint64 // attempts to write or to sync that failed

	Open    int  // questions that are open
	Waiting int  // lines that are kept until they can be written
	Failing bool // the last attempt failed: nothing can be asked just now
}

// Stats returns the counts so far.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats.with(l.w, &l.writing, &l.syncing)
}

// with completes the counts by what w has open, and by what fails.
func (s Stats) with(w *writer, writing, syncing *trouble) Stats {
	s.Failures += writing.total + syncing.total
	s.Failing = writing.lasts() || syncing.lasts()
	s.Open, s.Waiting = len(w.open), len(w.waiting)
	return s
}

// body is what a mark and the last line of a writer say.
func (s Stats) body() (body fields) {
	body.count("open", int64(s.Open))
	body.count("questions", int64(s.Questions))
	body.count("refusals", int64(s.Refusals))
	body.count("unauthenticated", int64(s.Unauthenticated))
	body.count("failures", int64(s.Failures))
	return body
}
