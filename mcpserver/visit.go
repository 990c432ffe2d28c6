package mcpserver

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// visit is one request of one person. It travels with the request itself, in
// the SDK's TokenInfo, and is the only place where a handler learns who asks.
type visit struct {
	server  *Server // to which it came: its rules hold, in an older session too
	who     porterhouse.Principal
	door    string          // the name of the way in: Door or StdioDoor
	path    string          // of the URL that was asked for; "" on stdio
	remote  string          // the caller's address; "" on stdio
	request string          // id of the request, as logs and errors name it
	gone    context.Context // ends when nobody waits for the answer any more
	reply   *reply          // where long texts go; nil on stdio

	attended atomic.Bool // a handler has it, and logs it
}

// The names of the ways in, in a porterhouse.Entry and in audit records.
const (
	Door      = "mcp"
	StdioDoor = "stdio"
)

// usher finds the visit of a message, or refuses it. Over HTTP the message has
// brought one; on stdio, where one person has the whole connection, the usher
// makes it and lets the message bring it on to its handler.
type usher func(context.Context, mcp.Request) (*visit, error)

// byRequest is the usher of messages that came over HTTP.
func byRequest(_ context.Context, req mcp.Request) (*visit, error) { return visitOf(req.GetExtra()) }

// bring lets a message that came on stdio bring v on, as one over HTTP does.
func (v *visit) bring(req mcp.Request) {
	extra := &mcp.RequestExtra{TokenInfo: v.tokenInfo()}
	switch req := req.(type) {
	case *mcp.CallToolRequest:
		req.Extra = extra
	case *mcp.ReadResourceRequest:
		req.Extra = extra
	case *mcp.ListToolsRequest:
		req.Extra = extra
	case *mcp.ListResourceTemplatesRequest:
		req.Extra = extra
	case *mcp.ServerRequest[*mcp.InitializeParams]:
		req.Extra = extra
	case *mcp.ServerRequest[*mcp.DiscoverParams]:
		req.Extra = extra
	}
}

// visitKey is where TokenInfo.Extra has the visit.
const visitKey = "porterhouse.visit"

// tokenInfo is how the visit travels through the SDK. UserID binds a session to
// the person who opened it, and to the path at which it was opened, which may lead to
// fewer clusters than another one: with another UserID the SDK answers 403.
func (v *visit) tokenInfo() *auth.TokenInfo {
	return &auth.TokenInfo{
		UserID:     v.path + "\x00" + v.who.Key(),
		Expiration: v.who.Expires,
		Extra:      map[string]any{visitKey: v},
	}
}

// visitOf is the visit that a message has brought.
func visitOf(extra *mcp.RequestExtra) (*visit, error) {
	if extra == nil || extra.TokenInfo == nil {
		return nil, errors.New("mcpserver: a message came without a verified token")
	}
	v, ok := extra.TokenInfo.Extra[visitKey].(*visit)
	if !ok {
		return nil, errors.New("mcpserver: a message came without a visit")
	}
	return v, nil
}

// errGone is why the context of a handler ends when its caller has left.
var errGone = errors.New("mcpserver: the caller went away")

// tie makes ctx end with the visit. In sessions before 2026-07-28 the SDK lets a
// handler run on when its request is gone; as answers cannot be fetched later,
// nobody would ever read that one.
func (v *visit) tie(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(v.gone, func() { cancel(errGone) })
	return ctx, func() { stop(); cancel(nil) }
}
