package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
	"porterhouse/login"
)

// bridge carries MCP between a client on standard input and output and a server far
// away, for the person who is signed in there:
//
//	a line in ─▶ POST, with a fresh token ─▶ one answer, or events ─▶ lines out
//	initialized ─▶ GET: what the server says by itself ─▶ lines out (up to 2025-11-25)
//
// It carries the messages as they are, in both eras of the protocol, and knows of
// them only what HTTP needs beside them: the revision, the session, the method's
// name. The SDK's client would not do: it wants to be one end of the conversation,
// and one answer that fails would end it.
type bridge struct {
	far *farSide
	out lineWriter
	err lineWriter // for the person

	mu      sync.Mutex
	pending map[string]context.CancelFunc // calls, by id

	opening time.Duration // for the server's answer to initialize

	telling sync.Mutex
	told    string // what the person was told last
}

// pass lets one request in.
type pass struct {
	url   string
	token porterhouse.Secret
}

// The bounds of one conversation.
const (
	maxMessage = 64 << 20 // bytes
	maxPending = 1000
	lastWords  = 5 * time.Second  // for answers that are still due when the client goes
	notice     = 30 * time.Second // for a message that is not answered
)

// bridgeTo is `porterhouse stdio --url`.
func bridgeTo(ctx context.Context, t terminal, server string) error {
	l, err := t.logins()
	if err != nil {
		return err
	}
	return newBridge(passes(l, server), t.stdout, t.stderr).run(ctx, t.stdin)
}

func newBridge(pass func(context.Context) (pass, error), out, err io.Writer) *bridge {
	b := &bridge{out: lineWriter{to: out}, err: lineWriter{to: err}, pending: map[string]context.CancelFunc{}, opening: time.Minute}
	b.far = newFarSide(pass, b.out.write, b.tell)
	return b
}

// glance is how long a token is used before the logins are looked at again: the
// person may have signed out meanwhile, or in.
const glance = 10 * time.Second

// passes are those of one login.
func passes(l *login.Logins, server string) func(context.Context) (pass, error) {
	var mu sync.Mutex
	var last pass
	var until time.Time
	return func(ctx context.Context) (pass, error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Now().Before(until) {
			return last, nil
		}
		url, err := l.Resource(server)
		if err != nil {
			return pass{}, err
		}
		token, _, err := l.Token(ctx, url)
		if err != nil {
			return pass{}, err
		}
		last, until = pass{url, token}, time.Now().Add(glance)
		return last, nil
	}
}

// message is one message of the protocol, with what we need to know of it.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name      string                     `json:"name"`
		URI       string                     `json:"uri"`
		RequestID json.RawMessage            `json:"requestId"`
		Meta      map[string]json.RawMessage `json:"_meta"`
	} `json:"params"`
	Result *struct {
		Version string `json:"protocolVersion"`
	} `json:"result"`
	Error json.RawMessage `json:"error"`

	raw []byte
}

// read finds out what a line is. Params that are no object have nothing for us.
func read(raw []byte) (message, error) {
	m := message{raw: raw}
	err := json.Unmarshal(raw, &m)
	var odd *json.UnmarshalTypeError
	if errors.As(err, &odd) && strings.ContainsRune(odd.Field, '.') {
		err = nil // a member of params or result with a type of its own
	}
	return m, err
}

func (m message) isCall() bool   { return m.Method != "" && m.hasID() }
func (m message) isAnswer() bool { return m.Method == "" && m.hasID() }
func (m message) hasID() bool    { return len(m.ID) > 0 && !bytes.Equal(m.ID, []byte("null")) }

// sameID reports whether two ids are one, however each is written: "é" and "\u00e9", 1 and 1.0.
func sameID(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var one, other any
	return json.Unmarshal(a, &one) == nil && json.Unmarshal(b, &other) == nil && reflect.DeepEqual(one, other)
}

// version is the revision that the message itself names, as of 2026-07-28.
func (m message) version() (version string) {
	if raw, ok := m.Params.Meta[mcp.MetaKeyProtocolVersion]; ok && json.Unmarshal(raw, &version) != nil {
		return ""
	}
	return version
}

