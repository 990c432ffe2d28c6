package authserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// press publishes texts, which the test sets.
type press struct {
	mu     sync.Mutex
	status int
	text   string
	cache  string // Cache-Control
	err    error
	hangs  bool
	asked  int
}

func (p *press) fetch(ctx context.Context, _ string) (Reply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.hangs {
		p.mu.Unlock()
		<-ctx.Done()
		p.mu.Lock()
		return Reply{}, ctx.Err()
	}
	header := http.Header{}
	if p.cache != "" {
		header.Set("Cache-Control", p.cache)
	}
	return Reply{Status: p.status, Header: header, Body: []byte(p.text)}, p.err
}

// papers is a published of texts; "bad" cannot be used.
func papers(p *press, most int) *published[string] {
	p.status, p.text = http.StatusOK, "first"
	return newPublished(publishedConfig[string]{
		what: "the paper", fetch: p.fetch, limit: newLimiter(time.Second, 30, time.Now), now: time.Now, most: most,
		parse: func(_ string, text []byte) (string, error) {
			if string(text) == "bad" {
				return "", errors.New("it is bad")
			}
			return string(text), nil
		},
	})
}

const paper = "https://app.example.com/paper"

// A document is kept for as long as its server says, within bounds.
func TestLife(t *testing.T) {
	for cache, want := range map[string]time.Duration{
		"": defaultLife, "max-age=0": minLife, "max-age=60": minLife, "max-age=7200": 2 * time.Hour, "public, MAX-AGE=7200": 2 * time.Hour,
		"max-age=31536000": maxLife, "no-store": minLife, "no-cache, max-age=7200": minLife, "max-age=-1": minLife, "max-age=99999999999999999999": minLife,
		`max-age="7200"`: 2 * time.Hour, "immutable": defaultLife,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &press{cache: cache}
			all := papers(p, 10)
			must(all.get(t.Context(), paper, "", nil))
			p.text = "second"
			time.Sleep(want - time.Second)
			if got := must(all.get(t.Context(), paper, "", nil)); got != "first" {
				t.Errorf("%q: after %v it is fetched again", cache, want-time.Second)
			}
			time.Sleep(time.Second)
			if got := must(all.get(t.Context(), paper, "", nil)); got != "second" {
				t.Errorf("%q: after %v it is not fetched again", cache, want)
			}
		})
	}
}

// However many ask at once, the server is asked once; who leaves does not end it for
// the others.
func TestOneFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		all := papers(p, 10)
		fetch := all.fetch
		all.fetch = func(ctx context.Context, url string) (Reply, error) {
			time.Sleep(3 * time.Second)
			return fetch(ctx, url)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			if _, err := all.get(impatient, paper, "", nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who leaves gets %v", err)
			}
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if got, err := all.get(t.Context(), paper, "", nil); err != nil || got != "first" {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		wg.Wait()
		if p.asked != 1 || len(all.flights) != 0 {
			t.Errorf("it was asked %d times, and %d flights are under way", p.asked, len(all.flights))
		}
	})
}

// A server that says nothing ends nobody's patience but after a while.
func TestFetchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{hangs: true}
		all := papers(p, 10)
		began := time.Now()
		_, err := all.get(t.Context(), paper, "", nil)
		if problemOf(err).code != "temporarily_unavailable" || time.Since(began) != fetchTime {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// Errors are not kept; and what was there before is used on while the server is away,
// but not when it says that it is there no more.
func TestErrorsAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		all := papers(p, 10)
		p.status = http.StatusNotFound
		for range 3 {
			if _, err := all.get(t.Context(), paper, "", nil); problemOf(err).code != "invalid_client" {
				t.Errorf("what is not there: %v", err)
			}
		}
		if p.asked != 3 {
			t.Errorf("it was asked %d times; want each time", p.asked)
		}
		p.status = http.StatusOK
		must(all.get(t.Context(), paper, "", nil))

		p.err = errors.New("away")
		for range int((outage - time.Hour) / time.Hour) {
			time.Sleep(time.Hour)
			if got, err := all.get(t.Context(), paper, "", nil); err != nil || got != "first" {
				t.Fatalf("while it is away: %q, %v", got, err)
			}
		}
		before := p.asked
		for range 100 {
			must(all.get(t.Context(), paper, "", nil))
		}
		if p.asked != before {
			t.Error("a server that is away is asked each time")
		}
		time.Sleep(time.Hour)
		if _, err := all.get(t.Context(), paper, "", nil); problemOf(err).code != "temporarily_unavailable" {
			t.Errorf("after two days away: %v", err)
		}

		p.err = nil
		must(all.get(t.Context(), paper, "", nil))
		time.Sleep(2 * defaultLife)
		p.text = "bad"
		if _, err := all.get(t.Context(), paper, "", nil); problemOf(err).code != "invalid_client" {
			t.Errorf("a document that went bad: %v", err)
		}
		p.err = errors.New("away")
		if _, err := all.get(t.Context(), paper, "", nil); err == nil {
			t.Error("a document that went bad is used on")
		}
	})
}

