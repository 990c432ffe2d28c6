package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// distant is a server on the wire, of both eras, that wants a token.
type distant struct {
	url   string
	began chan bool   // calls that wait
	gone  chan string // why they ended

	mu       sync.Mutex
	token    string
	handlers [2]http.Handler                                   // older, newer
	answer   func(w http.ResponseWriter, r *http.Request) bool // instead
	seen     []*http.Request
}

func newDistant(t *testing.T) *distant {
	t.Helper()
	d := &distant{token: "good", began: make(chan bool, 10), gone: make(chan string, 10)}
	d.restart()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	d.url = server.URL + "/mcp"
	return d
}

// restart forgets all sessions.
func (d *distant) restart() {
	server := mcp.NewServer(&mcp.Implementation{Name: "distant", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "echo"}, func(_ context.Context, _ *mcp.CallToolRequest, in struct{ Text string }) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Text}}}, nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "wait"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken(), Progress: 1})
		d.began <- true
		if err == nil {
			<-ctx.Done()
			err = ctx.Err()
		}
		d.gone <- err.Error()
		return nil, nil, err
	})
	mcp.AddTool(server, &mcp.Tool{Name: "ask"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		said, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "sure?"})
		if err != nil {
			return nil, nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: said.Action}}}, nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "grow"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		server.AddTool(&mcp.Tool{Name: "more-" + strings.ToLower(rand.Text()), InputSchema: json.RawMessage(`{"type":"object"}`)}, nil)
		return &mcp.CallToolResult{}, nil, nil
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.handlers {
		d.handlers[i] = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
			&mcp.StreamableHTTPOptions{Stateless: i == 1, PropagateRequestCancellation: true})
	}
}

func (d *distant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	handler, token, answer := d.handlers[0], d.token, d.answer
	if r.Header.Get(headerVersion) >= firstWithoutSessions {
		handler = d.handlers[1]
	}
	d.seen = append(d.seen, r)
	d.mu.Unlock()
	switch {
	case answer != nil && answer(w, r):
	case r.Header.Get("Authorization") != "Bearer "+token:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":"invalid_token","error_description":"this token has ended"}`)
	default:
		handler.ServeHTTP(w, r)
	}
}

// set changes the server while it runs.
func (d *distant) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// nearEnd is a real client at the near end of a bridge.
type nearEnd struct {
	*mcp.ClientSession
	t        *testing.T
	said     *lockedBuffer // to the person
	progress chan float64
	changed  chan bool // tools have
}

// lockedBuffer is standard error.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// join connects a client through a bridge, in one of the eras.
func (d *distant) join(t *testing.T, version string, in func(context.Context) (pass, error)) (*nearEnd, error) {
	t.Helper()
	c := &nearEnd{t: t, said: &lockedBuffer{}, progress: make(chan float64, 10), changed: make(chan bool, 10)}
	nearIn, nearOut := io.Pipe()
	farIn, farOut := io.Pipe()
	b := newBridge(in, farOut, c.said)
	ended := make(chan error, 1)
	go func() {
		ended <- b.run(t.Context(), nearIn)
		farOut.Close()
	}()
	t.Cleanup(func() {
		nearOut.Close()
		if err := <-ended; err != nil {
			t.Errorf("the bridge ended with %v", err)
		}
	})
	near := mcp.NewClient(&mcp.Implementation{Name: "near", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "decline"}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { c.progress <- r.Params.Progress },
		ToolListChangedHandler:      func(context.Context, *mcp.ToolListChangedRequest) { c.changed <- true },
	})
	session, err := near.Connect(t.Context(), &mcp.IOTransport{Reader: farIn, Writer: nearOut}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	c.ClientSession = session
	return c, err
}

// good is the pass of whoever is signed in.
func (d *distant) good(context.Context) (pass, error) {
	return pass{d.url, porterhouse.NewSecret("good")}, nil
}

