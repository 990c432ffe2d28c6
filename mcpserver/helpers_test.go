package mcpserver

import (
	"context"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// tokenOf is the token of a person in these tests.
func tokenOf(person string) string { return "token-of-" + person }

// verify knows the tokens of tokenOf.
func verify(_ context.Context, token string) (porterhouse.Principal, error) {
	switch person, ok := strings.CutPrefix(token, "token-of-"); {
	case ok && person == "outage":
		return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unavailable, "the identity provider is away")
	case ok && person == "weak":
		return porterhouse.Principal{}, errScope
	case ok && person == "stranger":
		return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Refused, "you are in none of the groups that are let in")
	case ok:
		return porterhouse.Principal{
			Issuer: "test", Subject: person, User: person + "@example.com", Client: "test-client", TokenID: "id-" + person,
		}, nil
	}
	return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "this token is not known")
}

// errScope is what a token is refused with that was not given enough.
var errScope = porterhouse.Errorf(porterhouse.Refused, "your token lacks the scope clickhouse:read")

// fixtureDoor is our real door around the fixture.
func fixtureDoor(t *testing.T, verify func(context.Context, string) (porterhouse.Principal, error)) *door {
	return doorAround(t, newFixture(t), Config{Verify: verify, ResourceMetadata: ownIssuer + "/.well-known/oauth-protected-resource/mcp"})
}

// doorAround is our real door around an MCP server of the test's own.
func doorAround(t testing.TB, server *mcp.Server, c Config) *door {
	t.Helper()
	state := StateConfig{Log: c.Log}.withDefaults()
	server.AddReceivingMiddleware(attend(byRequest, state.Log, state.Now))
	c.State = newState(state, server)
	d, err := newDoor(&Server{config: withDefaults(c), state: c.State}, func(string, string, error) {})
	check(t, err)
	t.Cleanup(c.State.Close)
	return d
}
