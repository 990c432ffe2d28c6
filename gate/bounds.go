package gate

import (
	"errors"
	"time"

	"porterhouse"
)

// bounds are the limits that hold for one question.
type bounds struct {
	limits porterhouse.Limits
	places []place
	tab    tab

	timeOf, answerOf *rule // whose limits.Time and limits.Bytes are; nil: the door's or the asker's own
}

// bounds finds what holds for who at the door. The limits that are asked for can make
// the others tighter and not wider.
func (d *door) bounds(who *porterhouse.Principal, asked porterhouse.Limits, windows *Windows) *bounds {
	b := &bounds{limits: tighten(asked, d.Limits), tab: tab{windows: windows}}
	b.places = append(make([]place, 0, 1+len(d.rules)), personal(who.Key(), d.Queue))
	for i := range d.rules {
		r := &d.rules[i]
		if subject, ok := r.fits(who); ok {
			b.add(r, subject, who.Key())
		}
	}
	return b
}

func (b *bounds) add(r *rule, subject, person string) {
	if (r.Queue != Queue{}) {
		b.places = append(b.places, place{lineKey{r.Name, subject}, r.Queue, person, r.shared})
	}
	if r.counts() {
		b.tab.claims = append(b.tab.claims, claim{r, windowKey{r.Name, r.Window, subject}})
	}
	if r.Time > 0 && r.Time < b.limits.Time {
		b.limits.Time, b.timeOf = r.Time, r
	}
	if r.Answer > 0 && (b.limits.Bytes == 0 || r.Answer < b.limits.Bytes) {
		b.limits.Bytes, b.answerOf = r.Answer, r
	}
}

// explain makes clear whose limit ended a question that was sent so long ago.
func (b *bounds) explain(err error, after time.Duration) error {
	known, ok := errors.AsType[*porterhouse.Error](err)
	if !ok || known.Kind != porterhouse.Timeout || after < b.limits.Time {
		return err
	}
	e := &porterhouse.Error{Kind: porterhouse.Timeout, Code: codeTimeout, Public: known.Public, Err: err}
	if b.timeOf != nil {
		e.Public = "the limit \"" + b.timeOf.Name + "\" lets one question take " + span(b.limits.Time) + ", and this one was not done by then; ask for less at once"
	}
	return e
}

// explainCut does so for an answer that was cut because it had too many bytes.
func (b *bounds) explainCut(err error) error {
	who := "this door lets"
	if b.answerOf != nil {
		who = "the limit \"" + b.answerOf.Name + "\" lets"
	}
	e := limited(codeTooManyBytes, 0, "%s one answer have %d bytes, and this one has more; it was cut off: ask for less at once", who, b.limits.Bytes)
	e.Err = err
	return e
}

// tighten fills the zero fields of asked from most, and lowers the larger ones to it.
// A zero field of most does not bound.
func tighten(asked, most porterhouse.Limits) porterhouse.Limits {
	return porterhouse.Limits{
		Rows:   lower(asked.Rows, most.Rows),
		Bytes:  lower(asked.Bytes, most.Bytes),
		Time:   lower(asked.Time, most.Time),
		Memory: lower(asked.Memory, most.Memory),
	}
}

func lower[T int64 | time.Duration](asked, most T) T {
	switch {
	case asked <= 0:
		return most
	case most == 0:
		return asked
	}
	return min(asked, most)
}
