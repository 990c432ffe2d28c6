package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// TestLists: what we offer is small, true, and the same every time and for
// everybody.
func TestLists(t *testing.T) {
	h := newHouse(t)
	eras(t, func(t *testing.T, newer bool) {
		var first string
		for _, person := range []string{"alice", "bob", "alice"} {
			a := h.agent(t, person, newer)
			var all string
			for _, method := range []string{"tools/list", "prompts/list", "resources/list", "resources/templates/list"} {
				got := a.send(t.Context(), a.message(method, nil))
				if got.answer.Error != nil {
					t.Fatalf("%s: %s", method, got.raw)
				}
				if newer && !strings.Contains(got.raw, `"cacheScope":"public"`) {
					t.Errorf("%s: %s", method, got.raw)
				}
				all += string(got.answer.Result)
			}
			if first == "" {
				first = all
			}
			if all != first {
				t.Errorf("%s is offered something else", person)
			}
		}
		if len(first) > 6000 {
			t.Errorf("the definitions have %d bytes", len(first))
		}
		if strings.Contains(first, "outputSchema") {
			t.Error("an outputSchema would ask for a second copy of the text")
		}
		for _, tool := range []string{"query", "search_schema", "describe_tables", "whoami"} {
			if !strings.Contains(first, `"name":"`+tool+`"`) {
				t.Errorf("no tool %s in %s", tool, first)
			}
		}
		if n := strings.Count(first, `"annotations":{"destructiveHint":false,"idempotentHint":true,"openWorldHint":false,"readOnlyHint":true}`); n != 4 {
			t.Errorf("%d of 4 tools say what they are", n)
		}
	})
}

// TestResource: the description of a table, for those who may see it.
func TestResource(t *testing.T) {
	h := newHouse(t)
	h.exec(t, warehouse...)
	eras(t, func(t *testing.T, newer bool) {
		alice, bob := h.agent(t, "alice", newer), h.agent(t, "bob", newer)
		read := func(a *agent, uri string) received {
			return a.send(t.Context(), a.message("resources/read", map[string]any{"uri": uri}))
		}
		got := read(alice, "clickhouse://shop/orders")
		if !strings.Contains(string(got.answer.Result), `shop.orders (MergeTree, 1000 rows`) || strings.Contains(got.raw, "structuredContent") {
			t.Errorf("%s", got.raw)
		}
		if newer && !strings.Contains(got.raw, `"cacheScope":"private"`) {
			t.Errorf("what Alice sees is not hers alone: %s", got.raw)
		}
		if got := read(alice, "clickhouse://warehouse/odd%20name"); !strings.Contains(string(got.answer.Result), "c\\\\`d") {
			t.Errorf("%s", got.raw)
		}
		if got := read(bob, "clickhouse://shop/orders"); strings.Contains(got.raw, "price") {
			t.Errorf("Bob reads %s", got.raw)
		}
		for _, uri := range []string{"clickhouse://vault/orderss", "clickhouse://shop/none", "clickhouse://%ZZ/x", "clickhouse://shop/", "file:///etc/passwd", "clickhouse://shop/x\"y", "clickhouse://shop/orders/x"} {
			if got := read(alice, uri); got.answer.Error == nil {
				t.Errorf("%q: %d %s", uri, got.status, got.raw)
			}
		}
		if !newer { // the newer era has the URI in a header as well, which Go's client checks
			for _, uri := range []string{"clickhouse://sh\x01op/x", "x\x00", "😀://x"} {
				if got := read(alice, uri); got.answer.Error == nil {
					t.Errorf("%q: %d %s", uri, got.status, got.raw)
				}
			}
		}
	})
}

// TestPrompt: the prompt says what to do, with the person's topic as a text.
func TestPrompt(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", true)
	for topic, want := range map[string]string{"": "whoami, to see", `sales "today"`: `topic: \\\"sales \\\\\\\"today\\\\\\\"\\\"`} {
		got := a.send(t.Context(), a.message("prompts/get", map[string]any{"name": "explore", "arguments": map[string]any{"topic": topic}}))
		encoded, err := json.Marshal(string(got.answer.Result))
		check(t, err)
		if !strings.Contains(string(encoded), want) {
			t.Errorf("%q: no %s in %s", topic, want, encoded)
		}
	}
}

