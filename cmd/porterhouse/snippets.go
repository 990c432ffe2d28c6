package main

import (
	"fmt"
	"io"
)

// printClients prints ready-to-paste configuration of MCP clients.
func printClients(w io.Writer, url, token string) {
	fmt.Fprintf(w, `Claude Code
  claude mcp add --transport http clickhouse %[1]s --header "Authorization: Bearer %[2]s"

Cursor (.cursor/mcp.json)
  {"mcpServers": {"clickhouse": {"url": "%[1]s", "headers": {"Authorization": "Bearer %[2]s"}}}}

VS Code (.vscode/mcp.json)
  {"servers": {"clickhouse": {"type": "http", "url": "%[1]s", "headers": {"Authorization": "Bearer %[2]s"}}}}

MCP inspector
  npx @modelcontextprotocol/inspector --cli %[1]s --transport http --header "Authorization: Bearer %[2]s" \
    --method tools/call --tool-name query --tool-arg "sql=SELECT currentUser(), authenticatedUser()"
`, url, token)
}