// What will never be answered is refused as such, without a word about our own network;
// but a name that leads there for a while ends nothing that was there before.
func TestForbiddenAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{err: fmt.Errorf("%w: app.example.com is at 10.0.0.7", ErrForbidden)}
		all := papers(p, 10)
		_, err := all.get(t.Context(), paper, "", nil)
		if refused := problemOf(err); refused.code != "invalid_client" || !strings.Contains(refused.text, "not on the public internet") || strings.Contains(refused.text, "10.0.0.7") {
			t.Errorf("%v", err)
		}
		if !strings.Contains(err.Error(), "10.0.0.7") {
			t.Errorf("the log does not say where it is: %v", err)
		}
		never := p.err
		p.err = nil
		must(all.get(t.Context(), paper, "", nil))
		time.Sleep(2 * defaultLife)
		p.err = never
		if got, err := all.get(t.Context(), paper, "", nil); err != nil || got != "first" {
			t.Errorf("a document that was there: %q, %v", got, err)
		}
	})
}

// What is missing in a document has it fetched anew, seldom.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		all := papers(p, 10)
		second := func(text string) bool { return text == "second" }
		for range 100 {
			must(all.get(t.Context(), paper, "", second))
		}
		if p.asked != 1 {
			t.Errorf("it was asked %d times at once", p.asked)
		}
		p.text = "second"
		time.Sleep(renewal)
		if got := must(all.get(t.Context(), paper, "", second)); got != "second" || p.asked != 2 {
			t.Errorf("after a while it is %q, asked %d times", got, p.asked)
		}
	})
}

// However many documents are named, few are kept, few are fetched at once, and few
// of one network's.
func TestPublishedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		all := papers(p, 10)
		for i := range 100 {
			must(all.get(t.Context(), fmt.Sprint(paper, i), fmt.Sprintf("192.0.2.%d:1", i), nil))
		}
		if n := len(all.kept.entries); n != 10 {
			t.Errorf("%d are kept, want 10", n)
		}
		refused := 0
		for i := range 100 {
			if _, err := all.get(t.Context(), fmt.Sprint(paper, "x", i), "198.51.100.1:1", nil); err != nil {
				if problemOf(err).httpStatus() != http.StatusTooManyRequests {
					t.Fatal(err)
				}
				refused++
			}
		}
		if refused != 70 {
			t.Errorf("of 100 of one network %d are refused, want all but 30", refused)
		}
		p.hangs = true
		var wg sync.WaitGroup
		for i := range maxFlights {
			wg.Go(func() { _, _ = all.get(t.Context(), fmt.Sprint(paper, "y", i), fmt.Sprintf("203.0.%d.1:1", i), nil) })
		}
		synctest.Wait()
		if _, err := all.get(t.Context(), paper+"z", "192.0.2.1:1", nil); err == nil || !strings.Contains(err.Error(), "are being fetched") {
			t.Errorf("with %d flights under way: %v", maxFlights, err)
		}
		wg.Wait()
		if len(all.flights) != 0 {
			t.Errorf("%d flights are left", len(all.flights))
		}
	})
}