func (d *distant) mustJoin(t *testing.T, version string) *nearEnd {
	t.Helper()
	c, err := d.join(t, version, d.good)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// call calls a tool and returns its text.
func (c *nearEnd) call(ctx context.Context, tool string, arguments map[string]any) (string, error) {
	p := &mcp.CallToolParams{Name: tool, Arguments: arguments}
	p.SetProgressToken("token")
	result, err := c.CallTool(ctx, p)
	if err != nil || len(result.Content) == 0 {
		return "", err
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok || result.IsError {
		return "", fmt.Errorf("answered %+v", result.Content[0])
	}
	return text.Text, nil
}

const older, newer = "2025-11-25", "2026-07-28"

// Calls and their answers, many at once, in both eras.
func TestBridge(t *testing.T) {
	for _, version := range []string{older, newer} {
		t.Run(version, func(t *testing.T) {
			d := newDistant(t)
			c := d.mustJoin(t, version)
			if got := c.InitializeResult().ProtocolVersion; got != version {
				t.Fatalf("they speak %s", got)
			}
			var calls sync.WaitGroup
			for i := range 20 {
				calls.Go(func() {
					want := fmt.Sprintf("line %d\nof \u2028 two", i)
					if got, err := c.call(t.Context(), "echo", map[string]any{"Text": want}); err != nil || got != want {
						t.Errorf("echo of %q: %q, %v", want, got, err)
					}
				})
			}
			calls.Wait()
			if _, err := c.call(t.Context(), "none", nil); !isProtocolError(err, jsonrpc.CodeInvalidParams) {
				t.Errorf("a tool that is not there: %v", err)
			}
			if c.said.String() != "" {
				t.Errorf("the person was told %s", c.said)
			}
		})
	}
}

func isProtocolError(err error, code int64) bool {
	var protocol *jsonrpc.Error
	return errors.As(err, &protocol) && protocol.Code == code
}

// Who cancels a call ends it at the server, in both eras, and progress arrives.
func TestBridgeCancels(t *testing.T) {
	for _, version := range []string{older, newer} {
		t.Run(version, func(t *testing.T) {
			d := newDistant(t)
			c := d.mustJoin(t, version)
			ctx, cancel := context.WithCancel(t.Context())
			var waiting sync.WaitGroup
			waiting.Go(func() {
				if _, err := c.call(ctx, "wait", nil); !errors.Is(err, context.Canceled) {
					t.Errorf("the call ended with %v", err)
				}
			})
			if got := <-c.progress; got != 1 {
				t.Errorf("progress is %v", got)
			}
			cancel()
			if why := <-d.gone; why != context.Canceled.Error() {
				t.Errorf("at the server it ended with %s", why)
			}
			waiting.Wait()
			if got, err := c.call(t.Context(), "echo", map[string]any{"Text": "still here"}); err != nil || got != "still here" {
				t.Errorf("afterwards: %q, %v", got, err)
			}
		})
	}
}

// What the server asks and says by itself arrives, and so does the answer.
func TestBridgeCarriesBothWays(t *testing.T) {
	d := newDistant(t)
	c := d.mustJoin(t, older)
	if got, err := c.call(t.Context(), "ask", nil); err != nil || got != "decline" {
		t.Errorf("asked: %q, %v", got, err)
	}
	for told := false; !told; { // until the bridge has begun to listen: nobody keeps what was said before
		if _, err := c.call(t.Context(), "grow", nil); err != nil {
			t.Fatal(err)
		}
		select {
		case told = <-c.changed:
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// A server that has forgotten the session is told anew who is there.
func TestBridgeOpensTheSessionAgain(t *testing.T) {
	d := newDistant(t)
	c := d.mustJoin(t, older)
	if _, err := c.call(t.Context(), "echo", map[string]any{"Text": "first"}); err != nil {
		t.Fatal(err)
	}
	d.restart()
	const many = 10
	var arrived sync.WaitGroup
	arrived.Add(many)
	d.set(func() {
		lost := d.seen[len(d.seen)-1].Header.Get(headerSession)
		d.answer = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && r.Header.Get(headerSession) == lost {
				arrived.Done()
				arrived.Wait() // all learn at the same time that their session has ended
			}
			return false
		}
	})
	var calls sync.WaitGroup
	for range many {
		calls.Go(func() {
			if got, err := c.call(t.Context(), "echo", map[string]any{"Text": "again"}); err != nil || got != "again" {
				t.Errorf("after a restart: %q, %v", got, err)
			}
		})
	}
	calls.Wait()
	opened := 0
	d.set(func() {
		for _, r := range d.seen {
			if r.Method == http.MethodPost && r.Header.Get(headerSession) == "" {
				opened++
			}
		}
	})
	if opened != 2 {
		t.Errorf("it was opened %d times, want 2", opened)
	}
}

// What is refused, in words: to the client, and to the person once.
func TestBridgeRefused(t *testing.T) {
	d := newDistant(t)
	status := func(code int, header, value, body string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set(header, value)
			w.WriteHeader(code)
			io.WriteString(w, body)
			return true
		}
	}
	broken := func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "event: prime\ndata: nonsense\n\n")
		return true
	}
	for name, c := range map[string]struct {
		token  string
		answer func(w http.ResponseWriter, r *http.Request) bool
		want   string
	}{
		"a login that has ended": {"old", nil, "unauthenticated: the server does not accept this login any more: run porterhouse login " + d.url},
		"too few scopes": {"good", status(403, "WWW-Authenticate", `Bearer error="insufficient_scope", scope="clickhouse:write"`, ""),
			`refused: your login lacks a right; to ask for it run porterhouse login ` + d.url + ` --scope "clickhouse:write"`},
		"a command as scope": {"good", status(403, "WWW-Authenticate", `Bearer error="insufficient_scope", scope="$(reboot)"`, ""),
			"refused: the server does not let you in"},
		"not let in":     {"good", status(403, "Content-Type", "text/plain", "no"), "refused: the server does not let you in"},
		"too many":       {"good", status(429, "X", "", ""), "limited: the server wants fewer"},
		"elsewhere":      {"good", status(302, "Location", "https://evil.example/", ""), "unavailable: the server at"},
		"an outage":      {"good", status(503, "X", "", ""), "unavailable: the server at"},
		"nothing":        {"good", status(202, "X", "", ""), "unavailable: the connection to the server broke off"},
		"half an answer": {"good", broken, "unavailable: the connection to the server broke off"},
		"no message":     {"good", status(200, "Content-Type", "application/json", "[nonsense"), "unavailable: the server cannot be reached, or not be understood"},
	} {
		t.Run(name, func(t *testing.T) {
			var token atomic.Value
			token.Store("good")
			client, err := d.join(t, newer, func(context.Context) (pass, error) {
				return pass{d.url, porterhouse.NewSecret(token.Load().(string))}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			token.Store(c.token)
			d.set(func() { d.answer = c.answer })
			defer d.set(func() { d.answer = nil })
			for range 2 {
				_, err = client.call(t.Context(), "echo", map[string]any{"Text": "x"})
				if !isProtocolError(err, jsonrpc.CodeInternalError) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("the client got %v, want %q", err, c.want)
				}
			}
			_, text, _ := strings.Cut(c.want, ": ")
			if said := client.said.String(); strings.Count(said, text) != 1 {
				t.Errorf("the person was told %q, want %q once", said, text)
			}
		})
	}
}

// A protocol error that comes with a status of its own is the client's to see.
func TestBridgeCarriesErrors(t *testing.T) {
	d := newDistant(t)
	c := d.mustJoin(t, newer)
	d.set(func() {
		d.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get(headerMethod) != "tools/call" || r.Header.Get(headerName) != "echo" {
				return false
			}
			var asked message
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, "{\"jsonrpc\":\"2.0\",\n\"id\":%s,\n\"error\":{\"code\":-32601,\"message\":\"no such thing\"}}", asked.ID)
			return true
		}
	})
	if _, err := c.call(t.Context(), "echo", map[string]any{"Text": "x"}); !isProtocolError(err, jsonrpc.CodeMethodNotFound) || c.said.String() != "" {
		t.Errorf("the client got %v; the person was told %q", err, c.said)
	}
}

