package mcpserver

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// StateConfig is what a State is made of.
type StateConfig struct {
	Version  string           // ours, as clients see it; "": "dev"
	Sessions Sessions         // bounds on those of clients before 2026-07-28
	Log      *slog.Logger     // nil: discarded
	Now      func() time.Time // nil: time.Now
}

// Sessions bounds what clients of the revisions before 2026-07-28 keep open.
type Sessions struct {
	Idle time.Duration // closed after so long without a request; 0: 8 h
	Each int           // of one person; 0: 32
	All  int           // of everybody; 0: 2,000
}

// State is what outlives a configuration: the SDK's protocol with the sessions of older
// clients, and the counts. Each request is served by the rules of the Server that it came
// to, in a session as well: so a session goes on under new rules, and never under those
// that it began with. It is safe for concurrent use, by several Servers at once.
type State struct {
	StateConfig
	newer    http.Handler // 2026-07-28 and later: every request on its own
	older    http.Handler // up to 2025-11-25: sessions
	sessions *sessions
	buffers  buffers
	counts   counts
}

// NewState has no sessions yet.
func NewState(c StateConfig) *State {
	c = c.withDefaults()
	return newState(c, c.newMCP(byRequest))
}

// newState serves server, which has our middleware already.
func newState(c StateConfig, server *mcp.Server) *State {
	handler := func(stateless bool) http.Handler {
		return authenticated(mcp.NewStreamableHTTPHandler(
			func(*http.Request) *mcp.Server { return server },
			&mcp.StreamableHTTPOptions{
				Stateless:                    stateless,
				SessionTimeout:               c.Sessions.Idle,
				MaxRequestBodyBytes:          -1, // the Server bounds it
				PropagateRequestCancellation: true,
				DisableLocalhostProtection:   true, // ours knows the public host as well
			}))
	}
	return &State{StateConfig: c, newer: handler(true), older: handler(false), sessions: newSessions(c.Sessions, server, c.Now)}
}

func (c StateConfig) withDefaults() StateConfig {
	c.Version = cmp.Or(c.Version, "dev")
	c.Sessions.Idle = cmp.Or(c.Sessions.Idle, 8*time.Hour)
	c.Sessions.Each = cmp.Or(c.Sessions.Each, 32)
	c.Sessions.All = cmp.Or(c.Sessions.All, 2_000)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// newMCP is the MCP server behind a way in: its messages' visits are found by find. It
// knows what there is, and nothing of any configuration: see reword.
func (c StateConfig) newMCP(find usher) *mcp.Server {
	server := mcp.NewServer(
		&mcp.Implementation{Name: "porterhouse", Title: "Porterhouse, the porter at ClickHouse", Version: c.Version},
		&mcp.ServerOptions{
			// What is in the lists never changes while we run, and nothing is logged to clients.
			Capabilities: &mcp.ServerCapabilities{
				Tools: &mcp.ToolCapabilities{}, Prompts: &mcp.PromptCapabilities{}, Resources: &mcp.ResourceCapabilities{},
			},
			SetCacheable: cacheable,
		})
	for _, t := range tools(numbers{}, nil) {
		server.AddTool(&mcp.Tool{Name: t.name, InputSchema: json.RawMessage(`{"type":"object"}`)}, handler(t))
	}
	addResources(server)
	addPrompts(server)
	server.AddReceivingMiddleware(attend(find, c.Log, c.Now), reword)
	return server
}

// Close ends the sessions of older clients, so that no stream of theirs holds up
// the end of an HTTP server: call it from http.Server.RegisterOnShutdown, of every
// one that serves this door. What is under way is still answered.
func (s *State) Close() { s.sessions.closeAll() }

// Stats counts what the door did since its State was made.
type Stats struct {
	Calls    uint64 // of tools
	Failures uint64 // calls of tools that ended in an error
	Denied   uint64 // HTTP requests that did not come in
	Sessions int    // open now
}

// counts is what Stats reads.
type counts struct{ calls, failures, denied atomic.Uint64 }

// Stats returns the counts so far.
func (s *State) Stats() Stats {
	return Stats{
		Calls: s.counts.calls.Load(), Failures: s.counts.failures.Load(), Denied: s.counts.denied.Load(),
		Sessions: s.sessions.count(),
	}
}
