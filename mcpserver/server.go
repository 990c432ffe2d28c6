package mcpserver

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
	"porterhouse/gate"
)

// Config is what the door is made of.
type Config struct {
	// Gate is the one way to ClickHouse. Required.
	Gate *gate.Gate
	// Verify proves who a bearer token belongs to. Its errors are *porterhouse.Error:
	// Unauthenticated becomes 401, Refused and Denied 403, Limited 429, Unavailable
	// and Timeout 503, everything else 500. Required; called for every request.
	Verify func(ctx context.Context, token string) (porterhouse.Principal, error)
	// LacksScope tells of an error of Verify whether a token with more scopes would
	// pass: such a 403 is insufficient_scope. nil: none would.
	LacksScope func(error) bool
	// Scopes are what a client should ask for when it gets itself a token, for the
	// challenge of a 401. Empty: the challenge names none.
	Scopes []string
	// Cluster is the one that all tools of this door ask. Required.
	Cluster string
	// Version is ours, as clients see it; "": "dev".
	Version string
	// ResourceMetadata is the absolute URL of our protected resource metadata
	// (RFC 9728), for the challenge of a 401. Its host is the public one: requests
	// that reach us over loopback through a proxy may name it. Required.
	ResourceMetadata string
	// Origins are further web origins, such as https://inspector.example.com, whose
	// pages may call this door. Pages of the public host itself always may.
	Origins []string

	MaxBody     int64         // bytes of one request; 0: 1 MiB
	Rows        int64         // of an answer when the caller names no max_rows; 0: 200
	Bytes       int           // of an answer's text when the caller names no max_bytes; 0: 50,000. Twice that with a max_rows
	Tokens      int           // the same in a model's tokens, estimated; 0: 20,000
	MaxBytes    int           // the largest max_bytes; 0: 1,000,000
	Sessions    Sessions      // bounds on those of clients before 2026-07-28
	ProgressGap time.Duration // between two notes on a long question; 0: 2 s
	HintTime    time.Duration // for the search of names near to an unknown one; 0: 2 s
	LookupTime  time.Duration // for each other question that a tool asks on its own; 0: 10 s
	SampleTime  time.Duration // for the sample of one table; 0: 3 s

	Log *slog.Logger     // nil: discarded
	Now func() time.Time // nil: time.Now
}

// Sessions bounds what clients of the revisions before 2026-07-28 keep open.
type Sessions struct {
	Idle time.Duration // closed after so long without a request; 0: 8 h
	Each int           // of one person; 0: 32
	All  int           // of everybody; 0: 2,000
}

// Server is the door. It is safe for concurrent use.
type Server struct {
	config  Config
	door    *door // for HTTP
	buffers buffers
	counts  counts
}

