package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// Strangers may name hosts (a client's own document is at any): they are not
// remembered without end, but one that is dead, or is asked, is.
func TestHostsAreForgotten(t *testing.T) {
	now := time.Now()
	o := outbound(t, nil, OutboundConfig{Now: func() time.Time { return now }})
	at := func(name string) *host { return o.host(&url.URL{Scheme: "https", Host: name}, mainLane) }
	dead, asked := at("dead.example.com"), at("asked.example.com")
	for range deadAfter {
		if err := dead.enter(t.Context(), time.Second, o.now); err != nil {
			t.Fatal(err)
		}
		dead.leave(now, true, true)
	}
	if err := asked.enter(t.Context(), time.Second, o.now); err != nil {
		t.Fatal(err)
	}
	for i := range 10 * maxHosts {
		at(fmt.Sprintf("%d.example.com", i))
	}
	if n := len(o.hosts); n > maxHosts {
		t.Errorf("%d hosts are remembered, more than %d", n, maxHosts)
	}
	if at("dead.example.com") != dead || at("asked.example.com") != asked {
		t.Error("a host that is dead, or is being asked, was forgotten")
	}
}

func TestSlowProviderStallsNobodyElse(t *testing.T) {
	var under atomic.Int32
	end := make(chan struct{})
	slow := provider(t, func(http.ResponseWriter, *http.Request) {
		under.Add(1)
		<-end
	})
	t.Cleanup(func() { close(end) })
	quick := provider(t, func(http.ResponseWriter, *http.Request) {})
	o := outbound(t, quick, OutboundConfig{PerHost: 4, Timeout: time.Hour}) // who leaves decides, and not the clock
	slower := outbound(t, slow, OutboundConfig{})
	o.secure.TLSClientConfig.RootCAs.AddCert(slow.Certificate())
	slower.secure.CloseIdleConnections()

	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if _, err := o.Get(ctx, slow.URL, nil); err == nil {
				t.Error("the slow provider answers")
			} else if kind, _ := porterhouse.Explain(err); kind != porterhouse.Canceled {
				t.Errorf("a caller that left: %v", err)
			}
		})
	}
	for under.Load() < 4 {
		time.Sleep(time.Millisecond)
	}
	if _, err := o.Get(t.Context(), quick.URL, nil); err != nil {
		t.Errorf("the quick provider: %v", err)
	}
	if n := under.Load(); n != 4 {
		t.Errorf("%d requests are under way at the slow provider, want 4", n)
	}
	cancel()
	callers.Wait()
}

// A host that timed out often is asked once every few seconds, until it answers.
func TestDeadHost(t *testing.T) {
	h := newHost(2)
	start := time.Now()
	clock := start
	now := func() time.Time { return clock }
	ask := func(timedOut bool) error {
		err := h.enter(t.Context(), time.Second, now)
		if err == nil {
			h.leave(clock, timedOut, true)
		}
		return err
	}
	for i := range deadAfter {
		if err := ask(true); err != nil {
			t.Fatalf("request %d: %v", i+1, err)
		}
	}
	if ask(false) == nil {
		t.Error("a dead host is asked")
	}
	clock = start.Add(deadInterval)
	if err := ask(true); err != nil {
		t.Errorf("when it is time to try again: %v", err)
	}
	if ask(false) == nil {
		t.Error("a dead host is asked again at once")
	}
	clock = clock.Add(deadInterval)
	if err := h.enter(t.Context(), time.Second, now); err != nil {
		t.Fatal(err)
	}
	if h.enter(t.Context(), time.Second, now) == nil {
		t.Error("two requests try a dead host at once")
	}
	h.leave(clock, false, true)
	for range 3 {
		if err := ask(false); err != nil {
			t.Errorf("after it came back: %v", err)
		}
	}
}

// Nobody waits for a turn at a dead host.
func TestDeadHostIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(1)
		for range deadAfter {
			if err := h.enter(t.Context(), time.Second, time.Now); err != nil {
				t.Fatal(err)
			}
			h.leave(time.Now(), true, true)
		}
		h.turns <- struct{}{}
		start := time.Now()
		if err := h.enter(t.Context(), time.Second, time.Now); err == nil || time.Since(start) != 0 {
			t.Errorf("%v, after %s", err, time.Since(start))
		}
	})
}

// Who has no patience cannot make a host look dead.
func TestLeavingTeachesNothing(t *testing.T) {
	end := make(chan struct{})
	server := provider(t, func(http.ResponseWriter, *http.Request) { <-end })
	t.Cleanup(func() { close(end) })
	o := outbound(t, server, OutboundConfig{})
	for range deadAfter + 1 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := o.Get(ctx, server.URL, nil)
		cancel()
		if kind, _ := porterhouse.Explain(err); kind != porterhouse.Timeout {
			t.Fatalf("a caller that left: %v", err)
		}
	}
	to, _ := url.Parse(server.URL)
	if o.host(to, mainLane).dead(time.Now()) {
		t.Error("the host counts as dead")
	}
}

func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(1)
		if err := h.enter(t.Context(), time.Second, time.Now); err != nil {
			t.Fatal(err)
		}
		if err := h.enter(t.Context(), time.Second, time.Now); err == nil || !strings.Contains(err.Error(), "no turn in time") {
			t.Errorf("beyond the patience: %v", err)
		}
		var waiting sync.WaitGroup
		var refused atomic.Int32
		for range maxWaiting + 10 {
			waiting.Go(func() {
				if err := h.enter(t.Context(), time.Second, time.Now); errors.Is(err, reason("too many requests wait for it")) {
					refused.Add(1)
				}
			})
		}
		waiting.Wait()
		if refused.Load() != 10 {
			t.Errorf("%d requests are refused at once, want 10", refused.Load())
		}
	})
}
