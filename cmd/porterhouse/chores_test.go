package main

import (
	"testing"
	"time"

	"porterhouse/directory"
)

// An account is dropped only when nobody has wanted it for long enough, and it was
// reported a day ago: not in the hour in which drop_after is first looked at.
func TestDrops(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name           string
		after          time.Duration
		seen, reported time.Duration // ago
		want           bool
	}{
		{"never", 0, 900 * day, 30 * day, false},
		{"not yet", 180 * day, 179 * day, 89 * day, false},
		{"due", 180 * day, 180 * day, 90 * day, true},
		{"long due, and reported just now", 180 * day, 900 * day, 0, false},
		{"long due, and reported a day ago", 180 * day, 900 * day, day, true},
	} {
		o := &ProvisionConfig{DropAfter: test.after}
		if got := o.drops(directory.Absence{Seen: now.Add(-test.seen), Reported: now.Add(-test.reported)}, now); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
