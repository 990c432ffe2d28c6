package mcpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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
	// Clusters are those to which this way in leads. Which of them a person reaches, the
	// gate says; who reaches several says in each call which is meant. At least one.
	Clusters []string
	// Default is the one of Clusters that is meant without a word about it, to whoever
	// reaches it; "": who reaches several always names one.
	Default string
	// State is what outlives this configuration. Required.
	State *State
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
	ProgressGap time.Duration // between two notes on a long question; 0: 2 s
	HintTime    time.Duration // for the search of names near to an unknown one; 0: 2 s
	LookupTime  time.Duration // for each other question that a tool asks on its own; 0: 10 s
	SampleTime  time.Duration // for the sample of one table; 0: 3 s

	Log *slog.Logger     // nil: discarded
	Now func() time.Time // nil: time.Now
}

// Server is the door under one configuration. It is safe for concurrent use.
type Server struct {
	config       Config
	state        *State
	door         *door       // for HTTP
	tools        []*mcp.Tool // as clients list them whose person reaches one cluster
	instructions string      // the same
}

// New checks c and makes its Server.
func New(c Config) (*Server, error) {
	switch {
	case c.Gate == nil:
		return nil, errors.New("mcpserver: no Gate: there is no other way to ClickHouse")
	case c.Verify == nil:
		return nil, errors.New("mcpserver: no Verify: nobody may come in unproved")
	case len(c.Clusters) == 0 || slices.Contains(c.Clusters, ""):
		return nil, errors.New("mcpserver: no Clusters to ask, or one without a name")
	case c.Default != "" && !slices.Contains(c.Clusters, c.Default):
		return nil, fmt.Errorf("mcpserver: the default cluster %q is none of %s", c.Default, strings.Join(c.Clusters, ", "))
	case c.State == nil:
		return nil, errors.New("mcpserver: no State for the sessions of older clients")
	}
	c = withDefaults(c)
	s := &Server{config: c, state: c.State, tools: listed(tools(c.numbers(), nil)), instructions: instructions(c.numbers())}
	var err error
	s.door, err = newDoor(s, c.Gate.Unauthenticated)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func withDefaults(c Config) Config {
	c.MaxBody = cmp.Or(c.MaxBody, 1<<20)
	c.Rows = cmp.Or(c.Rows, 200)
	c.Bytes = cmp.Or(c.Bytes, 50_000)
	c.Tokens = cmp.Or(c.Tokens, 20_000)
	c.MaxBytes = max(cmp.Or(c.MaxBytes, 1_000_000), c.Bytes)
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

// listTTL is how long clients may keep our lists, which change only with our version
// and configuration.
const listTTL = 5 * time.Minute

// cacheable says how long a client may keep a result, and for whom. What a person reads
// depends on who asks; where there are several clusters, so do the lists, which name
// those that the person reaches.
func cacheable(_ context.Context, req mcp.Request, c *mcp.Cacheable) {
	if _, ok := req.(*mcp.ReadResourceRequest); ok {
		c.CacheScope, c.TTLMs = "private", 0
		return
	}
	c.CacheScope, c.TTLMs = "public", int(listTTL.Milliseconds())
	if v, err := visitOf(req.GetExtra()); err == nil && len(v.server.config.Clusters) > 1 {
		c.CacheScope = "private"
	}
}

// ServeHTTP answers at the one URL of this way in, in both eras of the protocol.
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
		v := &visit{server: s, who: who, door: StdioDoor, request: newID(), gone: ctx}
		v.bring(req)
		return v, nil
	}
	return s.state.newMCP(find).Run(ctx, t)
}
