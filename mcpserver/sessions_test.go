package mcpserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestAnotherPersonsSession: Alice opens a session, Bob names it with his own,
// good token. He gets 403, and nothing of hers, whatever he tries.
func TestAnotherPersonsSession(t *testing.T) {
	h := newHouse(t)
	alice := h.agent(t, "alice", false)
	bob := *alice
	bob.person = "bob"
	for _, message := range []map[string]any{
		bob.message("tools/call", map[string]any{"name": "query", "arguments": map[string]any{"sql": "SELECT currentUser()"}}),
		bob.message("resources/read", map[string]any{"uri": "clickhouse://shop/orders"}),
		bob.message("tools/list", nil),
		{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": map[string]any{"requestId": 7}},
	} {
		if got := bob.send(t.Context(), message); got.status != http.StatusForbidden || strings.Contains(got.raw, "alice") {
			t.Errorf("%s: %d %s", message["method"], got.status, got.raw)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		r := bob.request(t.Context(), nil)
		r.Method, r.Body, r.ContentLength = method, nil, 0
		res, err := http.DefaultClient.Do(r)
		check(t, err)
		check(t, res.Body.Close())
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", method, res.StatusCode)
		}
	}
	if got := alice.query("SELECT currentUser()"); !strings.Contains(got, "\nalice\n") {
		t.Errorf("afterwards Alice is %s", got)
	}
}

// TestEachRequestHasItsPerson: sessions of two people, used in turns on one
// connection, never mix, although the SDK's context remembers who opened them.
func TestEachRequestHasItsPerson(t *testing.T) {
	h := newHouse(t)
	eras(t, func(t *testing.T, newer bool) {
		alice, bob := h.agent(t, "alice", newer), h.agent(t, "bob", newer)
		for range 5 {
			for _, a := range []*agent{alice, bob} {
				if got := a.query("SELECT currentUser(), groupArray(team) FROM shop.teams"); !strings.Contains(got, "\n"+a.person+"\t") {
					t.Fatalf("%s is told %s", a.person, got)
				}
			}
		}
	})
}

// TestSessionBounds: one person's sessions are bounded, the idlest gives way, and
// nobody else's is touched.
func TestSessionBounds(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.State = NewState(StateConfig{Sessions: Sessions{Each: 3, All: 5}}) })
	bob := h.agent(t, "bob", false)
	var alices []*agent
	for range 4 {
		alices = append(alices, h.agent(t, "alice", false))
	}
	for i, a := range append(alices, bob) {
		want := http.StatusOK
		if i == 0 {
			want = http.StatusNotFound // so the client begins anew
		}
		if got := a.send(t.Context(), a.message("ping", nil)); got.status != want {
			t.Errorf("session %d of %s: %d, want %d", i, a.person, got.status, want)
		}
	}
	carol, dave := h.agent(t, "carol", false), h.agent(t, "dave", false) // the second one is over the bound for all
	if got := h.state.Stats().Sessions; got != 5 {
		t.Errorf("%d sessions are open, want 5", got)
	}
	for _, a := range []*agent{carol, dave} {
		if got := a.send(t.Context(), a.message("ping", nil)); got.status != http.StatusOK {
			t.Errorf("%s: %d", a.person, got.status)
		}
	}
}

// TestBusySessionsStay: when all sessions of a person are at work, a further one
// is refused rather than one of them cut off.
func TestBusySessionsStay(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.State = NewState(StateConfig{Sessions: Sessions{Each: 1}}) })
	a := h.agent(t, "alice", false)
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := a.request(ctx, a.message("tools/call", map[string]any{"name": "query", "arguments": map[string]any{"sql": slowSQL("busy")}}))
		if res, err := http.DefaultClient.Do(r); err == nil {
			_ = res.Body.Close()
		}
	}()
	h.waitFor(t, "busy", true)
	second := &agent{t: t, url: h.url, person: "alice"}
	if res := second.hello(); res.status != http.StatusServiceUnavailable || res.header.Get("Retry-After") == "" {
		t.Errorf("a second session: %d %s", res.status, res.raw)
	}
	leave()
	<-done
	h.waitFor(t, "busy", false)
}

// TestIdleSessionsEnd: a session that nobody uses is closed, and its name given up.
func TestIdleSessionsEnd(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.State = NewState(StateConfig{Sessions: Sessions{Idle: 50 * time.Millisecond}}) })
	a := &agent{t: t, url: h.url, person: "alice"}
	a.initialize() // and no more, for the session may end at once
	eventually(t, "the session ends", func() bool { return h.state.Stats().Sessions == 0 })
	if got := a.send(t.Context(), a.message("ping", nil)); got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.raw)
	}
}

// TestShutdown: an http.Server that calls Close when it shuts down is not held up by
// a stream, and what is under way is still answered, in both eras.
func TestShutdown(t *testing.T) {
	for _, newer := range []bool{true, false} {
		h := newHouse(t)
		web := httptest.NewServer(h.Server)
		for range 2 { // once for each address that it listens on
			web.Config.RegisterOnShutdown(h.state.Close)
		}
		client := newAgent(t, web.URL, "alice", newer)
		streaming := newAgent(t, web.URL, "alice", false)
		r := streaming.request(t.Context(), nil)
		r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
		stream, err := http.DefaultClient.Do(r)
		check(t, err)
		name := map[bool]string{true: "shutdown_new", false: "shutdown_old"}[newer]
		asked := client.request(t.Context(), client.message("tools/call", map[string]any{
			"name": "query", "arguments": map[string]any{"sql": "SELECT '" + name + "', number FROM shop.slow LIMIT 40"},
		}))
		answered := make(chan *http.Response, 1)
		go func() {
			res, err := http.DefaultClient.Do(asked)
			if err != nil {
				t.Error(err)
			}
			answered <- res
		}()
		h.waitFor(t, name, true)
		check(t, web.Config.Shutdown(t.Context()))
		if res := <-answered; res != nil {
			if text, failed := client.text(client.read(res)); failed || !strings.HasPrefix(text, "40 rows, complete.") {
				t.Errorf("%s: what was under way: %.200s", name, text)
			}
		}
		streaming.read(stream)
		if open := h.state.Stats().Sessions; open != 0 {
			t.Errorf("%s: %d sessions are still open", name, open)
		}
		web.Close()
	}
}

// TestCloseEndsStreams: Close lets go of the streams that clients keep open, so
// an HTTP server can shut down.
func TestCloseEndsStreams(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", false)
	r := a.request(t.Context(), nil)
	r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
	res, err := http.DefaultClient.Do(r)
	check(t, err)
	if res.StatusCode != http.StatusOK || res.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("status %d, headers %v", res.StatusCode, res.Header)
	}
	h.state.Close()
	a.read(res) // would wait for ever
}
