package main

import (
	"fmt"
	"io"
)

// printClients prints ready-to-paste configuration of MCP clients. Each of them finds
// out by the URL alone where to sign in.
func printClients(w io.Writer, url string) {
	fmt.Fprintf(w, `Claude Code
  claude mcp add --transport http clickhouse %[1]s
  and there /mcp, to sign in

Cursor (.cursor/mcp.json)
  {"mcpServers": {"clickhouse": {"url": "%[1]s"}}}

VS Code (.vscode/mcp.json)
  {"servers": {"clickhouse": {"type": "http", "url": "%[1]s"}}}

A client that speaks only stdio
  npx mcp-remote %[1]s

MCP inspector
  npx @modelcontextprotocol/inspector --cli %[1]s --transport http \
    --method tools/call --tool-name query --tool-arg "sql=SELECT currentUser(), authenticatedUser()"

This command line
  porterhouse login %[1]s
`, url)
}
