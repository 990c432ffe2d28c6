package mcpserver

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// gone waits until the statement is dead and tells how long that took. The issue
// asks for 1 s on an idle machine; here only a statement that goes on is a failure.
func (h *house) gone(t testing.TB, name string) {
	t.Helper()
	since := time.Now()
	h.waitFor(t, name, false)
	t.Logf("dead after %v", time.Since(since).Round(time.Millisecond))
}

// TestClientGoesAway: a statement of a minute whose client closes the connection
// is dead in ClickHouse at once, in both eras.
func TestClientGoesAway(t *testing.T) {
	h := newHouse(t)
	eras(t, func(t *testing.T, newer bool) {
		a := h.agent(t, "alice", newer)
		for name, params := range map[string]map[string]any{
			"plain": {}, "noting": {"_meta": map[string]any{"progressToken": 1}},
		} {
			t.Run(name, func(t *testing.T) {
				mark := "away_" + name + map[bool]string{true: "_new", false: "_old"}[newer]
				params["name"], params["arguments"] = "query", map[string]any{"sql": slowSQL(mark)}
				ctx, leave := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					if res, err := http.DefaultClient.Do(a.request(ctx, a.message("tools/call", params))); err == nil {
						_, _ = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
					}
				}()
				h.waitFor(t, mark, true)
				leave()
				h.gone(t, mark)
				<-done
			})
		}
		if !newer {
			if got := a.query("SELECT 1"); !strings.HasPrefix(got, "1 row") {
				t.Errorf("afterwards the session says %s", got)
			}
		}
	})
}

// TestCancelledNotification: in a session the client can also say so.
func TestCancelledNotification(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", false)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := http.DefaultClient.Do(a.request(ctx, a.message("tools/call", map[string]any{
			"name": "query", "arguments": map[string]any{"sql": slowSQL("notified")},
		}))); err == nil {
			_ = res.Body.Close()
		}
	}()
	h.waitFor(t, "notified", true)
	if got := a.send(t.Context(), map[string]any{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": map[string]any{"requestId": 7}}); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.raw)
	}
	h.gone(t, "notified")
	leave()
	<-done
}

// proof proves somebody on stdio.
type proof = func(context.Context) (porterhouse.Principal, error)

// stdio runs the server on a pipe, as a person, and connects a client to it.
// hangUp ends the client's side; ended is closed when Run has returned.
func (h *house) stdio(t testing.TB, ctx context.Context, verify proof) (session *mcp.ClientSession, hangUp func(), ended chan struct{}) {
	t.Helper()
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		if err := h.Run(ctx, verify, &mcp.IOTransport{Reader: fromClient, Writer: toClient}); err != nil && ctx.Err() == nil {
			t.Errorf("Run: %v", err)
		}
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.IOTransport{Reader: fromServer, Writer: toServer}, nil)
	check(t, err)
	return session, func() { _ = toServer.Close(); _ = fromServer.Close() }, ended
}

// aliceOnStdio is who PORTERHOUSE_TOKEN would prove.
func aliceOnStdio(ctx context.Context) (porterhouse.Principal, error) {
	return verify(ctx, tokenOf("alice"))
}

// TestStdioGoesAway: on stdio a client goes away by cancelling, by hanging up, or
// because our own process ends.
func TestStdioGoesAway(t *testing.T) {
	h := newHouse(t)
	for name, away := range map[string]func(cancelCall, hangUp, endProcess func()){
		"cancel":  func(cancelCall, _, _ func()) { cancelCall() },
		"hang_up": func(_, hangUp, _ func()) { hangUp() },
		"end":     func(_, _, endProcess func()) { endProcess() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, endProcess := context.WithCancel(t.Context())
			defer endProcess()
			session, hangUp, ended := h.stdio(t, ctx, aliceOnStdio)
			calling, cancelCall := context.WithCancel(t.Context())
			defer cancelCall()
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = session.CallTool(calling, &mcp.CallToolParams{Name: "query", Arguments: map[string]any{"sql": slowSQL("stdio_" + name)}})
			}()
			h.waitFor(t, "stdio_"+name, true)
			away(cancelCall, hangUp, endProcess)
			h.gone(t, "stdio_"+name)
			cancelCall()
			hangUp()
			<-done
			<-ended
		})
	}
}