// run carries messages until the client or ctx ends.
func (b *bridge) run(ctx context.Context, in io.Reader) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var answers sync.WaitGroup
	lines := make(chan []byte)
	failed := make(chan error, 1)
	go func() { // it ends with the input, or with the process
		failed <- readLines(ctx, in, lines)
		close(lines)
	}()
	for open := true; open && ctx.Err() == nil; {
		select {
		case line, more := <-lines:
			if open = more; open {
				b.take(ctx, line, &answers)
			}
		case <-ctx.Done():
		}
	}
	b.leave(ctx, stop, &answers)
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// leave waits a while for answers that are due, and ends the session.
func (b *bridge) leave(ctx context.Context, stop context.CancelFunc, answers *sync.WaitGroup) {
	done := make(chan struct{})
	go func() { answers.Wait(); close(done) }() // ends soon after stop
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(lastWords):
	}
	stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	b.far.end(ctx)
}

// take deals with one line of the client. Calls run beside each other; everything
// else is carried before the next line is read, so that it arrives in order.
func (b *bridge) take(ctx context.Context, line []byte, answers *sync.WaitGroup) {
	m, err := read(line)
	switch {
	case err != nil:
		b.refuse(json.RawMessage("null"), jsonrpc.CodeParseError, "this line is no JSON-RPC message: "+err.Error())
	case m.Method == "notifications/cancelled":
		b.cancel(ctx, m)
	case m.Method == "initialize":
		b.open(ctx, m)
	case m.isCall():
		calling, ok := b.begins(ctx, m)
		if !ok {
			b.refuse(m.ID, jsonrpc.CodeInternalError, "too many calls are waiting for an answer, or one with this id is")
			return
		}
		carry := func() {
			defer b.ends(m)
			b.call(calling, m)
		}
		if m.Method == "subscriptions/listen" {
			go carry() // it ends with ctx: nobody waits for an answer that never is to come
			return
		}
		answers.Go(carry)
	default:
		b.notify(ctx, m)
	}
}

// open carries initialize. No line is read meanwhile, so a server that never answers
// must not keep us from seeing that the client has gone.
func (b *bridge) open(ctx context.Context, m message) {
	soon, cancel := context.WithTimeout(ctx, b.opening)
	defer cancel()
	b.far.begin(m)
	b.call(soon, m)
}

// begins registers a call, so that it can be cancelled.
func (b *bridge) begins(ctx context.Context, m message) (context.Context, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, taken := b.pending[string(m.ID)]; taken || len(b.pending) >= maxPending {
		return nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	b.pending[string(m.ID)] = cancel
	return ctx, true
}

func (b *bridge) ends(m message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending[string(m.ID)]()
	delete(b.pending, string(m.ID))
}

// cancel ends a call: as of 2026-07-28 by hanging up, and before by saying so first.
func (b *bridge) cancel(ctx context.Context, m message) {
	b.mu.Lock()
	hangUp := b.pending[string(m.Params.RequestID)]
	b.mu.Unlock()
	if b.far.hasSession() {
		b.notify(ctx, m)
	}
	if hangUp != nil {
		hangUp()
	}
}

// call carries a call and its answer. Who has cancelled a call wants none.
func (b *bridge) call(ctx context.Context, m message) {
	err := b.far.exchange(ctx, m)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	b.tell(err)
	kind, text := porterhouse.Explain(err)
	b.refuse(m.ID, jsonrpc.CodeInternalError, string(kind)+": "+text)
}

// notify carries what needs no answer.
func (b *bridge) notify(ctx context.Context, m message) {
	soon, cancel := context.WithTimeout(ctx, notice)
	defer cancel()
	if err := b.far.exchange(soon, m); err != nil && ctx.Err() == nil {
		b.tell(err)
	}
	if m.Method == "notifications/initialized" {
		b.far.listen(ctx)
	}
}

// refuse answers a call in the server's stead.
func (b *bridge) refuse(id json.RawMessage, code int, text string) {
	answer, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "error": map[string]any{"code": code, "message": text}})
	if err != nil {
		answer = []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"an answer could not be encoded"}}`)
	}
	if err := b.out.write(answer); err != nil {
		b.tell(err)
	}
}

// tell tells the person what is wrong, once until something else is.
func (b *bridge) tell(err error) {
	text := strings.Join(strings.Fields(harmless(told(err).Error())), " ") // one line
	b.telling.Lock()
	defer b.telling.Unlock()
	if text != b.told {
		b.told = text
		_ = b.err.write(fmt.Appendf(nil, "porterhouse stdio: %s", text)) // nobody else could be told
	}
}