// Nobody who is signed in nowhere learns that from silence.
func TestBridgeWithoutLogin(t *testing.T) {
	d := newDistant(t)
	_, err := d.join(t, older, func(context.Context) (pass, error) {
		return pass{}, porterhouse.Errorf(porterhouse.Unauthenticated, "you are signed in nowhere: run porterhouse login URL")
	})
	if !isProtocolError(err, jsonrpc.CodeInternalError) || !strings.Contains(err.Error(), "run porterhouse login") {
		t.Errorf("the client got %v", err)
	}
	if len(d.seen) > 0 {
		t.Errorf("the server was asked %d times", len(d.seen))
	}
}

// What a client writes that is no message is refused, and the rest goes on; at its end
// answers that are due still come, and the session is ended.
func TestBridgeLines(t *testing.T) {
	d := newDistant(t)
	in := strings.Join([]string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"near","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`nonsense`, ``, `[]`,
		`{"jsonrpc":"2.0","id":"a","method":"ping","params":{"name":7}}`,
	}, "\n")
	var out lockedBuffer
	if err := newBridge(d.good, &out, io.Discard).run(t.Context(), strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(lines)
	if len(lines) != 4 || !strings.Contains(lines[0], `"code":-32700`) || !strings.Contains(lines[1], `"code":-32700`) ||
		!strings.Contains(out.String(), `"id":"a"`) || !strings.Contains(out.String(), `"protocolVersion":"2025-11-25"`) {
		t.Errorf("answered\n%s", out.String())
	}
	if last := d.seen[len(d.seen)-1]; last.Method != http.MethodDelete || last.Header.Get(headerSession) == "" {
		t.Errorf("the last request was %s", last.Method)
	}
}

// Events are read as the standard has them.
func TestReadEvents(t *testing.T) {
	stream := ": comment\nid: 1\ndata: a\ndata:b\n\nevent: message\r\ndata: c\r\n\r\nevent: other\ndata: d\n\ndata\n\nretry: 5\n\ndata: unfinished"
	var got []string
	err := readEvents(strings.NewReader(stream), func(data []byte) (bool, error) {
		got = append(got, string(data))
		return true, nil
	})
	if want := []string{"a\nb", "c", ""}; err != nil || !slices.Equal(got, want) {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
	if err := readEvents(strings.NewReader("data: "+strings.Repeat("x", maxMessage+1)), nil); !errors.Is(err, errTooLong) {
		t.Errorf("an endless event: %v", err)
	}
}

// A bridge that is told to end does so at once, whatever is under way.
func TestBridgeEnds(t *testing.T) {
	d := newDistant(t)
	ctx, stop := context.WithCancel(t.Context())
	in, keepOpen := io.Pipe()
	defer keepOpen.Close()
	ended := make(chan error, 1)
	go func() { ended <- newBridge(d.good, io.Discard, io.Discard).run(ctx, in) }()
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"n","version":"1"}}`
	fmt.Fprintf(keepOpen, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait","arguments":{},%s}}`+"\n", meta)
	<-d.began
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-d.gone
}
