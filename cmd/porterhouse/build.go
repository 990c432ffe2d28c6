package main

import (
	"fmt"
	"net/http"

	"porterhouse/directory"
	"porterhouse/gate"
	"porterhouse/identity"
	"porterhouse/mcpserver"
)

// generation is what one configuration makes: the rules, and the routes that
// follow them. A new configuration makes a new generation; the process stays.
type generation struct {
	gate     *gate.Gate
	verifier *identity.Verifier
	mcp      *mcpserver.Server
	handler  http.Handler
}

// build makes the generation of c. It is the one place where rooms meet.
func build(c Config, p *process) (*generation, error) {
	g := &generation{}
	var err error
	if g.verifier, err = identity.New(identity.Config{Processors: []identity.Processor{p.tokens.Verify}}); err != nil {
		return nil, err
	}
	if g.gate, err = buildGate(c, p); err != nil {
		return nil, err
	}
	g.mcp, err = mcpserver.New(mcpserver.Config{
		Gate:             g.gate,
		Verify:           g.verifier.Verify,
		Cluster:          c.clusterNames()[0],
		Version:          version,
		ResourceMetadata: c.publicURL() + metadataPath + mcpPath,
		Origins:          c.Origins,
		MaxBody:          int64(c.HTTP.MaxBody),
		Log:              p.log,
	})
	if err != nil {
		return nil, err
	}
	g.handler = routes(c, p, g)
	return g, nil
}

func buildGate(c Config, p *process) (*gate.Gate, error) {
	clusters := make(map[string]gate.Cluster, len(c.Clusters))
	for name, cluster := range c.Clusters {
		people, err := directory.New(c.Users.directory(cluster.User))
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", name, err)
		}
		clusters[name] = gate.Cluster{Client: p.clients[name], Directory: people}
	}
	return gate.New(gate.Config{
		Clusters: clusters,
		Audit:    p.audit,
		People:   p.people,
		Limits:   c.Limits.gate(),
		Queue:    c.Limits.queue(),
		Allow:    gate.Allow{Settings: c.Allow.Settings, Functions: c.Allow.Functions, TableFunctions: c.Allow.TableFunctions},
	})
}

// The paths of the house.
const (
	mcpPath      = "/mcp"
	metadataPath = "/.well-known/oauth-protected-resource"
)

// routes is the whole of what this server answers:
//
//	/mcp                                          the MCP door
//	/.well-known/oauth-protected-resource[/mcp]   what a client may know before it has a token (RFC 9728)
//	/healthz  /readyz                             for whoever restarts us, and whoever sends us traffic
//	/metrics                                      for Prometheus; from this machine only, or on metrics.listen, which a proxy in front needs
func routes(c Config, p *process, g *generation) http.Handler {
	m := p.metrics
	metadata := resourceMetadata(c.publicURL() + mcpPath)
	mux := http.NewServeMux()
	mux.Handle(mcpPath, m.door("mcp", g.mcp))
	mux.Handle("GET "+metadataPath, metadata)
	mux.Handle("GET "+metadataPath+mcpPath, metadata)
	mux.HandleFunc("GET /healthz", healthz)
	mux.Handle("GET /readyz", &readiness{clusters: p.clients, audit: p.audit})
	if c.Metrics.Listen == "" && !c.BehindTLSProxy { // behind a proxy everybody seems to be on this machine
		mux.Handle("GET /metrics", fromThisMachine(m))
	}
	return outer(mux, c.outer(p.log))
}
