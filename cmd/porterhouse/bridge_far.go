package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"porterhouse"
)

// The headers of MCP's HTTP transport.
const (
	headerSession = "Mcp-Session-Id"
	headerVersion = "Mcp-Protocol-Version"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"

	firstWithoutSessions = "2026-07-28"
)

// farSide is the server's end of a conversation.
type farSide struct {
	pass func(context.Context) (pass, error) // where to, and a token for it
	http *http.Client
	give func(data []byte) error // to the client
	tell func(error)             // to the person

	reopening sync.Mutex // by one at a time

	mu      sync.Mutex
	opening message // the client's initialize: with it a session that has ended is opened again
	session string
	version string // of the protocol, as agreed; "": not yet, or told in each message
	listens context.CancelFunc
}

func newFarSide(pass func(context.Context) (pass, error), give func([]byte) error, tell func(error)) *farSide {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // a token follows nobody
	return &farSide{pass: pass, http: client, give: give, tell: tell, listens: func() {}}
}

// begin remembers how the client opened the conversation, and forgets an earlier one.
func (f *farSide) begin(opening message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listens()
	f.opening, f.session, f.version = opening, "", ""
}

// state is the session, and the revision that was agreed on.
func (f *farSide) state() (session, version string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session, f.version
}

func (f *farSide) hasSession() bool {
	session, _ := f.state()
	return session != ""
}

// end ends the session, where there is one. Untold, it ends by itself.
func (f *farSide) end(ctx context.Context) {
	session, version := f.state()
	if session == "" {
		return
	}
	if response, err := f.send(ctx, http.MethodDelete, message{}, session, version); err == nil {
		_ = response.Body.Close() // nothing of it is needed
	}
}

// errSession says that the server does not know the session any more.
var errSession = porterhouse.Errorf(porterhouse.Unavailable, "the session at the server has ended; connect anew")

// exchange sends a message and hands on whatever comes back, until it is answered. A
// session that the server has forgotten, because it was started anew or for long
// idleness, is opened again, unseen.
func (f *farSide) exchange(ctx context.Context, m message) error {
	session, version := f.state()
	err := f.post(ctx, m, session, version, f.hand)
	if !errors.Is(err, errSession) {
		return err
	}
	if session, version, err = f.reopen(ctx, session); err != nil {
		return err
	}
	return f.post(ctx, m, session, version, f.hand)
}

// reopen opens the session that follows on one that has ended.
func (f *farSide) reopen(ctx context.Context, lost string) (session, version string, err error) {
	f.reopening.Lock()
	defer f.reopening.Unlock()
	if session, version = f.state(); session != lost {
		return session, version, nil // somebody was faster
	}
	f.mu.Lock()
	opening := f.opening
	f.mu.Unlock()
	if err := f.post(ctx, opening, "", "", f.note); err != nil {
		return lost, version, err
	}
	session, version = f.state()
	initialized := message{Method: "notifications/initialized", raw: []byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)}
	return session, version, f.post(ctx, initialized, session, version, f.note)
}

// hand gives the client what the server sent because of m, and reports whether it was
// the answer.
func (f *farSide) hand(m message, data []byte) (answered bool, err error) {
	if answered, err = f.note(m, data); err != nil {
		return false, err
	}
	return answered, f.give(data)
}

// note reads what the server sent because of m: whether it is the answer, and which
// revision is agreed on in it.
func (f *farSide) note(m message, data []byte) (answered bool, err error) {
	got, err := read(data)
	if err != nil {
		return false, fmt.Errorf("the server sent something that is no message: %w", err)
	}
	answered = m.isCall() && got.isAnswer() && sameID(got.ID, m.ID)
	if answered && m.Method == "initialize" && got.Result != nil {
		f.mu.Lock()
		f.version = got.Result.Version
		f.mu.Unlock()
	}
	return answered, nil
}

// receiver takes one message that came because of m.
type receiver func(m message, data []byte) (answered bool, err error)

// post sends one message and receives what comes back.
func (f *farSide) post(ctx context.Context, m message, session, version string, receive receiver) error {
	response, err := f.send(ctx, http.MethodPost, m, session, version)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it was read as far as it is of use
	if response.StatusCode/100 != 2 {
		return f.refusal(response, m, session, receive)
	}
	if m.Method == "initialize" {
		f.mu.Lock()
		f.session = response.Header.Get(headerSession)
		f.mu.Unlock()
	}
	answered, err := receiveAll(response, m, receive)
	if err == nil && m.isCall() && !answered {
		err = porterhouse.Errorf(porterhouse.Unavailable, "the connection to the server broke off before its answer; ask again")
	}
	return err
}

// receiveAll reads the messages of one response: one of them, or a stream of events
// that ends with the answer.
func receiveAll(response *http.Response, m message, receive receiver) (answered bool, err error) {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind == "text/event-stream" {
		err := readEvents(response.Body, func(data []byte) (more bool, err error) {
			done, err := receive(m, data)
			answered = answered || done
			return !done, err
		})
		return answered, broken(err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxMessage))
	if body = bytes.TrimSpace(body); err != nil || len(body) == 0 {
		return false, broken(err)
	}
	answered, err = receive(m, body)
	return answered, broken(err)
}

