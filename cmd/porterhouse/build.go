package main

import (
	"context"
	"fmt"
	"net/http"

	"porterhouse"
	"porterhouse/directory"
	"porterhouse/gate"
	"porterhouse/identity"
	"porterhouse/mcpserver"
	"porterhouse/proxy"
	"porterhouse/signin"
)

// build makes the generation of c. It is the one place where rooms meet.
func build(c Config, p setup) (*generation, error) {
	g := &generation{config: c, reach: p.reach}
	var err error
	if g.people, err = buildDirectories(c, p); err != nil {
		return nil, err
	}
	if g.authenticators, err = buildAuthenticators(c, p, g.people); err != nil {
		return nil, err
	}
	if g.signIn, g.tokens, err = (entrance{c, p}).build(); err != nil {
		return nil, err
	}
	if g.gate, err = buildGate(c, p, g); err != nil {
		return nil, err
	}
	if g.mcp, err = buildMCPDoors(c, p, g.gate); err != nil {
		return nil, err
	}
	g.handler = routes(c, p, g)
	return g, buildHTTPDoor(c, p, g)
}

// buildVerifier makes the verifier of one resource. API tokens are for every
// door; all other tokens, our own too, are for this one.
func buildVerifier(c Config, p setup, r identity.Resource) (*identity.Verifier, error) {
	var processors []identity.Processor
	if p.tokens != nil {
		processors = append(processors, p.verifyAPIToken)
	}
	if p.ownKey != nil {
		own, err := ownProcessor(c, p, r)
		if err != nil {
			return nil, err
		}
		processors = append(processors, own)
	}
	others, err := identity.NewProcessors(c.processors(), r, p.providers)
	if err != nil {
		return nil, err
	}
	return identity.New(identity.Config{Processors: append(processors, others...)})
}

// verifyAPIToken is the processor of API tokens, under the name that the rules
// have for it.
func (p setup) verifyAPIToken(ctx context.Context, token string) (porterhouse.Principal, error) {
	who, err := p.tokens.Verify(ctx, token)
	who.Proof = apiTokens
	return who, err
}

// buildDirectories makes the rules of each cluster.
func buildDirectories(c Config, p setup) (map[string]*directory.Directory, error) {
	people := make(map[string]*directory.Directory, len(c.Clusters))
	for name := range c.Clusters {
		var err error
		if people[name], err = directory.New(c.directory(name, p)); err != nil {
			return nil, fmt.Errorf("cluster %s: %w", name, err)
		}
	}
	return people, nil
}

func buildGate(c Config, p setup, g *generation) (*gate.Gate, error) {
	clusters := make(map[string]gate.Cluster, len(c.Clusters))
	for name := range c.Clusters {
		forward, err := newForwarding(c, p, g.signIn, name)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", name, err)
		}
		inside := agentDoor(c)
		clusters[name] = gate.Cluster{
			Client: p.clusters[name], Directory: g.people[name],
			Passwords: c.ClickHouseHTTP.passesPasswords(), Deny: c.Clusters[name].withoutPassword(),
			Forward: forwarded(c, name), Token: forward.gate(), For: gate.For(c.Clusters[name].For),
			Doors: map[string]gate.Door{mcpserver.Door: inside, mcpserver.StdioDoor: inside, proxy.Door: httpDoor{c}.gate(name)},
		}
	}
	return gate.New(gate.Config{
		Clusters: clusters,
		Audit:    p.audit,
		People:   p.people,
		Windows:  p.windows,
	})
}

// agentDoor is what passes at the MCP door, and over stdio: reads, in every access mode.
func agentDoor(c Config) gate.Door {
	return gate.Door{Limits: c.Limits.gate(), Queue: c.Limits.queue(), Rules: c.Limits.rules(), Allow: c.Allow.gate()}
}

// The paths of the house.
const (
	mcpPath      = "/mcp"
	metadataPath = "/.well-known/oauth-protected-resource"
)

// routes is the whole of what this server answers:
//
//	/mcp                                          the MCP door
//	/mcp/NAME                                     the same to one of several clusters
//	/.well-known/oauth-protected-resource[/mcp…]  what a client may know before it has a token (RFC 9728)
//	/signin…                                      where people sign in, and out
//	/authorize /token /jwks …                     the authorization server (authserver.Server.Paths)
//	/healthz  /readyz                             for whoever restarts us, and whoever sends us traffic
//	/metrics                                      for Prometheus; from this machine only, or on metrics.listen, which a proxy in front needs
func routes(c Config, p setup, g *generation) http.Handler {
	m := p.metrics
	mux := http.NewServeMux()
	mux.Handle(metadataPath, resourceMetadata(c, c.publicURL()+mcpPath))
	for path, door := range g.mcp {
		mux.Handle(path, m.door("mcp", door.server))
		mux.Handle(metadataPath+path, resourceMetadata(c, c.publicURL()+path))
	}
	if g.signIn != nil {
		for _, path := range []string{signin.Path, signin.CallbackPath, signin.OutPath} {
			mux.Handle(path, m.door("signin", g.signIn))
		}
		for _, path := range g.tokens.Paths() {
			mux.Handle(path, m.door("authserver", g.tokens))
		}
	}
	mux.HandleFunc("GET /healthz", healthz)
	mux.Handle("GET /readyz", &readiness{clusters: p.reach.clusters, audit: p.audit})
	if c.Metrics.Listen == "" && !c.BehindTLSProxy { // behind a proxy everybody seems to be on this machine
		mux.Handle("GET /metrics", fromThisMachine(m))
	}
	return outer(mux, c.outer(p.log))
}
