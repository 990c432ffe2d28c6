package main

import (
	"fmt"
	"io"
	"net"
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

// printHTTPDoor prints how ClickHouse's own clients come in as Alice. What is printed
// works as it stands.
func (d *demo) printHTTPDoor(w io.Writer, s *server) {
	door := s.config.ClickHouseHTTP
	host, port, _ := net.SplitHostPort(door.Listen) // it is one of ours
	token := d.tokens["alice"]
	fmt.Fprintf(w, `
ClickHouse HTTP   http://%[1]s and https://%[2]s
The certificate is this machine's own; clients trust it by %[3]s

curl
  curl -H 'Authorization: Bearer %[4]s' 'http://%[1]s/?query=SELECT+currentUser()'
  curl --cacert %[3]s -u 'alice:%[4]s' https://%[2]s/ -d 'SELECT count() FROM flights.flights FORMAT JSONEachRow'

Grafana (provisioning/datasources/porterhouse.yaml)
  apiVersion: 1
  datasources:
    - name: ClickHouse as Alice
      type: grafana-clickhouse-datasource
      jsonData: {host: %[5]s, port: %[6]s, protocol: http, username: alice, defaultDatabase: usage}
      secureJsonData: {password: %[4]s}

JavaScript (npm install @clickhouse/client)
  import { createClient } from '@clickhouse/client'
  const clickhouse = createClient({ url: 'http://%[1]s', access_token: '%[4]s' })
  const answer = await clickhouse.query({ query: 'SELECT currentUser() AS me', format: 'JSONEachRow' })
  console.log(await answer.json())
  await clickhouse.close()
`, door.Listen, door.TLS.Listen, demoCertificate(d.files).ca(), token, host, port)
}
