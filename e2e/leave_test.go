package e2e

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

// A question whose client goes away is dead in ClickHouse within a second, by
// whatever way the client came.
func TestClientGoesAway(t *testing.T) {
	db, gateway := withSamples()
	h := openHouse(t, db.HTTP, gateway, settings{})
	running := func() bool {
		n, err := db.Text(t.Context(), "SELECT count() FROM system.processes WHERE query LIKE '%going_away%' AND query NOT LIKE '%system.processes%'")
		if err != nil {
			t.Fatal(err)
		}
		return n != "0"
	}
	const question = "SELECT max(cityHash64(number)) AS going_away FROM numbers(1000000000000)"
	gone := func(t *testing.T, leave func()) {
		t.Helper()
		h := h.in(t)
		h.eventually("the question runs", 10*time.Second, running)
		left := time.Now()
		leave()
		h.eventually("the question is dead", time.Second, func() bool { return !running() })
		t.Logf("dead after %v", time.Since(left).Round(time.Millisecond))
	}
	bothEras(t, func(t *testing.T, era string) {
		a := h.in(t).mustAgent("alice", era)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := a.call(ctx, "query", map[string]any{"sql": question})
			done <- err
		}()
		gone(t, cancel)
		if err := <-done; err == nil {
			t.Error("the call was answered although it was cancelled")
		}
	})
	t.Run("stdio", func(t *testing.T) {
		other := prepareHouse(t, db.HTTP, gateway, settings{})
		other.env = []string{"PORTERHOUSE_TOKEN=" + other.token("alice@example.com")}
		cmd := other.command("stdio", "--config", other.config)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var log lockedBuffer
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		talk(t, in, json.NewDecoder(out), question)
		gone(t, func() { _ = in.Close() }) // as a client does that ends its server
		if err := cmd.Wait(); err != nil {
			t.Errorf("stdio ended with %v\n%s", err, log.String())
		}
	})
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
