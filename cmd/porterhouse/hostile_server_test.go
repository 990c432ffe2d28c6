package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
)

// statusServer is a server with words of its own in every status line.
func statusServer(t *testing.T, status string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				if _, err := http.ReadRequest(bufio.NewReader(connection)); err == nil {
					fmt.Fprintf(connection, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// Whatever a server says in its status line, it does not command the terminal.
func TestStatusLineDoesNotCommandTheTerminal(t *testing.T) {
	at := statusServer(t, "500 \x1b]0;owned\a\x1b[2J\u202e")
	var out, said bytes.Buffer
	env := func(name string) (string, bool) { return t.TempDir(), name == "XDG_CONFIG_HOME" }
	run(t.Context(), terminal{strings.NewReader(""), &said, &said, env}, []string{"login", at})
	in := func(context.Context) (pass, error) { return pass{url: at + "/mcp"}, nil }
	if err := newBridge(in, &out, &said).run(t.Context(), strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)); err != nil {
		t.Error(err)
	}
	if strings.Count(said.String(), "500 ") != 2 {
		t.Errorf("both should tell the status: %q", said.String())
	}
	for line := range strings.Lines(said.String() + out.String()) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("printed %q", line)
		}
	}
}

// A message for the person that has several lines is told in one.
func TestBridgeTellsSeveralLines(t *testing.T) {
	var said bytes.Buffer
	newBridge(nil, io.Discard, &said).tell(fmt.Errorf("say which one:\n  https://a\n  https://b"))
	if want := "porterhouse stdio: say which one: https://a https://b\n"; said.String() != want {
		t.Errorf("told %q, want %q", said.String(), want)
	}
}

// A bridge whose client has gone does not wait for ever for a server that never
// answers initialize.
func TestBridgeWithoutAnswerToInitialize(t *testing.T) {
	d := newDistant(t)
	d.answer = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "text/event-stream")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
		return true
	}
	var out bytes.Buffer
	b := newBridge(d.good, &out, io.Discard)
	b.opening = 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	in := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`
	if err := b.run(ctx, strings.NewReader(in)); err != nil || ctx.Err() != nil {
		t.Fatalf("it ended with %v, %v", err, ctx.Err())
	}
	if !strings.Contains(out.String(), `"id":1`) || !strings.Contains(out.String(), "unavailable") {
		t.Errorf("the client is told %q", out.String())
	}
}

// An id is the same however it is written: an answer is given once, and to its call.
func TestBridgeKnowsIDs(t *testing.T) {
	d := newDistant(t)
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"n","version":"1"}}`
	for _, id := range []string{`"\u00e9"`, `"\u003c"`, `1.0`, `"a\/b"`} {
		var out bytes.Buffer
		in := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"echo","arguments":{"Text":"x"},%s}}`, id, meta)
		if err := newBridge(d.good, &out, io.Discard).run(t.Context(), strings.NewReader(in)); err != nil {
			t.Error(err)
		}
		if strings.Count(out.String(), "\n") != 1 || strings.Contains(out.String(), `"error"`) {
			t.Errorf("%s: answered with %q", id, out.String())
		}
	}
	for _, pair := range [][2]string{{`1`, `"1"`}, {`{}`, `1`}, {`[]`, `{}`}, {`"a"`, `"A"`}, {`null`, `0`}} {
		if sameID(json.RawMessage(pair[0]), json.RawMessage(pair[1])) {
			t.Errorf("%s and %s are taken for one", pair[0], pair[1])
		}
	}
}
