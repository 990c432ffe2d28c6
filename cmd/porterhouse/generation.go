package main

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"porterhouse/authenticator"
	"porterhouse/authserver"
	"porterhouse/directory"
	"porterhouse/gate"
	"porterhouse/identity"
	"porterhouse/proxy"
	"porterhouse/signin"
)

// generation is what one configuration makes: the rules, and the routes that
// follow them. A new configuration makes a new generation; the process stays.
//
//	request ─▶ enter: the generation in force ─▶ its door, its rules, to the end ─▶ leave
//	                        ▲
//	reload ─▶ built ─▶ replace ─▶ the one before: its last request leaves ─▶ finish
//
// A request is of one generation from its first byte to its last, whatever comes
// meanwhile.
type generation struct {
	config Config
	reach  *reach

	gate    *gate.Gate
	mcp     map[string]mcpDoor // by path
	handler http.Handler
	people  map[string]*directory.Directory // by cluster

	http         map[string]*proxy.Server // by cluster; nil: the door of ClickHouse's clients is shut
	httpVerifier *identity.Verifier
	httpHandler  http.Handler

	signIn         *signin.SignIn                          // nil: nobody can
	tokens         *authserver.Server                      // there is one where people can sign in
	authenticators map[string]*authenticator.Authenticator // by cluster

	holders atomic.Int64  // requests under way, and one for being in force
	over    chan struct{} // closed when there are no holders any more
}

// hold counts a request in. It reports false when the generation is over.
func (g *generation) hold() bool {
	for n := g.holders.Load(); n > 0; n = g.holders.Load() {
		if g.holders.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// leave counts it out.
func (g *generation) leave() {
	if g.holders.Add(-1) == 0 {
		close(g.over)
	}
}

// enter is the generation in force, held until the caller leaves it.
func (p *process) enter() *generation {
	for {
		if g := p.generation.Load(); g.hold() {
			return g
		}
	}
}

// answering is a handler of whichever generation is in force when a request comes.
func (p *process) answering(door func(*generation) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := p.enter()
		if isIdleStream(r) {
			g.leave()
		} else {
			defer g.leave()
		}
		door(g).ServeHTTP(w, r)
	})
}

// isIdleStream reports whether r is the stream that an MCP client keeps open for what a
// server may want to say of itself. It may last for days and asks for nothing, so no
// generation waits for its end.
func isIdleStream(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.URL.Path == mcpPath || strings.HasPrefix(r.URL.Path, mcpPath+"/"))
}

// replace puts g in force, and returns the one that was before; nil: none.
func (p *process) replace(g *generation) (before *generation) {
	g.over = make(chan struct{})
	g.holders.Store(1)
	p.counts.begin(g)
	p.reloads.at.Store(p.now().Unix())
	if before = p.generation.Swap(g); before != nil {
		before.leave()
	}
	return before
}

// finish lets go of a generation that was replaced, when its last request has ended; at
// the latest when no statement of it can be under way any more. The end of ctx is that
// of the process, which lets go of everything.
func (p *process) finish(ctx context.Context, g *generation) {
	late := time.NewTimer(longestRequest(g.config))
	defer late.Stop()
	select {
	case <-g.over:
	case <-late.C:
	case <-ctx.Done():
	}
	for _, door := range g.authenticators {
		door.Flush()
	}
	if ctx.Err() != nil {
		return
	}
	p.counts.end(g)
	ctx, cancel := context.WithTimeout(ctx, lettingGoTime)
	defer cancel()
	p.letGo(ctx, g.reach)
}

// questionsOfACall are the statements that one call of a tool may ask one after the other,
// each of which may take its time.
const questionsOfACall = 4

// longestRequest is how long a request may be at work, from waiting for a place to the
// last byte of its answer.
func longestRequest(c Config) time.Duration {
	wait := c.Limits.QueueWait
	for _, rule := range c.Limits.Rules {
		wait += max(rule.QueueWait, c.Limits.QueueWait)
	}
	return max(questionsOfACall*(c.Limits.Time+wait), c.ClickHouseHTTP.Limits.Time+wait) + shutdownTime
}
