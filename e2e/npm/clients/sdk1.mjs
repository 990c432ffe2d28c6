// The TypeScript SDK of the revisions up to 2025-11-25, with sessions.
//   PORTERHOUSE_TOKEN=… node sdk1.mjs http://127.0.0.1:8080/mcp shop.orders
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { input, walk } from "./walk.mjs";

const { url, table, headers } = input();
const client = new Client({ name: "sdk1", version: "1" });
const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });
await client.connect(transport);
const seen = { sdk: 1, session: transport.sessionId !== undefined };
console.log(JSON.stringify(await walk(client, table, seen), null, 1));
