package mcpserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// agent is an MCP client that these tests can look into: it speaks one of the
// eras over HTTP and keeps what came over the wire.
type agent struct {
	t       testing.TB
	url     string
	person  string
	newer   bool
	session string
}

// eras runs f as a subtest for each era.
func eras(t *testing.T, f func(t *testing.T, newer bool)) {
	for _, newer := range []bool{true, false} {
		t.Run(map[bool]string{true: "2026-07-28", false: "2025-11-25"}[newer], func(t *testing.T) { f(t, newer) })
	}
}

// agent opens a session where the era has them.
func (h *house) agent(t testing.TB, person string, newer bool) *agent {
	t.Helper()
	return newAgent(t, h.url, person, newer)
}

func newAgent(t testing.TB, url, person string, newer bool) *agent {
	t.Helper()
	a := &agent{t: t, url: url, person: person, newer: newer}
	if newer {
		return a
	}
	a.initialize()
	a.send(t.Context(), map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	return a
}

// hello asks for a session.
func (a *agent) hello() received {
	a.t.Helper()
	return a.send(a.t.Context(), a.message("initialize", map[string]any{
		"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "test", "version": "1"},
	}))
}

// initialize asks for a session, and gets one.
func (a *agent) initialize() {
	a.t.Helper()
	res := a.hello()
	a.session = res.header.Get(sessionHeader)
	if res.status != http.StatusOK || a.session == "" {
		a.t.Fatalf("initialize: %d %s", res.status, res.raw)
	}
}

// message is a request of this agent's era.
func (a *agent) message(method string, params map[string]any) map[string]any {
	if a.newer {
		meta, _ := params["_meta"].(map[string]any)
		if meta == nil {
			meta = map[string]any{}
		}
		meta["io.modelcontextprotocol/protocolVersion"] = newestEra
		meta["io.modelcontextprotocol/clientCapabilities"] = map[string]any{}
		meta["io.modelcontextprotocol/clientInfo"] = map[string]any{"name": "test", "version": "1"}
		if params == nil {
			params = map[string]any{}
		}
		params["_meta"] = meta
	}
	return map[string]any{"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
}

// received is what came back.
type received struct {
	status int
	header http.Header
	raw    string
	notes  []map[string]any // notifications before the answer
	answer struct {
		ID     any             `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
}

// request makes the HTTP request of a message.
func (a *agent) request(ctx context.Context, message map[string]any) *http.Request {
	a.t.Helper()
	body, err := json.Marshal(message)
	check(a.t, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	check(a.t, err)
	r.Header.Set("Authorization", "Bearer "+tokenOf(a.person))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	method, _ := message["method"].(string)
	switch params, _ := message["params"].(map[string]any); {
	case a.newer:
		r.Header.Set("MCP-Protocol-Version", newestEra)
		r.Header.Set("Mcp-Method", method)
		for _, key := range []string{"name", "uri"} {
			if name, ok := params[key].(string); ok {
				r.Header.Set("Mcp-Name", name)
			}
		}
	case a.session != "":
		r.Header.Set("MCP-Protocol-Version", "2025-11-25")
		r.Header.Set(sessionHeader, a.session)
	}
	return r
}

// send posts a message and reads the whole response.
func (a *agent) send(ctx context.Context, message map[string]any) received {
	a.t.Helper()
	res, err := http.DefaultClient.Do(a.request(ctx, message))
	check(a.t, err)
	defer res.Body.Close()
	return a.read(res)
}

func (a *agent) read(res *http.Response) received {
	a.t.Helper()
	raw, err := io.ReadAll(res.Body)
	check(a.t, err)
	got := received{status: res.StatusCode, header: res.Header, raw: string(raw)}
	documents := [][]byte{raw}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		documents = nil
		lines := bufio.NewScanner(bytes.NewReader(raw))
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
				documents = append(documents, bytes.Clone(data))
			}
		}
	}
	for _, d := range documents {
		var note map[string]any
		if json.Unmarshal(d, &note) == nil && note["method"] != nil {
			got.notes = append(got.notes, note)
		} else if len(d) > 0 {
			_ = json.Unmarshal(d, &got.answer) // a refusal of ours is no JSON-RPC
		}
	}
	return got
}

// call calls a tool and returns the text of its result.
func (a *agent) call(tool string, arguments map[string]any) (text string, failed bool) {
	a.t.Helper()
	return a.text(a.send(a.t.Context(), a.message("tools/call", map[string]any{"name": tool, "arguments": arguments})))
}

// text takes the text out of the result of a tool.
func (a *agent) text(res received) (text string, failed bool) {
	a.t.Helper()
	var result struct {
		IsError bool
		Content []struct{ Type, Text string }
	}
	if res.answer.Result == nil {
		a.t.Fatalf("status %d: %s", res.status, res.raw)
	}
	check(a.t, json.Unmarshal(res.answer.Result, &result))
	if len(result.Content) != 1 || result.Content[0].Type != "text" {
		a.t.Fatalf("content: %s", res.answer.Result)
	}
	return result.Content[0].Text, result.IsError
}

// query is a call of the tool query that must not fail.
func (a *agent) query(sql string) string {
	a.t.Helper()
	text, failed := a.call("query", map[string]any{"sql": sql})
	if failed {
		a.t.Fatalf("%s\n%s", sql, text)
	}
	return text
}
