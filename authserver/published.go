package authserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// published is what clients publish at URLs of theirs, fetched on demand, by one
// flight for all who wait, and kept for as long as they say, within bounds:
//
//	younger than its life          used as it is
//	older, or lacks what is asked  fetched again
//	its server is away             used on, until it is an outage old
//	it may not be fetched now      used on, for the time of a rush: others made it
//	an answer that cannot be used  is not kept, and ends what was there before
//	its host is never asked        used on likewise; where nothing was there before, that is final
//
// Who is the first to ask pays for the flight, by network.
type published[T any] struct {
	publishedConfig[T]

	mu      sync.Mutex
	kept    *recent[*publication[T]]
	flights map[string]*flight[T]
}

// publishedConfig is what a published is made of.
type publishedConfig[T any] struct {
	what  string // in errors: "the client's document"
	fetch func(ctx context.Context, url string) (Reply, error)
	parse func(url string, text []byte) (T, error) // its errors are shown
	limit *limiter
	now   func() time.Time
	most  int // that are kept
}

// publication is one of them as it was fetched.
type publication[T any] struct {
	value   T
	fetched time.Time
	until   time.Time // when it is to be fetched again
}

// flight is a fetch under way.
type flight[T any] struct {
	done  chan struct{} // closed at its end
	value T
	err   error
}

const (
	minLife     = 5 * time.Minute
	defaultLife = time.Hour
	maxLife     = 24 * time.Hour
	outage      = 2 * maxLife      // how old a document may be while there is no newer
	rush        = time.Hour        // how long over its time one may be while too many are fetched
	retry       = time.Minute      // between two tries while the server is away
	renewal     = 10 * time.Second // between two fetches for something that was not there
	fetchTime   = 10 * time.Second // of one fetch, whatever fetch itself allows
	maxFlights  = 256
)

func newPublished[T any](c publishedConfig[T]) *published[T] {
	return &published[T]{publishedConfig: c, kept: newRecent[*publication[T]](c.most), flights: map[string]*flight[T]{}}
}

// get returns what is at a URL: one that suffices (nil: any does), or else the
// newest there is. remote is the address of who needs it. An error is a *problem.
func (p *published[T]) get(ctx context.Context, at, remote string, suffices func(T) bool) (T, error) {
	p.mu.Lock()
	old, known := p.kept.get(at)
	if now := p.now(); known && now.Before(old.until) && (suffices == nil || suffices(old.value) || now.Sub(old.fetched) < renewal) {
		p.mu.Unlock()
		return old.value, nil
	}
	f, err := p.board(ctx, at, remote, old)
	p.mu.Unlock()
	if err != nil && known && p.now().Sub(old.until) < rush {
		return old.value, nil
	} else if err != nil {
		var none T
		return none, err
	}
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, refuse("temporarily_unavailable", "%s at %s was not there in time", p.what, hostOf(at)).because(ctx.Err())
	}
}

// board returns the flight under way, or starts one, in a goroutine that ends with
// the fetch: it is not the caller's to cancel, because others may wait for it too.
// mu is held.
func (p *published[T]) board(ctx context.Context, at, remote string, old *publication[T]) (*flight[T], error) {
	if f, under := p.flights[at]; under {
		return f, nil
	}
	if len(p.flights) >= maxFlights {
		return nil, refuse("temporarily_unavailable", "too many documents of clients are being fetched; try again in a moment")
	}
	if !p.limit.take(remote) {
		return nil, refuse("temporarily_unavailable", "too many documents of clients were fetched for your network; try again in a minute").as(http.StatusTooManyRequests)
	}
	f := &flight[T]{done: make(chan struct{})}
	p.flights[at] = f
	go func() {
		defer close(f.done)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
		defer cancel()
		reply, err := p.fetch(limited, at)
		p.land(f, at, old, reply, err)
	}()
	return f, nil
}

// land sets the outcome of a flight, and keeps what is to be kept.
func (p *published[T]) land(f *flight[T], at string, old *publication[T], reply Reply, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.flights, at)
	now := p.now()
	switch {
	case err != nil || reply.Status >= 500 || reply.Status == http.StatusTooManyRequests:
		if old != nil && now.Sub(old.fetched) < outage {
			f.value = old.value
			p.kept.put(at, &publication[T]{old.value, old.fetched, now.Add(retry)})
			return
		}
		f.err = p.notFetched(at, reply, err)
		return
	case reply.Status != http.StatusOK:
		err = fmt.Errorf("the answer has status %d instead of 200 (redirects are not followed)", reply.Status)
	default:
		f.value, err = p.parse(at, reply.Body)
	}
	if err != nil {
		p.kept.remove(at)
		f.err = refuse("invalid_client", "%s at %s cannot be used: %v", p.what, hostOf(at), err)
		return
	}
	p.kept.put(at, &publication[T]{f.value, now, now.Add(lifeOf(reply.Header))})
}

// notFetched is why there is no answer that means anything. An address that is never
// asked will not be in a minute, either. Which one a name has is for the log: strangers
// could ask for those of our own network.
func (p *published[T]) notFetched(at string, reply Reply, err error) *problem {
	switch {
	case errors.Is(err, ErrForbidden):
		return refuse("invalid_client", "%s at %s cannot be used: that host is not on the public internet, where such documents have to be; ask the operator to register the client instead", p.what, hostOf(at)).because(err)
	case err == nil:
		err = fmt.Errorf("status %d", reply.Status)
	}
	return refuse("temporarily_unavailable", "%s at %s cannot be fetched", p.what, hostOf(at)).because(err)
}

// lifeOf is how long an answer may be used (RFC 9111, 5.2.2), within our bounds.
func lifeOf(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return minLife
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return minLife
			}
			return min(max(time.Duration(seconds)*time.Second, minLife), maxLife)
		}
	}
	return defaultLife
}

// hostOf is the host of a URL, to be shown.
func hostOf(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return "an unreadable address"
	}
	return shown(u.Host)
}
