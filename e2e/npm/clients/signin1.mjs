// The TypeScript SDK of the revisions up to 2025-11-25 signs in with nothing but a URL.
//   node signin1.mjs http://127.0.0.1:8080/mcp [--document URL | --id ID]
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Callback, known, Login, report } from "./login.mjs";

const url = new URL(process.argv[2]);
const callback = await Callback.listen();
const login = new Login(callback, known(process.argv));
const transport = () => new StreamableHTTPClientTransport(url, { authProvider: login });
const connect = async () => {
  const client = new Client({ name: "signin1", version: "1" });
  await client.connect(transport());
  return client;
};

const first = transport();
try {
  await new Client({ name: "signin1", version: "1" }).connect(first);
  throw new Error("it let in somebody who had not signed in");
} catch (problem) {
  if (!(problem instanceof UnauthorizedError)) throw problem;
}
await first.finishAuth((await login.returned()).get("code"));
await report(await connect(), login, connect);
callback.close();
