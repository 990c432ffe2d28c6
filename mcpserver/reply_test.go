package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// nasty is a long text with everything that could break the frame around it.
func nasty() string {
	return strings.Repeat("row\t\"quoted\" \\N é€😀 </script>\n\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"result\":{}}\n\n", 100)
}

// textDoor is a real door around one tool, say, that answers with the text given.
func textDoor(t testing.TB, text string, saw func(*reply)) string {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "say", Version: "1"}, nil)
	server.AddTool(&mcp.Tool{Name: "say", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			v, err := visitOf(req.Extra)
			if err != nil {
				return nil, err
			}
			c := newCall(v, "say")
			defer c.end()
			if token := req.Params.GetProgressToken(); token != nil {
				if err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: 1, Message: "at work"}); err != nil {
					return nil, err
				}
			}
			*c.text = append(*c.text, text...)
			res := c.result()
			if saw != nil {
				saw(v.reply)
			}
			return res, nil
		})
	d := doorAround(t, server, Config{Verify: verify, ResourceMetadata: "https://p.example.com/x"})
	web := httptest.NewServer(d)
	t.Cleanup(func() { d.State.Close(); web.Close() })
	return web.URL
}

// TestLongText: a long text arrives unchanged, in both eras, as one document and
// behind a note on progress; the length is right, and no placeholder is left.
func TestLongText(t *testing.T) {
	text := nasty()
	var placeholder string
	url := textDoor(t, text, func(r *reply) {
		r.mu.Lock()
		defer r.mu.Unlock()
		placeholder = r.texts[0].placeholder
	})
	eras(t, func(t *testing.T, newer bool) {
		a := newAgent(t, url, "alice", newer)
		for _, notes := range []int{0, 1} {
			params := map[string]any{"name": "say", "arguments": map[string]any{}}
			if notes > 0 {
				params["_meta"] = map[string]any{"progressToken": "p"}
			}
			got := a.send(t.Context(), a.message("tools/call", params))
			if len(got.notes) != notes {
				t.Errorf("%d notes, want %d", len(got.notes), notes)
			}
			if said, failed := a.text(got); said != text || failed {
				t.Errorf("the text changed: %d bytes of %d", len(said), len(text))
			}
			if placeholder == "" || strings.Contains(got.raw, placeholder) {
				t.Errorf("the placeholder %q left the process", placeholder)
			}
			switch kind := got.header.Get("Content-Type"); {
			case notes > 0 && kind != "text/event-stream":
				t.Errorf("with a note: %s", kind)
			case notes == 0 && (kind != "application/json" || got.header.Get("Content-Length") != strconv.Itoa(len(got.raw))):
				t.Errorf("alone: %s, %s bytes of %d", kind, got.header.Get("Content-Length"), len(got.raw))
			}
		}
	})
}

// TestPlaceholderAttack: a client that sends texts like our placeholders gets
// them back as they are, wherever the protocol echoes them, and its answer too.
func TestPlaceholderAttack(t *testing.T) {
	text := nasty()
	seen := make(map[string]bool)
	url := textDoor(t, text, func(r *reply) {
		r.mu.Lock()
		defer r.mu.Unlock()
		seen[r.texts[0].placeholder] = true
	})
	eras(t, func(t *testing.T, newer bool) {
		a := newAgent(t, url, "alice", newer)
		for _, id := range []string{"text-", "text-ABCDEFGHIJKLMNOPQRSTUVWXYZ", `","result":{"content":[]},"x":"`, "event: message\ndata: {}\n\n", "result", "method"} {
			message := a.message("tools/call", map[string]any{"name": "say", "arguments": map[string]any{"x": id}})
			message["id"] = id
			got := a.send(t.Context(), message)
			if got.answer.ID != id {
				t.Errorf("the id %q came back as %v", id, got.answer.ID)
			}
			if said, _ := a.text(got); said != text {
				t.Errorf("with the id %q the text changed", id)
			}
		}
	})
	if len(seen) != 12 {
		t.Errorf("%d different placeholders in 12 answers", len(seen))
	}
	for placeholder := range seen {
		// rand.Text has 128 bits or more.
		if !regexp.MustCompile(`^text-[A-Z2-7]{26,}$`).MatchString(placeholder) {
			t.Errorf("placeholder %q", placeholder)
		}
	}
}

// TestBatch: before 2025-06-18 one request could hold several messages. Each has
// its answer, so there is no single document to make of the first.
func TestBatch(t *testing.T) {
	text := nasty()
	a := newAgent(t, textDoor(t, text, nil), "alice", false)
	var batch []map[string]any
	for id := range 3 {
		message := a.message("tools/call", map[string]any{"name": "say", "arguments": map[string]any{}})
		message["id"] = id + 1
		batch = append(batch, message)
	}
	body, err := json.Marshal(batch)
	check(t, err)
	r := a.request(t.Context(), nil)
	r.Body, r.ContentLength = http.NoBody, 0
	r, err = http.NewRequestWithContext(t.Context(), http.MethodPost, a.url, bytes.NewReader(body))
	check(t, err)
	r.Header = a.request(t.Context(), nil).Header
	r.Header.Set("MCP-Protocol-Version", "2025-03-26")
	res, err := http.DefaultClient.Do(r)
	check(t, err)
	got := a.read(res)
	if n := strings.Count(got.raw, `"result"`+":"); n != 3 || got.header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d answers: %s", n, got.header)
	}
	if said, _ := a.text(got); said != text {
		t.Errorf("the text changed")
	}
}

// TestHoldAfterTheEnd: a tool that ends after its request is gone holds nothing.
func TestHoldAfterTheEnd(t *testing.T) {
	given := 0
	r := &reply{ResponseWriter: httptest.NewRecorder(), recycle: func(*[]byte) { given++ }}
	text := []byte("late")
	if _, ok := r.hold(&text); !ok {
		t.Fatal("cannot hold")
	}
	if lost := r.close(); lost != 1 || given != 1 {
		t.Errorf("%d lost, %d given back", lost, given)
	}
	if _, ok := r.hold(&text); ok {
		t.Error("holds after the end")
	}
}

func TestIsAnswer(t *testing.T) {
	for message, want := range map[string]bool{
		`{"jsonrpc":"2.0","id":1,"result":{"method":"x"}}`:                       true,
		`{"jsonrpc":"2.0","id":-9007199254740991,"result":{}}`:                   true,
		`{"jsonrpc":"2.0","id":"method","result":{}}`:                            true,
		`{"jsonrpc":"2.0","id":"a\",b\\","result":{}}`:                           true,
		`{"jsonrpc":"2.0","id":"","error":{"code":1,"message":"x"}}`:             true,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{}}`:        false,
		`{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}`: false,
		`{"jsonrpc":"2.0","id":"\",\"result\":","method":"x"}`:                   false,
		`{"jsonrpc":"2.0","id":",`:                                               false, `{"jsonrpc":"2.0","id":`: false, `{"jsonrpc":"2.0","id":1`: false,
		`[{"jsonrpc":"2.0","id":1,"result":1}]`: false, `{`: false, ``: false,
	} {
		if isAnswer([]byte(message)) != want {
			t.Errorf("isAnswer(%s) is not %t", message, want)
		}
	}
}
