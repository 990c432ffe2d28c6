package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// longAnswer is an answer of 75 kB, as TSV rows are.
func longAnswer() []byte {
	row := "12345\tcustomer \"x\"\t2026-01-01 00:00:00\t0.123456\t\\N\tüñí\t[1,2,3]\t{'a':1}\tpaid\tlast\n"
	return []byte(strings.Repeat(row, 75_000/len(row)+1))
}

// BenchmarkLongText is the door alone, without ClickHouse and without a network:
// a tool that answers 75 kB, once around the SDK's marshalling and once through it.
func BenchmarkLongText(b *testing.B) {
	text := longAnswer()
	for _, held := range []bool{true, false} {
		for _, newer := range []bool{true, false} {
			b.Run(fmt.Sprintf("held=%t/newer=%t", held, newer), func(b *testing.B) {
				benchText(b, text, held, newer)
			})
		}
	}
}

// BenchmarkShortText is the least that a call costs at the door.
func BenchmarkShortText(b *testing.B) {
	for _, newer := range []bool{true, false} {
		b.Run(fmt.Sprintf("newer=%t", newer), func(b *testing.B) { benchText(b, []byte("1 row, complete.\n1:UInt8\n1\n"), true, newer) })
	}
}

func benchText(b *testing.B, text []byte, held, newer bool) {
	server := mcp.NewServer(&mcp.Implementation{Name: "bench", Version: "1"}, nil)
	server.AddTool(&mcp.Tool{Name: "query", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			v, err := visitOf(req.Extra)
			if err != nil {
				return nil, err
			}
			c := newCall(v, "query")
			defer c.end()
			*c.text = append(*c.text, text...)
			if !held {
				c.reply = nil
			}
			return c.result(), nil
		})
	d := doorAround(b, server, Config{Verify: verify, ResourceMetadata: "https://p.example.com/x"})
	web := httptest.NewServer(d)
	defer web.Close()
	defer d.State.Close()
	a := newAgent(b, web.URL, "alice", newer)
	body, err := json.Marshal(a.message("tools/call", map[string]any{"name": "query", "arguments": map[string]any{"sql": "SELECT 1"}}))
	check(b, err)
	template := a.request(b.Context(), a.message("tools/call", map[string]any{"name": "query"}))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/mcp", bytes.NewReader(body))
		r.Header = template.Header
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.Len() < len(text) {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

func BenchmarkEscape(b *testing.B) {
	text := longAnswer()
	b.SetBytes(int64(len(text)))
	var dst []byte
	for b.Loop() {
		dst = appendEscaped(dst[:0], text)
	}
}
