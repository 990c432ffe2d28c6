package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// client is one caller: its own connection and, where the protocol has them,
// its own session. It asks one thing at a time.
type client struct {
	wire    wire
	target  *target
	auth    string // Authorization; "": none
	session string // Mcp-Session-Id; "": none
	version string // protocol version that the session agreed on

	request []byte // the call, ready-made
	size    int    // of the first answer, which was checked in full
}

// newClient makes the nth caller of t.
func newClient(t *target, n int) *client {
	c := &client{wire: wire{address: t.url.Host}, target: t}
	if len(t.auth) > 0 {
		c.auth = t.auth[n%len(t.auth)]
	}
	return c
}

// open makes the nth caller of t, opens its session where there is one, and asks
// w once: the answer is checked to the last value.
func open(ctx context.Context, t *target, n int, w *workload) (*client, error) {
	c := newClient(t, n)
	err := c.prepare(ctx, w.sql)
	if err == nil {
		err = c.first(ctx, w)
	}
	if err != nil {
		c.wire.close()
		return nil, fmt.Errorf("%s, %s: %w", t.name, w.name, err)
	}
	return c, nil
}

// prepare opens the session and makes the request.
func (c *client) prepare(ctx context.Context, sql string) error {
	if c.target.protocol == straight {
		c.request = c.target.request(http.MethodPost, []byte(sql), c.fields()...)
		return nil
	}
	if c.target.protocol == sessions {
		if err := c.initialize(ctx); err != nil {
			return fmt.Errorf("initialize: %w", err)
		}
	}
	body, err := c.target.call(sql)
	if err != nil {
		return err
	}
	c.request = c.target.request(http.MethodPost, body, c.fields()...)
	return nil
}

// fields are the header fields of a call.
func (c *client) fields() []string {
	var fields []string
	if c.auth != "" {
		fields = append(fields, "Authorization", c.auth)
	}
	if c.target.protocol == straight {
		return append(fields, "Content-Type", "text/plain")
	}
	fields = append(fields, "Content-Type", "application/json", "Accept", "application/json, text/event-stream")
	if c.target.protocol == stateless {
		return append(fields, "MCP-Protocol-Version", statelessEra, "Mcp-Method", "tools/call", "Mcp-Name", c.target.tool)
	}
	if c.version != "" {
		fields = append(fields, "MCP-Protocol-Version", c.version)
	}
	if c.session != "" {
		fields = append(fields, "Mcp-Session-Id", c.session)
	}
	return fields
}

// initialize does the handshake of the session era. A server without sessions
// hands out no id, and then no call carries one.
func (c *client) initialize(ctx context.Context) error {
	hello, err := rpc(1, "initialize", initializeParams())
	if err != nil {
		return err
	}
	a, err := c.ask(ctx, c.target.request(http.MethodPost, hello, c.fields()...))
	if err != nil {
		return err
	}
	r, err := parseResult(a.body)
	if err != nil {
		return err
	}
	c.session, c.version = a.session, r.ProtocolVersion
	ready, err := rpc(0, "notifications/initialized", object{})
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, c.target.request(http.MethodPost, ready, c.fields()...))
	return err
}

// ask sends one request; any status but success is an error.
func (c *client) ask(ctx context.Context, request []byte) (answer, error) {
	a, err := c.wire.ask(ctx, request)
	if err == nil && (a.status < 200 || a.status > 299) {
		err = fmt.Errorf("HTTP %d %s: %.300s", a.status, http.StatusText(a.status), a.body)
	}
	return a, err
}

// first makes the first call and checks its answer in full.
func (c *client) first(ctx context.Context, w *workload) error {
	text, err := c.text(ctx)
	if err != nil {
		return err
	}
	return w.check(text, c.target.protocol != straight && !c.target.ours)
}

// text makes a call and returns what it says.
func (c *client) text(ctx context.Context) (string, error) {
	a, err := c.ask(ctx, c.request)
	if err != nil {
		return "", err
	}
	c.size = len(a.body)
	if c.target.protocol == straight {
		return string(a.body), nil
	}
	r, err := parseResult(a.body)
	return r.text(), err
}

// An answer may differ from the first in its ids and timings, not in more.
const sizeSlack = 64

// again makes the call once more. Its answer must be as long as the first, and no error.
func (c *client) again(ctx context.Context) error {
	a, err := c.ask(ctx, c.request)
	switch {
	case err != nil:
		return err
	case len(a.body) < c.size-sizeSlack || len(a.body) > c.size+sizeSlack:
		return fmt.Errorf("an answer of %d bytes, while the first had %d: %.300q", len(a.body), c.size, a.body)
	case c.target.protocol == straight:
		return nil
	}
	return quickCheck(a.body)
}

// leave ends the session and the connection.
func (c *client) leave(ctx context.Context) error {
	defer c.wire.close()
	if c.session == "" {
		return nil
	}
	a, err := c.wire.ask(ctx, c.target.request(http.MethodDelete, nil, c.fields()...))
	if err == nil && a.status >= 500 { // a server may refuse to end a session: 405
		err = fmt.Errorf("HTTP %d", a.status)
	}
	if err != nil {
		return errors.Join(errors.New("cannot end the session"), err)
	}
	return nil
}
