package clickhouse

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"hash/maphash"
	"io"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/blocks"
)

// ShadowOutcome is what came of a statement that was to be compared.
type ShadowOutcome string

// The outcomes.
const (
	ShadowSame      ShadowOutcome = "same"
	ShadowDifferent ShadowOutcome = "different" // each mode the same way, three times
	ShadowUnstable  ShadowOutcome = "unstable"  // one mode was not even like itself
	ShadowSkipped   ShadowOutcome = "skipped"   // it cannot be compared, or has values that nobody here can print
	ShadowDropped   ShadowOutcome = "dropped"   // there was no time for it
	ShadowTooLarge  ShadowOutcome = "too_large" // or too slow
	ShadowFailed    ShadowOutcome = "failed"    // ClickHouse was not reached, or not understood
)

// ShadowOutcomes are all of them.
var ShadowOutcomes = [...]ShadowOutcome{ShadowSame, ShadowDifferent, ShadowUnstable, ShadowSkipped, ShadowDropped, ShadowTooLarge, ShadowFailed}

// confirmations is how often both modes are asked again when they differ. Rows that come
// in no order, cut by a LIMIT, differ by chance: one more time would not tell it.
const confirmations = 2

// settle compares one statement, and reports what came of it.
func (s *shadow) settle(ctx context.Context, job comparison) {
	if time.Since(job.asked) > shadowWait {
		s.report.count(ShadowDropped)
		return
	}
	outcome, err := s.compare(ctx, job)
	if ctx.Err() != nil {
		outcome, err = ShadowDropped, nil
	}
	s.report.count(outcome)
	s.report.tellFailure(outcome, job, err)
}

// compare compares who asks, and then the statement's answers.
func (s *shadow) compare(ctx context.Context, job comparison) (ShadowOutcome, error) {
	if s.isAnother(ctx, job) {
		return ShadowDifferent, nil
	}
	seed := maphash.MakeSeed()
	a, b, outcome, err := s.views(func(side int) (view, error) {
		v, err := newViewer(seed, s.room)
		if err != nil {
			return view{}, err
		}
		return s.sides[side].look(ctx, job.as, job.question(s.sides[side].mode), v)
	})
	if outcome == ShadowDifferent {
		s.report.tell(job, a, b)
	}
	return outcome, err
}

// views asks both sides, and asks them again when they differ: in the other order first,
// for what changes steadily differs in one order only.
func (s *shadow) views(ask func(side int) (view, error)) (a, b view, _ ShadowOutcome, err error) {
	for round := range 1 + confirmations {
		var now [2]view
		for i := range now {
			side := (i + round) % len(now)
			if now[side], err = ask(side); err != nil {
				return a, b, outcomeOf(err), err
			}
		}
		switch {
		case round == 0 && now[0].differs(now[1]) == "":
			return a, b, ShadowSame, nil
		case round > 0 && (now[0] != a || now[1] != b):
			return a, b, ShadowUnstable, nil
		}
		a, b = now[0], now[1]
	}
	return a, b, ShadowDifferent, nil
}

// outcomeOf is what it comes to that there is no view.
func outcomeOf(err error) ShadowOutcome {
	_, unprintable := errors.AsType[*blocks.Unprintable](err)
	switch {
	case unprintable:
		return ShadowSkipped
	case errors.Is(err, errTooMuch):
		return ShadowTooLarge
	}
	return ShadowFailed
}

// question is the statement as it is asked in a mode: with an id of its own, and a comment
// by which nobody takes it for the person's.
func (job comparison) question(mode Mode) porterhouse.Query {
	q := job.query
	q.ID = "shadow-" + rand.Text()
	comment, err := json.Marshal(struct {
		Record string `json:"rid"`
		Shadow bool   `json:"shadow"`
		Mode   Mode   `json:"mode"`
	}{job.record, true, mode})
	if err == nil { // as always: these are texts
		q.Comment = string(comment)
	}
	return q
}

// whoAsks is what an account is to ClickHouse.
const whoAsks = "SELECT currentUser(), arrayStringConcat(arraySort(enabledRoles()), ', ') /* Porterhouse compares access modes */"

// isAnother reports whether an account is another user, or has other roles, in the two
// modes. Where one of them refuses the question, the statement's own answer tells it.
func (s *shadow) isAnother(ctx context.Context, job comparison) bool {
	if another, known := s.people.get(job.as.User); known {
		return another
	}
	a, b, outcome, err := s.views(func(side int) (view, error) { return s.who(ctx, job, side) })
	if err != nil || a.refused || b.refused || outcome == ShadowUnstable {
		return false
	}
	s.people.put(job.as.User, outcome == ShadowDifferent)
	if outcome == ShadowDifferent {
		s.report.tell(job, a, b)
	}
	return outcome == ShadowDifferent
}

// who asks one side who asks.
func (s *shadow) who(ctx context.Context, job comparison, side int) (view, error) {
	q := job.question(s.sides[side].mode)
	q.SQL, q.Params, q.Database, q.Format, q.Passage = whoAsks, nil, "", porterhouse.TSVRows, nil
	q.Limits.Bytes = maxStatus
	end := viewer{}
	answer, err := s.sides[side].Query(ctx, job.as, q)
	if err != nil {
		return end.end(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return end.end(err)
	}
	user, roles, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\t")
	return view{who: user, roles: roles}, nil
}