// TestProgress: a client that asks for it hears of a long question, before the
// answer and on the same stream; others get one document.
func TestProgress(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.ProgressGap = 20 * time.Millisecond })
	sql := "SELECT number FROM shop.slow LIMIT 10"
	eras(t, func(t *testing.T, newer bool) {
		a := h.agent(t, "alice", newer)
		got := a.send(t.Context(), a.message("tools/call", map[string]any{
			"name": "query", "arguments": map[string]any{"sql": sql}, "_meta": map[string]any{"progressToken": "mine"},
		}))
		if text, failed := a.text(got); failed || !strings.HasPrefix(text, "10 rows, complete.") {
			t.Error(text)
		}
		if len(got.notes) == 0 {
			t.Fatalf("no note in %s", got.raw)
		}
		last := 0.0
		for _, note := range got.notes {
			params := note["params"].(map[string]any)
			done, message := params["progress"].(float64), params["message"].(string)
			if note["method"] != "notifications/progress" || params["progressToken"] != "mine" || done <= last || !strings.Contains(message, "rows so far") {
				t.Errorf("%v", note)
			}
			last = done
		}
		got = a.send(t.Context(), a.message("tools/call", map[string]any{"name": "query", "arguments": map[string]any{"sql": sql}}))
		if len(got.notes) != 0 || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("without a token: %s", got.raw)
		}
	})
}

