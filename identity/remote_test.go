package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// source is a provider whose document is one text.
type source struct {
	mu    sync.Mutex
	text  string
	err   error
	slow  time.Duration
	asked atomic.Int64
}

func (s *source) set(text string, err error, slow time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, s.err, s.slow = text, err, slow
}

func (s *source) fetch(context.Context) (string, error) {
	s.asked.Add(1)
	s.mu.Lock()
	text, err, slow := s.text, s.err, s.slow
	s.mu.Unlock()
	time.Sleep(slow) // of the test's own clock
	return text, err
}

func (s *source) remote() *remote[string] {
	return &remote[string]{what: "the document", from: "https://idp.example.com", life: time.Hour, fetch: s.fetch, now: time.Now, log: slog.New(slog.DiscardHandler)}
}

func any_(string) bool { return true }

func is(want string) func(string) bool { return func(text string) bool { return text == want } }

// wants fails unless get answers text, or, when text is "", that the provider is away.
func wants(t *testing.T, r *remote[string], suffices func(string) bool, text string) {
	t.Helper()
	got, err := r.get(t.Context(), suffices)
	if text == "" {
		wantKind(t, err, porterhouse.Unavailable)
		return
	}
	if err != nil || got != text {
		t.Errorf("got %q, %v; want %q", got, err, text)
	}
}

func TestRemoteIsKeptForItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{text: "1"}
		r := s.remote()
		wants(t, r, any_, "1")
		s.set("2", nil, 0)
		time.Sleep(time.Hour - time.Nanosecond)
		wants(t, r, any_, "1")
		time.Sleep(time.Nanosecond)
		wants(t, r, any_, "2")
		if n := s.asked.Load(); n != 2 {
			t.Errorf("fetched %d times", n)
		}
	})
}

// Something new is fetched at once, but however many ask for something that is not
// there, the provider is asked once in an interval.
func TestRemoteFetchesWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{text: "1"}
		r := s.remote()
		wants(t, r, any_, "1")
		s.set("2", nil, 0)
		time.Sleep(interval)
		wants(t, r, is("2"), "2")
		for i := range 1000 {
			wants(t, r, is(fmt.Sprint("random", i)), "2") // the newest there is: not what was wanted
		}
		time.Sleep(interval - time.Nanosecond)
		wants(t, r, is("3"), "2")
		if n := s.asked.Load(); n != 2 {
			t.Errorf("fetched %d times before the interval passed", n)
		}
		time.Sleep(time.Nanosecond)
		wants(t, r, is("3"), "2")
		if n := s.asked.Load(); n != 3 {
			t.Errorf("fetched %d times", n)
		}
	})
}

func TestRemoteSharesTheFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{text: "1", slow: time.Second}
		r := s.remote()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { wants(t, r, any_, "1") })
		}
		wg.Wait()
		if n := s.asked.Load(); n != 1 {
			t.Errorf("fetched %d times", n)
		}
	})
}

// Through an outage the old document is used, for as long as was said; who needs
// something new hears that nobody can tell.
func TestRemoteInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{text: "1"}
		r := s.remote()
		wants(t, r, any_, "1")
		s.set("", errors.New("connection refused"), 0)
		time.Sleep(time.Hour)
		for range 100 {
			wants(t, r, any_, "1")
		}
		wants(t, r, is("2"), "")
		if n := s.asked.Load(); n != 2 {
			t.Errorf("a dead provider was asked %d times", n)
		}
		time.Sleep(outage - time.Nanosecond)
		wants(t, r, any_, "1")
		time.Sleep(interval)
		wants(t, r, any_, "")
		s.set("2", nil, 0)
		time.Sleep(interval)
		wants(t, r, any_, "2")
	})
}

func TestRemoteThatWasNeverThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{err: errors.New("connection refused")}
		r := s.remote()
		for range 100 {
			wants(t, r, any_, "")
		}
		if n := s.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		s.set("1", nil, 0)
		time.Sleep(interval)
		wants(t, r, any_, "1")
	})
}

// A provider that hangs costs those who could do without it a little patience,
// once; and who leaves does not wait at all.
func TestRemoteThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{text: "1"}
		r := s.remote()
		wants(t, r, any_, "1")
		s.set("2", nil, time.Minute)
		time.Sleep(time.Hour)
		began := time.Now()
		wants(t, r, any_, "1")
		if waited := time.Since(began); waited != patience {
			t.Errorf("waited %v", waited)
		}
		wants(t, r, any_, "1")
		if waited := time.Since(began); waited != patience {
			t.Errorf("the second waited too: %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.get(ctx, is("2"))
		wantKind(t, err, porterhouse.Timeout)
		wants(t, r, is("2"), "2") // and this one got what it waited for
	})
}

// A clock that is set back makes nothing immortal.
func TestRemoteAndTheClock(t *testing.T) {
	c := newClock()
	s := &source{text: "1"}
	r := s.remote()
	r.now = c.Now
	wants(t, r, any_, "1")
	c.pass(-24 * time.Hour)
	s.set("2", nil, 0)
	wants(t, r, is("2"), "2")
}