// broken gives an error of the connection words for the client.
func broken(err error) error {
	var known *porterhouse.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: "the server cannot be reached, or not be understood; try again", Err: err}
}

// send sends one request, with a token that is good now.
func (f *farSide) send(ctx context.Context, method string, m message, session, version string) (*http.Response, error) {
	in, err := f.pass(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, in.url, bytes.NewReader(m.raw))
	if err != nil {
		return nil, broken(err)
	}
	h := request.Header
	h.Set("Authorization", "Bearer "+in.token.Reveal())
	h.Set("Accept", "application/json, text/event-stream")
	if method == http.MethodPost {
		h.Set("Content-Type", "application/json")
	}
	if version = cmp.Or(m.version(), version); version != "" {
		h.Set(headerVersion, version)
	}
	if session != "" {
		h.Set(headerSession, session)
	}
	if version >= firstWithoutSessions && m.Method != "" { // a proxy may want to know what it is
		h.Set(headerMethod, m.Method)
		if name := cmp.Or(m.Params.Name, m.Params.URI); name != "" {
			h.Set(headerName, name)
		}
	}
	response, err := f.http.Do(request)
	return response, broken(err)
}

// refusal is what an HTTP status that is no success means. A protocol error in the
// body is the answer itself.
func (f *farSide) refusal(response *http.Response, m message, session string, receive receiver) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return broken(err)
	}
	if got, err := read(body); err == nil && m.isCall() && len(got.Error) > 0 && sameID(got.ID, m.ID) {
		_, err := receive(m, body)
		return err
	}
	at := response.Request.URL.String()
	cause := fmt.Errorf("%s: %s", response.Status, reason(response, body))
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "the server does not accept this login any more: run porterhouse login " + at, Err: cause}
	case http.StatusForbidden:
		return forbidden(response, at, cause)
	case http.StatusNotFound:
		if session != "" {
			return errSession
		}
	case http.StatusTooManyRequests:
		return &porterhouse.Error{Kind: porterhouse.Limited, Public: "the server wants fewer requests; wait a little", Err: cause}
	}
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: "the server at " + at + " does not answer as it should", Err: cause}
}

// reason is why the server refuses, in its words.
func reason(response *http.Response, body []byte) string {
	var why struct {
		Text string `json:"error_description"`
	}
	switch kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind {
	case "application/json":
		if json.Unmarshal(body, &why) == nil && why.Text != "" {
			return line(why.Text)
		}
	case "text/plain":
		return line(strings.TrimSpace(string(body)))
	}
	return "it does not say why"
}

// forbidden tells what would help: more scopes, where the server names them, which
// only the person can give.
func forbidden(response *http.Response, at string, cause error) error {
	challenges, err := oauthex.ParseWWWAuthenticate(response.Header.Values("WWW-Authenticate"))
	if err != nil {
		challenges = nil
	}
	for _, c := range challenges {
		if scope := c.Params["scope"]; c.Params["error"] == "insufficient_scope" && isScope(scope) {
			return &porterhouse.Error{Kind: porterhouse.Refused, Public: fmt.Sprintf("your login lacks a right; to ask for it run porterhouse login %s --scope %q", at, scope), Err: cause}
		}
	}
	return &porterhouse.Error{Kind: porterhouse.Refused, Public: "the server does not let you in", Err: cause}
}

// isScope reports whether text is a list of scopes that mean nothing to a shell.
func isScope(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(":._- ", r))
	})
}

// listen begins to hand on what the server says by itself, which up to 2025-11-25
// comes as the answer to a GET of its own.
func (f *farSide) listen(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listens()
	if f.session == "" || f.version >= firstWithoutSessions {
		return
	}
	ctx, f.listens = context.WithCancel(ctx)
	session, version := f.session, f.version
	go f.listenTo(ctx, session, version) // ends with the conversation, or with a server that has nothing to say
}

// listenTo listens again and again where the connection breaks off.
func (f *farSide) listenTo(ctx context.Context, session, version string) {
	const least, most = time.Second, 30 * time.Second
	heard := false
	for pause := least; ctx.Err() == nil; pause = min(2*pause, most) {
		status, err := f.hear(ctx, session, version)
		switch {
		case status == http.StatusOK:
			heard, pause = true, least
		case status == http.StatusNotFound && heard: // the server was started anew
			session, version, err = f.reopen(ctx, session)
		case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
			return // it has nothing to say by itself
		}
		if err != nil && ctx.Err() == nil {
			f.tell(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// hear hands on what the server says by itself, for as long as it does.
func (f *farSide) hear(ctx context.Context, session, version string) (status int, err error) {
	response, err := f.send(ctx, http.MethodGet, message{}, session, version)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }() // it was read as far as it is of use
	if response.StatusCode == http.StatusOK {
		_, err = receiveAll(response, message{}, f.hand)
	}
	return response.StatusCode, err
}

// line is text of the server, made harmless for a terminal.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text[:min(len(text), 400)])
}
