// The TypeScript SDK of 2026-07-28 signs in with nothing but a URL.
//   node signin2.mjs http://127.0.0.1:8080/mcp [--document URL | --id ID]
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { Callback, known, Login, report } from "./login.mjs";

const url = new URL(process.argv[2]);
const callback = await Callback.listen();
const login = new Login(callback, known(process.argv));
const mode = { versionNegotiation: { mode: { pin: "2026-07-28" } } };
const transport = () => new StreamableHTTPClientTransport(url, { authProvider: login });
const connect = async () => {
  const client = new Client({ name: "signin2", version: "1" }, mode);
  await client.connect(transport());
  return client;
};

const first = transport();
try {
  await new Client({ name: "signin2", version: "1" }, mode).connect(first);
  throw new Error("it let in somebody who had not signed in");
} catch (problem) {
  if (!(problem instanceof UnauthorizedError)) throw problem;
}
await first.finishAuth(await login.returned()); // it compares iss
await report(await connect(), login, connect);
callback.close();
