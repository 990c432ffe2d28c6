package e2e

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox"
)

// A question whose client goes away is dead in ClickHouse within a second, by
// whatever way the client came.
func TestClientGoesAway(t *testing.T) {
	db, gateway := withSamples()
	h := openHouse(t, db.HTTP, gateway, settings{})
	bothEras(t, func(t *testing.T, era string) {
		h := h.in(t)
		a := h.mustAgent("alice", era)
		h.withinASecond("the question is dead", func() time.Duration {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := a.call(ctx, "query", map[string]any{"sql": endless})
				done <- err
			}()
			took := h.dead(db, cancel)
			if err := <-done; err == nil {
				t.Error("the call was answered although it was cancelled")
			}
			return took
		})
	})
	t.Run("stdio", func(t *testing.T) {
		other := prepareHouse(t, db.HTTP, gateway, settings{})
		other.log = &lockedBuffer{}
		other.env = []string{"PORTERHOUSE_TOKEN=" + other.token("alice@example.com")}
		other.withinASecond("the question is dead", func() time.Duration { return other.leaveStdio(db) })
	})
}

// endless is a question of 60 seconds, which is the limit.
const endless = "SELECT max(cityHash64(number)) AS going_away FROM numbers(1000000000000)"

// dead waits until ClickHouse runs the endless question, leaves, and returns how
// long ClickHouse goes on with it.
func (h *house) dead(db *sandbox.Server, leave func()) time.Duration {
	h.t.Helper()
	running := func() bool {
		n, err := db.Text(h.t.Context(), "SELECT count() FROM system.processes WHERE query LIKE '%going_away%' AND query NOT LIKE '%system.processes%'")
		if err != nil {
			h.t.Fatal(err)
		}
		return n != "0"
	}
	h.eventually("the question runs", 20*time.Second, running)
	left := time.Now()
	leave()
	h.eventually("the question is dead", far, func() bool { return !running() })
	return time.Since(left)
}

// leaveStdio asks the endless question on stdio and closes it, as a client does
// that ends its server.
func (h *house) leaveStdio(db *sandbox.Server) time.Duration {
	h.t.Helper()
	cmd := h.command("stdio", "--config", h.config)
	in, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd.Stderr = h.log
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = cmd.Process.Kill() }) // when the test fails in between
	talk(h.t, in, json.NewDecoder(out), endless)
	took := h.dead(db, func() { _ = in.Close() })
	if err := cmd.Wait(); err != nil {
		h.t.Errorf("stdio ended with %v\n%s", err, h.log.String())
	}
	return took
}

// talk opens a session on stdio and asks, without waiting for the answer.
func talk(t *testing.T, in io.Writer, out *json.Decoder, question string) {
	t.Helper()
	e := json.NewEncoder(in)
	send := func(message map[string]any) {
		message["jsonrpc"] = "2.0"
		if err := e.Encode(message); err != nil {
			t.Fatal(err)
		}
	}
	send(map[string]any{"id": 1, "method": "initialize", "params": map[string]any{
		"protocolVersion": sessions, "capabilities": map[string]any{}, "clientInfo": clientInfo()}})
	var hello map[string]any
	if err := out.Decode(&hello); err != nil || hello["result"] == nil {
		t.Fatalf("initialize: %v, %v", hello, err)
	}
	send(map[string]any{"method": "notifications/initialized"})
	send(map[string]any{"id": 2, "method": "tools/call", "params": map[string]any{"name": "whoami", "arguments": map[string]any{}}})
	var who struct {
		Result struct {
			Content []struct{ Text string }
		}
	}
	if err := out.Decode(&who); err != nil || len(who.Result.Content) == 0 || !strings.Contains(who.Result.Content[0].Text, "alice") {
		t.Fatalf("whoami: %+v, %v", who, err)
	}
	send(map[string]any{"id": 3, "method": "tools/call", "params": map[string]any{"name": "query", "arguments": map[string]any{"sql": question}}})
}