// New checks c and makes its Server.
func New(c Config) (*Server, error) {
	switch {
	case c.Gate == nil:
		return nil, errors.New("mcpserver: no Gate: there is no other way to ClickHouse")
	case c.Verify == nil:
		return nil, errors.New("mcpserver: no Verify: nobody may come in unproved")
	case c.Cluster == "":
		return nil, errors.New("mcpserver: no Cluster to ask")
	}
	s := &Server{config: withDefaults(c)}
	var err error
	s.door, err = newDoor(s.config, s.newMCP(byRequest), &s.buffers, c.Gate.Unauthenticated)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func withDefaults(c Config) Config {
	c.Version = cmp.Or(c.Version, "dev")
	c.MaxBody = cmp.Or(c.MaxBody, 1<<20)
	c.Rows = cmp.Or(c.Rows, 200)
	c.Bytes = cmp.Or(c.Bytes, 50_000)
	c.Tokens = cmp.Or(c.Tokens, 20_000)
	c.MaxBytes = max(cmp.Or(c.MaxBytes, 1_000_000), c.Bytes)
	c.Sessions.Idle = cmp.Or(c.Sessions.Idle, 8*time.Hour)
	c.Sessions.Each = cmp.Or(c.Sessions.Each, 32)
	c.Sessions.All = cmp.Or(c.Sessions.All, 2_000)
	c.ProgressGap = cmp.Or(c.ProgressGap, 2*time.Second)
	c.HintTime = cmp.Or(c.HintTime, 2*time.Second)
	c.LookupTime = cmp.Or(c.LookupTime, 10*time.Second)
	c.SampleTime = cmp.Or(c.SampleTime, 3*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// newMCP is the MCP server behind a way in: its messages' visits are found by find.
func (s *Server) newMCP(find usher) *mcp.Server {
	server := mcp.NewServer(
		&mcp.Implementation{Name: "porterhouse", Title: "Porterhouse, the porter at ClickHouse", Version: s.config.Version},
		&mcp.ServerOptions{
			Instructions: s.instructions(),
			// The lists never change while we run, and nothing is logged to clients.
			Capabilities: &mcp.ServerCapabilities{
				Tools: &mcp.ToolCapabilities{}, Prompts: &mcp.PromptCapabilities{}, Resources: &mcp.ResourceCapabilities{},
			},
			SetCacheable: cacheable,
		})
	s.addTools(server)
	s.addResources(server)
	addPrompts(server)
	server.AddReceivingMiddleware(attend(find, s.config.Log, s.config.Now))
	return server
}

// listTTL is how long clients may keep our lists, which are the same for
// everybody and change only with our version.
const listTTL = 5 * time.Minute

// cacheable says how long a client may keep a result. What a person reads
// depends on who asks.
func cacheable(_ context.Context, req mcp.Request, c *mcp.Cacheable) {
	if _, ok := req.(*mcp.ReadResourceRequest); ok {
		c.CacheScope, c.TTLMs = "private", 0
		return
	}
	c.CacheScope, c.TTLMs = "public", int(listTTL.Milliseconds())
}

// ServeHTTP answers at the one URL of the door, in both eras of the protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.door.ServeHTTP(w, r) }

// Run serves one person on a connection that is theirs alone, such as stdio,
// until the client leaves or ctx ends. verify proves who it is: at the start, whose
// error Run returns, and again for every message, so that a token that has ended or
// was revoked is worth nothing from then on. Its errors are those of Config.Verify.
func (s *Server) Run(ctx context.Context, verify func(context.Context) (porterhouse.Principal, error), t mcp.Transport) error {
	prove := func(ctx context.Context) (porterhouse.Principal, error) {
		who, err := verify(ctx)
		switch {
		case err != nil:
			return porterhouse.Principal{}, err
		case who.Subject == "":
			return porterhouse.Principal{}, errNobody
		case !who.Expires.IsZero() && !s.config.Now().Before(who.Expires):
			return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "your token has ended; start again with a new one")
		}
		return who, nil
	}
	if _, err := prove(ctx); err != nil {
		return err
	}
	find := func(message context.Context, req mcp.Request) (*visit, error) {
		who, err := prove(message)
		if err != nil {
			if no := refuse(err); no.unproved() {
				s.config.Gate.Unauthenticated(StdioDoor, "", no.recorded())
			}
			return nil, err
		}
		v := &visit{who: who, door: StdioDoor, request: newID(), gone: ctx}
		v.bring(req)
		return v, nil
	}
	return s.newMCP(find).Run(ctx, t)
}

// Close ends the sessions of older clients, so that no stream of theirs holds up
// the end of an HTTP server: call it from http.Server.RegisterOnShutdown, of every
// one that serves this door. What is under way is still answered.
func (s *Server) Close() { s.door.sessions.closeAll() }

// Stats counts what the door did since it was made.
type Stats struct {
	Calls    uint64 // of tools
	Failures uint64 // calls of tools that ended in an error
	Denied   uint64 // HTTP requests that did not come in
	Sessions int    // open now
}

// counts is what Stats reads.
type counts struct{ calls, failures atomic.Uint64 }

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	return Stats{
		Calls: s.counts.calls.Load(), Failures: s.counts.failures.Load(), Denied: s.door.denied.Load(),
		Sessions: s.door.sessions.count(),
	}
}
