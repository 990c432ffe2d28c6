package gate

import (
	"fmt"
	"time"
)

// tab is where one question's use of the windows is charged.
type tab struct {
	windows *Windows
	claims  []claim
}

// claim is one rule that counts, and for whom.
type claim struct {
	rule *rule
	key  windowKey
}

// look refuses a question for which a window has no room, and charges nothing. upload
// is how many bytes it brings; 0 or less: nobody knows.
func (t tab) look(upload int64) error {
	if len(t.claims) == 0 {
		return nil
	}
	t.windows.mu.Lock()
	defer t.windows.mu.Unlock()
	return t.refused(t.find(upload))
}

// begin charges one question, in all windows or in none.
func (t tab) begin(upload int64) error {
	if len(t.claims) == 0 {
		return nil
	}
	t.windows.mu.Lock()
	defer t.windows.mu.Unlock()
	if err := t.refused(t.find(upload)); err != nil {
		return err
	}
	t.add(Count{Queries: 1})
	return nil
}

// charge charges n bytes that are about to pass, in all windows or in none. It refuses
// when a window was used up before: so of each answer at most one buffer passes too much.
func (t tab) charge(n int) error {
	if n == 0 || len(t.claims) == 0 {
		return nil
	}
	t.windows.mu.Lock()
	defer t.windows.mu.Unlock()
	now := t.windows.now()
	for _, c := range t.claims {
		if err := c.bytes(t.windows.counter(c.key, now), now, 0); err != nil {
			t.windows.stats.Cut++
			return err
		}
	}
	t.add(Count{Bytes: int64(n)})
	return nil
}

// find says why a window has no room.
func (t tab) find(upload int64) error {
	now := t.windows.now()
	for _, c := range t.claims {
		used := t.windows.counter(c.key, now)
		if err := c.queries(used, now); err != nil {
			return err
		}
		if err := c.bytes(used, now, upload); err != nil {
			return err
		}
	}
	return nil
}

func (t tab) refused(err error) error {
	if err != nil {
		t.windows.stats.Refused++
	}
	return err
}

func (t tab) add(n Count) {
	now := t.windows.now()
	for _, c := range t.claims {
		if used := t.windows.counter(c.key, now); used != nil {
			used.here, used.asked = used.here.plus(n), true
		}
	}
}

// queries refuses when no question may begin any more.
func (c claim) queries(used *counter, now time.Time) error {
	switch {
	case used == nil:
		return limited(codeQuotaExceeded, sweepEvery, "too many people are counted for the limit %q at once; try again in a minute, and tell the operator if it lasts", c.rule.Name)
	case c.rule.Queries == 0 || used.used().Queries < c.rule.Queries:
		return nil
	}
	used.asked = true // so that the others are asked: maybe it is not used up there
	return c.usedUp(used.end, now, "the limit %q lets %d questions begin in %s%s, and so many have begun", c.rule.Name, c.rule.Queries, span(c.rule.Window), c.rule.shared)
}

// bytes refuses when no byte may pass any more, or not as many as an upload has.
func (c claim) bytes(used *counter, now time.Time, upload int64) error {
	if used == nil || c.rule.Bytes == 0 {
		return nil
	}
	left := c.rule.Bytes - used.used().Bytes
	switch {
	case upload > c.rule.Bytes:
		return limited(codeQuotaExceeded, 0, "the limit %q lets %d bytes pass in %s%s, and this upload alone has %d; send less at once",
			c.rule.Name, c.rule.Bytes, span(c.rule.Window), c.rule.shared, upload)
	case left > 0 && upload <= left:
		return nil
	}
	used.asked = true
	return c.usedUp(used.end, now, "the limit %q lets %d bytes pass in %s%s, uploads and answers together, and %d are left", c.rule.Name, c.rule.Bytes, span(c.rule.Window), c.rule.shared, max(left, 0))
}

// usedUp is a refusal until the next window.
func (c claim) usedUp(end, now time.Time, format string, args ...any) error {
	retry := (end.Sub(now) + time.Second - 1).Truncate(time.Second)
	format += "; it begins anew in %s, at %s"
	return limited(codeQuotaExceeded, retry, format, append(args, span(retry), end.Format("2006-01-02 15:04:05 UTC"))...)
}

// span is a duration for people: in one unit, if it is a whole number of it.
func span(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		n := d / unit.length
		switch {
		case n == 0 || n == 1 && d != unit.length:
			continue
		case d%unit.length != 0:
			return d.String()
		case n == 1:
			return "1 " + unit.name
		}
		return fmt.Sprintf("%d %ss", n, unit.name)
	}
	return d.String()
}
