package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"porterhouse/audit"
	"porterhouse/clickhouse"
)

// healthz answers whenever the process can answer at all.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

// readiness tells whether questions can be answered now: the audit record can be
// written, and at least one cluster gives a sign of life. While only some do, it says
// which do not, and goes on: taking us out of service would take the others away, too.
// That is looked up at most once in readinessLifetime, however often somebody asks us.
type readiness struct {
	clusters map[string]*clickhouse.Cluster
	audit    *audit.Log

	mu      sync.Mutex
	checked time.Time
	text    string
	ready   bool
}

const (
	readinessLifetime = time.Second
	readinessTimeout  = 2 * time.Second
)

// ServeHTTP answers 200 or 503 with one line for each cluster. It names no hosts.
func (h *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.checked) > readinessLifetime {
		// Not the request's context: its answer is for everybody who asks.
		h.text, h.ready = h.check(context.WithoutCancel(r.Context()))
		h.checked = time.Now()
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !h.ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, h.text)
}

func (h *readiness) check(ctx context.Context) (text string, ready bool) {
	ctx, cancel := context.WithTimeout(ctx, readinessTimeout)
	defer cancel()
	for name, lives := range h.ping(ctx) {
		state := "does not answer"
		if lives {
			state, ready = "ready", true
		}
		text += fmt.Sprintf("cluster %s: %s\n", name, state)
	}
	if h.audit.Stats().Failing {
		text, ready = "audit record: cannot be written\n"+text, false
	}
	return text, ready
}

// ping asks all clusters at once, so that none takes another's time, and tells of each,
// in the order of their names, whether it lives.
func (h *readiness) ping(ctx context.Context) iter.Seq2[string, bool] {
	names := slices.Sorted(maps.Keys(h.clusters))
	lives := make([]bool, len(names))
	var work sync.WaitGroup
	for i, name := range names {
		work.Go(func() { lives[i] = h.clusters[name].Ping(ctx) == nil })
	}
	work.Wait()
	return func(yield func(string, bool) bool) {
		for i, name := range names {
			if !yield(name, lives[i]) {
				return
			}
		}
	}
}
