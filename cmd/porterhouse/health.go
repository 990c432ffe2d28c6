package main

import (
	"context"
	"fmt"
	"io"
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
// written, and each cluster gives a sign of life. That is looked up at most once
// in readinessLifetime, however often somebody asks us.
type readiness struct {
	clusters map[string]*clickhouse.Client
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
	ready = true
	if h.audit.Stats().Failing {
		text, ready = "audit record: cannot be written\n", false
	}
	for _, name := range slices.Sorted(maps.Keys(h.clusters)) {
		state := "ready"
		if err := h.clusters[name].Ping(ctx); err != nil {
			state, ready = "does not answer", false
		}
		text += fmt.Sprintf("cluster %s: %s\n", name, state)
	}
	return text, ready
}
