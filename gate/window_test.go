package gate

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
)

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// noon is a moment in the middle of a minute, an hour and a day.
func noon() *clock { return &clock{now: time.Date(2026, 7, 1, 12, 30, 30, 0, time.UTC)} }

// tabFor is the tab of somebody whom the rules fit.
func tabFor(t *testing.T, w *Windows, person string, rules ...Rule) tab {
	t.Helper()
	d, err := newDoor(Door{
		Limits: porterhouse.Limits{Time: time.Minute}, Queue: Queue{1, 1, time.Second}, Pass: Pass{Format: true}, Rules: rules,
	})
	check(t, err)
	return d.bounds(&porterhouse.Principal{Issuer: "i", Subject: person, User: person}, porterhouse.Limits{}, w).tab
}

// isLimited fails unless err says that a rule is used up, and for how long.
func isLimited(t *testing.T, err error, retry time.Duration, text string) {
	t.Helper()
	e := &porterhouse.Error{}
	if !errors.As(err, &e) || e.Kind != porterhouse.Limited || e.Code != codeQuotaExceeded || e.RetryAfter != retry || !strings.Contains(e.Public, text) {
		t.Errorf("%v, to be tried again in %v; want %v and %q", err, e.RetryAfter, retry, text)
	}
}

// Within a window so many questions begin; the next window begins anew, for each
// person by itself.
func TestQueriesPerWindow(t *testing.T) {
	c := noon()
	w := NewWindows(WindowsConfig{Now: c.Now})
	three := Rule{Name: "three", Queries: 3, Window: time.Hour}
	alice, bob := tabFor(t, w, "alice", three), tabFor(t, w, "bob", three)
	for range 3 {
		check(t, alice.look(0))
		check(t, alice.begin(0))
	}
	isLimited(t, alice.begin(0), 29*time.Minute+30*time.Second, `the limit "three" lets 3 questions begin in 1 hour for each person, and so many have begun; it begins anew in 29m30s, at 2026-07-01 13:00:00 UTC`)
	isLimited(t, alice.look(0), 29*time.Minute+30*time.Second, `"three"`)
	check(t, bob.begin(0))
	again := tabFor(t, w, "alice", three) // the rules were made anew
	isLimited(t, again.begin(0), 29*time.Minute+30*time.Second, `"three"`)
	c.move(29*time.Minute + 29*time.Second)
	isLimited(t, alice.begin(0), time.Second, `"three"`)
	c.move(time.Second)
	check(t, alice.begin(0))
	if s := w.Stats(); s.Refused != 4 || s.Windows != 1 {
		t.Errorf("%+v", s)
	}
}

// Bytes are counted as they pass. What reaches the limit exactly passes; of what goes
// beyond it one buffer does, and then nothing.
func TestBytesPerWindow(t *testing.T) {
	c := noon()
	w := NewWindows(WindowsConfig{Now: c.Now})
	tab := tabFor(t, w, "alice", Rule{Name: "thousand", Bytes: 1000, Window: time.Minute})
	check(t, tab.charge(600))
	check(t, tab.look(400))
	isLimited(t, tab.look(401), 30*time.Second, "400 are left")
	isLimited(t, tab.look(1001), 0, "this upload alone has 1001")
	check(t, tab.charge(400))
	check(t, tab.charge(0)) // the end of an answer
	isLimited(t, tab.charge(1), 30*time.Second, "1000 bytes pass in 1 minute")
	isLimited(t, tab.begin(0), 30*time.Second, "0 are left")
	c.move(30 * time.Second) // an answer goes on in the next window
	check(t, tab.charge(900))
	check(t, tab.charge(900))
	isLimited(t, tab.charge(1), time.Minute, `"thousand"`)
	if s := w.Stats(); s.Cut != 2 || s.Refused != 3 {
		t.Errorf("%+v", s)
	}
}

// A question is charged in all windows or in none.
func TestRulesCountTogether(t *testing.T) {
	w := NewWindows(WindowsConfig{Now: noon().Now})
	two := Rule{Name: "two together", Per: PerRule, Queries: 2, Window: time.Hour}
	nine := Rule{Name: "nine", Queries: 9, Window: time.Hour}
	alice, bob := tabFor(t, w, "alice", nine, two), tabFor(t, w, "bob", nine, two)
	check(t, alice.begin(0))
	check(t, bob.begin(0))
	for range 20 {
		isLimited(t, alice.begin(0), 29*time.Minute+30*time.Second, "two together")
	}
	only := tabFor(t, w, "alice", nine)
	for range 8 {
		check(t, only.begin(0))
	}
	isLimited(t, only.begin(0), 29*time.Minute+30*time.Second, "nine")
}

// Many at once never get more than there is.
func TestWindowsUnderLoad(t *testing.T) {
	w := NewWindows(WindowsConfig{Now: noon().Now})
	tab := tabFor(t, w, "alice", Rule{Name: "hundred", Queries: 100, Window: time.Hour})
	var work sync.WaitGroup
	begun := make(chan bool, 1000)
	for range 10 {
		work.Go(func() {
			for range 50 {
				if tab.begin(0) == nil {
					begun <- true
				}
			}
		})
	}
	work.Wait()
	if len(begun) != 100 {
		t.Errorf("%d questions began", len(begun))
	}
}

// Windows that are over are forgotten, and there are never more than a number.
func TestWindowsAreBounded(t *testing.T) {
	c := noon()
	w := NewWindows(WindowsConfig{Now: c.Now})
	rule := Rule{Name: "r", Queries: 1, Window: time.Hour}
	tab := tabFor(t, w, "alice", rule)
	w.most = 100
	for i := range w.most {
		tab.claims[0].key.subject = fmt.Sprint(i)
		check(t, tab.begin(0))
	}
	tab.claims[0].key.subject = "one more"
	isLimited(t, tab.begin(0), time.Minute, "too many people")
	c.move(time.Hour)
	check(t, tab.begin(0))
	if n := w.Stats().Windows; n != 1 {
		t.Errorf("%d windows are counted, of which one is not over", n)
	}
}

// A duration is told in one unit where that is exact.
func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		24 * time.Hour: "1 day", 48 * time.Hour: "2 days", 90 * time.Minute: "90 minutes", time.Hour: "1 hour", 61 * time.Second: "61 seconds",
		121 * time.Second: "2m1s", time.Second: "1 second", 1500 * time.Millisecond: "1.5s", 10 * time.Millisecond: "10ms", 0: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
