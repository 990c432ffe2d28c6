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
