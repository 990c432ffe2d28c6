// The TypeScript SDK of 2026-07-28. The era "modern" insists on 2026-07-28, "auto"
// probes, "legacy" opens a session.
//   PORTERHOUSE_TOKEN=… node sdk2.mjs http://127.0.0.1:8080/mcp shop.orders modern
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { input, walk } from "./walk.mjs";

const { url, table, era = "auto", headers } = input();
const mode = era === "modern" ? { pin: "2026-07-28" } : era;
const client = new Client({ name: "sdk2", version: "1" }, { versionNegotiation: { mode } });
const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });
await client.connect(transport);
const seen = { sdk: 2, era: client.getProtocolEra(), session: transport.sessionId !== undefined };
console.log(JSON.stringify(await walk(client, table, seen), null, 1));
