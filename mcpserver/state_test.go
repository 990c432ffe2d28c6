package mcpserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"porterhouse"
)

// twoHouses are one State under two configurations: the second cuts answers at 7 rows,
// takes short bodies only, and knows bob no more. turn leads requests to the second.
func twoHouses(t *testing.T) (h *house, turn func()) {
	h = newHouse(t)
	c := h.config
	c.Rows, c.MaxBody = 7, 2_000
	c.Verify = func(ctx context.Context, token string) (porterhouse.Principal, error) {
		if token == tokenOf("bob") {
			return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "this token is not known")
		}
		return verify(ctx, token)
	}
	second, err := New(c)
	check(t, err)
	var current atomic.Pointer[Server]
	current.Store(h.Server)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	h.url = web.URL
	return h, func() { current.Store(second) }
}

// TestSessionsOutliveTheirServer: a session goes on under another Server, under the
// rules of that one alone: what is cut, what is told, who comes in.
func TestSessionsOutliveTheirServer(t *testing.T) {
	eras(t, func(t *testing.T, newer bool) {
		h, turn := twoHouses(t)
		alice, bob := h.agent(t, "alice", newer), h.agent(t, "bob", newer)
		const sql = "SELECT currentUser(), number FROM numbers(100)"
		if got := alice.query(sql); !strings.HasPrefix(got, "100 rows, complete.") {
			t.Errorf("before: %.100s", got)
		}
		open := h.state.Stats().Sessions
		turn()

		if got := alice.query(sql); !strings.HasPrefix(got, "7 rows") || !strings.Contains(got, "\nalice\t6") || strings.Contains(got, "\nalice\t7") {
			t.Errorf("after: %.100s", got)
		}
		if got := alice.send(t.Context(), alice.message("tools/list", nil)); !strings.Contains(got.raw, "cut at 7 rows") {
			t.Errorf("the list says %s", got.raw)
		}
		if got := bob.send(t.Context(), bob.message("ping", nil)); got.status != http.StatusUnauthorized {
			t.Errorf("bob: %d %s", got.status, got.raw)
		}
		long := alice.message("tools/call", map[string]any{"name": "query", "arguments": map[string]any{"sql": "SELECT " + strings.Repeat(" ", 3_000) + "1"}})
		if got := alice.send(t.Context(), long); got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("a long body: %d %s", got.status, got.raw)
		}
		if now := h.state.Stats(); now.Sessions != open || now.Calls != 2 || now.Denied != 1 {
			t.Errorf("%d sessions were open; now %+v", open, now)
		}
	})
}

// TestInstructionsAreOfTheServer: whoever begins is told what holds now.
func TestInstructionsAreOfTheServer(t *testing.T) {
	h, turn := twoHouses(t)
	begin := func(newer bool) string {
		a := &agent{t: t, url: h.url, person: "alice", newer: newer}
		if newer {
			return a.send(t.Context(), a.message("server/discover", nil)).raw
		}
		return a.send(t.Context(), a.message("initialize", map[string]any{
			"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "test", "version": "1"},
		})).raw
	}
	for _, want := range []string{"cut at 200 rows", "cut at 7 rows"} {
		for _, newer := range []bool{true, false} {
			if got := begin(newer); !strings.Contains(got, want) {
				t.Errorf("newer %t: no %q in %s", newer, want, got)
			}
		}
		turn()
	}
}
