package mcpserver

import (
	"net/http"
	"strings"
	"testing"
)

// TestLogLinesAreBounded: what a caller sends is not logged at any length.
func TestLogLinesAreBounded(t *testing.T) {
	h := newHouse(t)
	long := strings.Repeat("x", 20_000)
	eras(t, func(t *testing.T, newer bool) {
		a := h.agent(t, "alice", newer)
		tool := a.message("tools/call", map[string]any{"name": long, "arguments": map[string]any{}})
		a.send(t.Context(), tool)
		a.call("query", map[string]any{"sql": "SELECT throwIf(1, repeat('x', 20000))"})
		a.send(t.Context(), a.message(long, nil))
		r := a.request(t.Context(), tool)
		r.Method = long
		res, err := http.DefaultClient.Do(r)
		check(t, err)
		check(t, res.Body.Close())
	})
	for line := range strings.Lines(h.logged.String()) {
		if strings.Contains(line, `msg="mcp `) && len(line) > 1_500 {
			t.Errorf("%d bytes: %.300s", len(line), line)
		}
	}
}

// TestOpeningsAreBounded: a session keeps what initialize said, so that is short.
func TestOpeningsAreBounded(t *testing.T) {
	h := newHouse(t)
	long := strings.Repeat("x", maxOpening)
	for name, params := range map[string]map[string]any{
		"name":       {"capabilities": map[string]any{}, "clientInfo": map[string]any{"name": long, "version": "1"}},
		"capability": {"capabilities": map[string]any{"experimental": map[string]any{long: map[string]any{}}}, "clientInfo": map[string]any{"name": "test", "version": "1"}},
	} {
		a := &agent{t: t, url: h.url, person: "alice"}
		params["protocolVersion"] = "2025-11-25"
		got := a.send(t.Context(), a.message("initialize", params))
		if got.answer.Error == nil || got.answer.Error.Message != "the parameters of initialize are longer than 16384 bytes" || got.answer.Error.Code != -32602 {
			t.Errorf("%s: %d %.300s", name, got.status, got.raw)
		}
	}
}

// TestNothingIsStored: no cache keeps an answer, a stream or a refusal.
func TestNothingIsStored(t *testing.T) {
	h := newHouse(t)
	long := map[string]any{"name": "query", "arguments": map[string]any{"sql": "SELECT repeat('x', 5000)"}}
	noted := map[string]any{"name": "whoami", "arguments": map[string]any{}, "_meta": map[string]any{"progressToken": 1}}
	eras(t, func(t *testing.T, newer bool) {
		a := h.agent(t, "alice", newer)
		for _, message := range []map[string]any{
			a.message("tools/call", long), a.message("tools/call", noted), a.message("tools/list", nil), a.message("no/such", nil),
		} {
			if got := a.send(t.Context(), message).header.Get("Cache-Control"); got != "no-store, no-transform" {
				t.Errorf("%s: %q", message["method"], got)
			}
		}
		r := a.request(t.Context(), nil)
		r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
		res, err := http.DefaultClient.Do(r) // the older era opens a stream
		check(t, err)
		check(t, res.Body.Close())
		if got := res.Header.Get("Cache-Control"); got != "no-store, no-transform" {
			t.Errorf("GET: %d %q", res.StatusCode, got)
		}
	})
}