// TestLog: one line for each request, which tells who, what and how it went, and
// never the token, the SQL or a row.
func TestLog(t *testing.T) {
	h := newHouse(t)
	alice := h.agent(t, "alice", true)
	before := strings.Count(h.logged.String(), "\n")
	alice.query("SELECT 'needle' AS secret_row")
	alice.call("query", map[string]any{"sql": "SELECT needle FROM shop.orders"})
	alice.call("whoami", nil)
	alice.send(t.Context(), alice.message("no/such/method", nil))
	lines := strings.Split(strings.TrimSpace(h.logged.String()), "\n")[before:]
	for i, want := range []string{
		`level=INFO msg="mcp message" request=`, `kind=failed cause=`, `tool=whoami`, `level=INFO msg="mcp request" request=`,
	} {
		if i >= len(lines) || !strings.Contains(lines[i], want) || !strings.Contains(lines[i], "duration=") || !strings.Contains(lines[i], "user=alice@example.com client=test-client") || !strings.Contains(lines[i], " remote=127.0.0.1") {
			t.Errorf("line %d: no %q in %q", i, want, lines)
		}
	}
	if len(lines) != 4 {
		t.Errorf("%d lines for 4 requests:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, secret := range []string{tokenOf("alice"), "secret_row", "'needle'"} {
		if strings.Contains(h.logged.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// TestPanic: a panic in a handler is an internal error with the request's id; its
// stack is in the log, and the server goes on.
func TestPanic(t *testing.T) {
	var logged lockedBuffer
	server := mcp.NewServer(&mcp.Implementation{Name: "panics", Version: "1"}, nil)
	server.AddTool(&mcp.Tool{Name: "panic", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic("the secret cause") })
	d := doorAround(t, server, Config{Verify: verify, ResourceMetadata: "https://p.example.com/x", Log: slog.New(slog.NewTextHandler(&logged, nil))})
	web := httptest.NewServer(d)
	t.Cleanup(func() { d.State.Close(); web.Close() })
	eras(t, func(t *testing.T, newer bool) {
		a := newAgent(t, web.URL, "alice", newer)
		got := a.send(t.Context(), a.message("tools/call", map[string]any{"name": "panic"}))
		if got.answer.Error == nil || got.answer.Error.Message != "internal error, request id "+got.header.Get("X-Request-Id") || strings.Contains(got.raw, "secret") {
			t.Errorf("%s", got.raw)
		}
		if a.send(t.Context(), a.message("tools/list", nil)).answer.Result == nil {
			t.Error("afterwards it does not answer")
		}
	})
	if !strings.Contains(logged.String(), "panic: the secret cause") || !strings.Contains(logged.String(), "protocol_test.go") {
		t.Errorf("the log has no stack: %s", logged.String())
	}
}

// TestInternalErrorsStayInside: a cause of ours is in the log, under the id that
// the caller is told.
func TestInternalErrorsStayInside(t *testing.T) {
	h := newHouse(t)
	check(t, h.record.Close()) // from now on nothing can be recorded, so nothing is asked
	text, failed := h.agent(t, "alice", true).call("query", map[string]any{"sql": "SELECT 1"})
	if !failed || !strings.HasPrefix(text, "Error unavailable: the audit record cannot be written, so nothing was asked") {
		t.Errorf("failed %t: %s", failed, text)
	}
	c := newCall(&visit{server: h.Server, request: "the-id", door: Door}, "query")
	defer c.end()
	res := c.failed(t.Context(), fmt.Errorf("dial tcp 10.0.0.1:8123: password hunter2"))
	said := res.Content[0].(*mcp.TextContent).Text
	if said != "Error internal: internal error, request id the-id\n" {
		t.Errorf("%q", said)
	}
}

// TestUnnamedException: where ClickHouse named no error, its kind stands for it.
func TestUnnamedException(t *testing.T) {
	h := newHouse(t)
	c := newCall(&visit{server: h.Server, request: "the-id", door: Door}, "query")
	defer c.end()
	x := &porterhouse.Exception{Code: 81, Message: "Database x does not exist"}
	said := c.failed(t.Context(), &porterhouse.Error{Kind: porterhouse.Failed, Public: x.Error(), Err: x}).Content[0].(*mcp.TextContent).Text
	if said != "Error failed (ClickHouse 81): Database x does not exist\n" {
		t.Errorf("%q", said)
	}
}

// TestEchoesAreBounded: what a caller sends does not come back at its full length.
func TestEchoesAreBounded(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", false)
	long := strings.Repeat("é.", 50_000)
	var tables []string
	for i := range maxTables {
		tables = append(tables, fmt.Sprintf("shop.t%d%s", i, strings.Repeat("x", 500)))
	}
	for name, c := range map[string]struct {
		tool string
		args map[string]any
		most int
	}{
		"words":         {"search_schema", map[string]any{"words": "orders" + strings.Repeat(" ,", 50_000)}, 1_000},
		"words in vain": {"search_schema", map[string]any{"words": "zzz" + strings.Repeat(" ,", 50_000)}, 1_000},
		"words beyond":  {"search_schema", map[string]any{"words": "orders" + strings.Repeat(" ,", 50_000), "page": 7}, 1_000},
		"database":      {"search_schema", map[string]any{"words": "orders", "database": strings.Repeat("x", 4_000)}, 1_000},
		"kind":          {"search_schema", map[string]any{"words": "orders", "kind": long}, 1_000},
		"one word":      {"search_schema", map[string]any{"words": strings.Repeat("x", 100_000)}, 1_000},
		"no table":      {"describe_tables", map[string]any{"tables": []string{long}}, 1_000},
		"unknown names": {"describe_tables", map[string]any{"tables": tables}, 8_000},
		"format":        {"query", map[string]any{"sql": "SELECT 1", "format": long}, 1_000},
		"argument":      {"query", map[string]any{"sql": "SELECT 1", long: 1}, 1_000},
		"number":        {"query", map[string]any{"sql": "SELECT 1", "max_rows": json.Number("1" + strings.Repeat("0", 50_000))}, 1_000},
		"statement":     {"query", map[string]any{"sql": "SELECT " + strings.Repeat("x", 100_000)}, 3_000},
		"setting":       {"query", map[string]any{"sql": "SELECT 1 SETTINGS " + strings.Repeat("x", 100_000) + " = 1"}, 5_000},
		"function":      {"query", map[string]any{"sql": "SELECT 1 FROM " + strings.Repeat("x", 100_000) + "(1)"}, 5_000},
		"verb":          {"query", map[string]any{"sql": strings.Repeat("X", 100_000)}, 1_000},
		"exception":     {"query", map[string]any{"sql": "SELECT throwIf(1, repeat('x', 100000))"}, 3_000},
	} {
		t.Run(name, func(t *testing.T) {
			if text, _ := a.call(c.tool, c.args); len(text) > c.most || text == "" {
				t.Errorf("%d bytes: %.200s", len(text), text)
			}
		})
	}
	uri := "clickhouse://shop/" + strings.Repeat("x", 10_000)
	if got := a.send(t.Context(), a.message("resources/read", map[string]any{"uri": uri})); len(got.raw) > 1_000 || got.answer.Error == nil {
		t.Errorf("resource: %d bytes", len(got.raw))
	}
}

// TestStdio: on stdio the person is the one that the token proves now: every
// message is refused once the token has ended, was revoked, or cannot be looked up.
func TestStdio(t *testing.T) {
	h := newHouse(t)
	var failure atomic.Pointer[error]
	var expires atomic.Pointer[time.Time]
	session, hangUp, ended := h.stdio(t, t.Context(), func(ctx context.Context) (porterhouse.Principal, error) {
		who, err := aliceOnStdio(ctx)
		if end := expires.Load(); end != nil {
			who.Expires = *end
		}
		if no := failure.Load(); no != nil {
			err = *no
		}
		return who, err
	})
	call := func(tool string, args map[string]any) (string, bool) {
		res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
		if err != nil {
			return err.Error(), true
		}
		return res.Content[0].(*mcp.TextContent).Text, res.IsError
	}
	if text, failed := call("query", map[string]any{"sql": "SELECT currentUser()"}); failed || !strings.HasSuffix(text, "\nalice\n") {
		t.Error(text)
	}
	long, failed := call("query", map[string]any{"sql": "SELECT repeat('<é>', 100) FROM numbers(100)", "max_bytes": 100_000})
	if failed || strings.Count(long, "<é>") != 10_001 { // one is in the name of the column
		t.Errorf("a long text: %d bytes", len(long))
	}
	if text, failed := call("query", map[string]any{"sql": "SELECT x"}); !failed || !strings.Contains(text, "UNKNOWN_IDENTIFIER") {
		t.Error(text)
	}
	if _, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "clickhouse://shop/orders"}); err != nil {
		t.Error(err)
	}
	h.stdioRefuses(t, session, &failure)
	asked := h.record.Stats().Questions
	past := time.Now().Add(-time.Second)
	expires.Store(&past)
	if text, failed := call("query", map[string]any{"sql": "SELECT currentUser()"}); !failed || !strings.Contains(text, "unauthenticated: your token has ended") {
		t.Errorf("after the end of the token: %s", text)
	}
	if now := h.record.Stats(); now.Questions != asked || now.Refusals != 0 || now.Unauthenticated != 4 {
		t.Errorf("%d questions more, %d refusals, %d attempts recorded", now.Questions-asked, now.Refusals, now.Unauthenticated)
	}
	hangUp()
	<-ended
	for name, verify := range map[string]proof{
		"nobody":  func(context.Context) (porterhouse.Principal, error) { return porterhouse.Principal{}, nil },
		"unknown": func(ctx context.Context) (porterhouse.Principal, error) { return verify(ctx, "wrong") },
	} {
		if err := h.Run(t.Context(), verify, &mcp.IOTransport{}); err == nil {
			t.Errorf("Run serves %s", name)
		}
	}
}

// stdioRefuses asks everything while nothing proves the person.
func (h *house) stdioRefuses(t *testing.T, session *mcp.ClientSession, failure *atomic.Pointer[error]) {
	t.Helper()
	asked := h.record.Stats().Questions
	for want, err := range map[string]error{
		"unauthenticated: this token was revoked": porterhouse.Errorf(porterhouse.Unauthenticated, "this token was revoked"),
		"unavailable: the store is away":          porterhouse.Errorf(porterhouse.Unavailable, "the store is away"),
		"internal error, request id ":             errors.New("the secret cause"),
	} {
		failure.Store(&err)
		_, calling := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "whoami"})
		_, reading := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "clickhouse://shop/orders"})
		_, listing := session.ListTools(t.Context(), nil)
		for what, err := range map[string]error{"tool": calling, "resource": reading, "list": listing} {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: got %v, want %q", what, err, want)
			}
		}
	}
	if now := h.record.Stats().Questions; now != asked {
		t.Errorf("%d questions were asked", now-asked)
	}
	failure.Store(nil)
	if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "whoami"}); err != nil {
		t.Errorf("proved again: %v", err)
	}
}

// TestNew: what New refuses.
func TestNew(t *testing.T) {
	h := newHouse(t)
	good := h.config
	for name, spoil := range map[string]func(*Config){
		"no gate": func(c *Config) { c.Gate = nil }, "no verify": func(c *Config) { c.Verify = nil }, "no cluster": func(c *Config) { c.Clusters = nil }, "one without a name": func(c *Config) { c.Clusters = []string{""} },
		"a default that is none": func(c *Config) { c.Default = "other" }, "no state": func(c *Config) { c.State = nil },
		"no metadata": func(c *Config) { c.ResourceMetadata = "" }, "a relative URL": func(c *Config) { c.ResourceMetadata = "/x" },
		"a header in it": func(c *Config) { c.ResourceMetadata = "https://p.example.com/\"x" }, "no origin": func(c *Config) { c.Origins = []string{"p.example.com"} },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "mcpserver: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
