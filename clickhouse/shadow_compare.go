package clickhouse

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"hash/maphash"

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
	ShadowSkipped   ShadowOutcome = "skipped"   // it cannot be compared, may take something away, or has values that nobody here can print
	ShadowDropped   ShadowOutcome = "dropped"   // there was no time for it, or ClickHouse or a quota was at its end
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
	ctx, cancel := context.WithDeadline(ctx, job.asked.Add(shadowWait))
	defer cancel()
	outcome, err := s.compare(ctx, job)
	if err != nil && ctx.Err() != nil {
		outcome = ShadowDropped
	}
	s.report.count(outcome)
	s.report.tellFailure(outcome, job, err)
}

// compare compares who asks, and then the statement's answers.
func (s *shadow) compare(ctx context.Context, job comparison) (ShadowOutcome, error) {
	if outcome, err := s.person(ctx, job); outcome != ShadowSame {
		return outcome, err
	}
	seed := maphash.MakeSeed()
	a, b, outcome, err := s.views(ctx, func(side int) (view, error) {
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
func (s *shadow) views(ctx context.Context, ask func(side int) (view, error)) (a, b view, _ ShadowOutcome, err error) {
	for round := range 1 + confirmations {
		var now [2]view
		for i := range now {
			side := (i + round) % len(now)
			if err = ctx.Err(); err != nil { // before anything is sent
				return a, b, ShadowDropped, err
			}
			if now[side], err = ask(side); err != nil {
				return a, b, outcomeOf(err), err
			}
		}
		switch {
		case round == 0 && now[0].differs(now[1]) == "":
			return now[0], now[1], ShadowSame, nil
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
