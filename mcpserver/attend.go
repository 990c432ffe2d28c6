package mcpserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// attend is our middleware around every message: it finds the visit, ties the
// handler to it, turns a panic into an internal error, and logs one line.
func attend(find usher, log *slog.Logger, now func() time.Time) mcp.Middleware {
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (res mcp.Result, err error) {
			since := now()
			v, err := find(ctx, req)
			if err != nil {
				kind, _ := porterhouse.Explain(err)
				id := newID()
				log.Log(ctx, behaviours[kind].level, "a message of nobody", "request", id, "method", echo(method), "kind", kind, "cause", causeOf(err))
				return nil, public(err, "tools/call", id)
			}
			v.attended.Store(true)
			ctx, leave := v.tie(ctx)
			defer leave()
			if err = cmp.Or(checkURI(req), checkOpening(req)); err == nil {
				res, err = recovered(ctx, next, method, req)
			}
			logMessage(log, v, method, req, outcome(res, err), now().Sub(since))
			return res, public(err, method, v.request)
		}
	}
}

// checkURI refuses what is no URI. The SDK would put it into an answer that is
// no JSON, and break off.
func checkURI(req mcp.Request) error {
	read, ok := req.(*mcp.ReadResourceRequest)
	if ok && strings.ContainsFunc(read.Params.URI, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return porterhouse.Errorf(porterhouse.Invalid, "a URI has only printable ASCII characters; encode the others with %%")
	}
	return nil
}

// maxOpening bounds what opens a session, in bytes: a session keeps it until it
// ends, and that of an honest client has some hundred.
const maxOpening = 16 << 10

// checkOpening refuses to keep a client's endless account of itself.
func checkOpening(req mcp.Request) error {
	opening, ok := req.(*mcp.ServerRequest[*mcp.InitializeParams])
	if !ok {
		return nil
	}
	if said, err := json.Marshal(opening.Params); err != nil || len(said) > maxOpening {
		return porterhouse.Errorf(porterhouse.Invalid, "the parameters of initialize are longer than %d bytes", maxOpening)
	}
	return nil
}

// panicError is a panic of a handler, with its stack. Without it one bad request
// would end the process: the SDK runs handlers on goroutines of its own.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

func recovered(ctx context.Context, next mcp.MethodHandler, method string, req mcp.Request) (res mcp.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, &panicError{p, debug.Stack()}
		}
	}()
	return next(ctx, method, req)
}

// public is err as the protocol shows it: the public half only. Errors of the
// protocol itself, and of methods that only the SDK handles, are public already.
func public(err error, method, request string) error {
	var broken *panicError
	var protocol *jsonrpc.Error
	switch {
	case err == nil, errors.As(err, &protocol):
		return err
	case !errors.As(err, &broken) && method != "tools/call" && method != "resources/read" && method != "prompts/get" && method != "initialize":
		return err
	}
	switch kind, text := porterhouse.Explain(err); kind {
	case porterhouse.Internal:
		return internalError(request)
	case porterhouse.Invalid:
		return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: text}
	default:
		return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: string(kind) + ": " + text}
	}
}

// internalError is the protocol error that shows nothing but where to look.
func internalError(request string) error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "internal error, request id " + request}
}

// outcome is why a message failed: a protocol error, or the error behind the
// result of a tool.
func outcome(res mcp.Result, err error) error {
	if r, ok := res.(*mcp.CallToolResult); ok && err == nil && r != nil {
		return r.GetError()
	}
	return err
}

// logMessage writes the one line of a message that a handler had. It never has
// the SQL, a row or the token.
func logMessage(log *slog.Logger, v *visit, method string, req mcp.Request, cause error, took time.Duration) {
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("request", v.request), slog.String("door", v.door), slog.String("user", v.who.User),
		slog.String("client", v.who.Client), slog.String("method", echo(method)), slog.Duration("duration", took),
	}
	if v.remote != "" {
		attrs = append(attrs, slog.String("remote", v.remote))
	}
	if call, ok := req.(*mcp.CallToolRequest); ok {
		attrs = append(attrs, slog.String("tool", echo(call.Params.Name)), slog.String("agent", agentOf(call)))
	}
	if cause != nil {
		kind, _ := porterhouse.Explain(cause)
		var protocol *jsonrpc.Error
		if errors.As(cause, &protocol) && protocol.Code != jsonrpc.CodeInternalError {
			kind = porterhouse.Invalid
		}
		level = behaviours[kind].level
		attrs = append(attrs, slog.String("kind", string(kind)), slog.String("cause", causeOf(cause)))
	}
	log.LogAttrs(context.Background(), level, "mcp message", attrs...)
}

// causeOf is err as the log has it: short, because callers' own words are in it
// and nobody may fill the disk with them. Only the stack of a panic is needed whole.
func causeOf(err error) string {
	var broken *panicError
	if errors.As(err, &broken) {
		return err.Error()
	}
	return echo(err.Error())
}

// maxAgent bounds what a client says of itself in our log.
const maxAgent = 80

// agentOf is the program that calls, by its own account. The SDK's ClientInfo
// would say the same, through a detour over JSON for every call.
func agentOf(call *mcp.CallToolRequest) string {
	if info, ok := call.Params.GetMeta()[mcp.MetaKeyClientInfo].(map[string]any); ok {
		return fmt.Sprintf("%.*s", maxAgent, fmt.Sprint(info["name"], "/", info["version"]))
	}
	if p := call.Session.InitializeParams(); p != nil && p.ClientInfo != nil {
		return fmt.Sprintf("%.*s", maxAgent, p.ClientInfo.Name+"/"+p.ClientInfo.Version)
	}
	return ""
}

// logRequest writes the one line of a request that no handler had.
func (d *door) logRequest(r *http.Request, id string, status int, v *visit, no *refusal, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("request", id), slog.String("door", Door), slog.String("remote", remote(r)),
		slog.String("method", echo(r.Method)), slog.Int("status", status), slog.Duration("duration", took),
	}
	if v != nil {
		attrs = append(attrs, slog.String("user", v.who.User), slog.String("client", v.who.Client))
	}
	if no != nil {
		attrs = append(attrs, slog.String("refused", no.text))
		if no.cause != nil {
			attrs = append(attrs, slog.String("cause", causeOf(no.cause)))
		}
	}
	d.Log.LogAttrs(context.Background(), slog.LevelInfo, "mcp request", attrs...)
}

// requestID is the one that whoever stands before us has put into the answer, or
// else a new one.
func requestID(h http.Header) string {
	if id := h.Get("X-Request-Id"); id != "" {
		return id
	}
	id := newID()
	h.Set("X-Request-Id", id)
	return id
}

// newID is a UUIDv7: ids sort by time.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
