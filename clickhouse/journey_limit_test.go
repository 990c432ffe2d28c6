package clickhouse

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// What bounds a journey is the time of the whole of it, and not what was left at its last
// server.
func TestJourneyUsesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newStreet(t, 3)
		j := newJourney(c, porterhouse.Account{}, porterhouse.Query{Limits: porterhouse.Limits{Time: 5 * time.Second}})
		at, err := j.first()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // until the first could not be connected to
		at = j.next(t.Context(), at, unreached(errors.New("i/o timeout")))
		j.q.Limits.Time = 2 * time.Second // as run does
		if at = j.next(t.Context(), at, unreached(errors.New("connection refused"))); at == nil {
			t.Fatal("two seconds are left and one server, and it was not asked")
		}
		time.Sleep(2 * time.Second)
		j.tried = 0
		if at = j.next(t.Context(), at, unreached(errors.New("connection refused"))); at != nil {
			t.Error("no time is left, and another server is asked")
		}
	})
}
