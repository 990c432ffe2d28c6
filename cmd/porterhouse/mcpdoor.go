package main

import (
	"fmt"

	"porterhouse/gate"
	"porterhouse/identity"
	"porterhouse/mcpserver"
)

// mcpDoor is what answers at one URL of the MCP door.
type mcpDoor struct {
	server   *mcpserver.Server
	verifier *identity.Verifier
}

// buildMCPDoors makes what answers at each URL of the MCP door, by path. A token is for
// the door, or for one cluster at it: then it is worth nothing at the others' URLs.
func buildMCPDoors(c Config, p setup, to *gate.Gate) (map[string]mcpDoor, error) {
	doors := map[string]mcpDoor{}
	for _, way := range mcpWays(c) {
		verifier, err := buildVerifier(c, p, mcpResource(c, way.only))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", way.path, err)
		}
		server, err := mcpserver.New(mcpserver.Config{
			Gate:             to,
			Verify:           verifier.Verify,
			LacksScope:       identity.LacksScope,
			Scopes:           scopes(c),
			Clusters:         way.clusters,
			Default:          way.usual(c),
			State:            p.mcp,
			ResourceMetadata: c.publicURL() + metadataPath + way.path,
			Origins:          c.Origins,
			MaxBody:          int64(c.HTTP.MaxBody),
			Log:              p.log,
			Now:              p.now,
		})
		if err != nil {
			return nil, err
		}
		doors[way.path] = mcpDoor{server, verifier}
	}
	return doors, nil
}

// usual is the cluster that is meant without a word about it; "": none is.
func (w mcpWay) usual(c Config) string {
	if w.only != "" {
		return w.only
	}
	return usualCluster(c)
}
