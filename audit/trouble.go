package audit

import (
	"log/slog"
	"time"
)

// complainEvery is how often a failure is logged, while there are more.
const complainEvery = 5 * time.Second

// trouble counts failures of one sort and logs them, not each.
type trouble struct {
	log      *slog.Logger
	now      func() time.Time
	what     string // that fails
	total    uint64
	since    uint64 // failures since the last success
	told     bool   // of one of them
	loggedAt time.Time
}

// judge takes the outcome of an attempt, nil or not, and returns it.
func (t *trouble) judge(err error) error {
	if err == nil {
		if t.told {
			t.log.Info("the audit record can be "+t.what+" again", "failures", t.since)
		}
		t.since, t.told = 0, false
		return nil
	}
	t.total++
	t.since++
	if now := t.now(); now.Sub(t.loggedAt) >= complainEvery {
		t.told, t.loggedAt = true, now
		t.log.Error("the audit record cannot be "+t.what+"; nothing is asked until it can", "error", err, "failures", t.since)
	}
	return err
}

// lasts reports whether the last attempt failed.
func (t *trouble) lasts() bool { return t.since > 0 }
