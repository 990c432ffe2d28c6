// A program on the person's own machine that signs in: it listens on loopback, opens
// the browser (xdg-open) and waits until that comes back. Both TypeScript SDKs take it
// as their OAuthClientProvider.
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

// Callback listens on a free port of 127.0.0.1.
export class Callback {
  static async listen() {
    const callback = new Callback();
    callback.back = new Promise((found) => {
      callback.server = createServer((request, response) => {
        response.end("Signed in.");
        found(new URL(request.url, callback.redirect));
      });
    });
    await new Promise((up) => callback.server.listen(0, "127.0.0.1", up));
    callback.redirect = `http://127.0.0.1:${callback.server.address().port}/callback`;
    return callback;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

export function openBrowser(url) {
  execFile("xdg-open", [String(url)], (problem) => problem && console.error(String(problem)));
}

// Login is one client's memory. known says how the client is known: the URL of its
// metadata document, the id that an operator gave it, or, with neither, registration.
export class Login {
  constructor(callback, known = {}) {
    this.redirectUrl = callback.redirect;
    this.callback = callback;
    this.clientMetadataUrl = known.document;
    if (known.id) this.client = { client_id: known.id };
    this.clientMetadata = {
      client_name: known.name ?? "TypeScript SDK",
      redirect_uris: [callback.redirect],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  }

  state() {
    return (this.sent = randomUUID());
  }

  clientInformation() {
    return this.client;
  }

  saveClientInformation(client) {
    this.client = client;
  }

  tokens() {
    return this.had;
  }

  saveTokens(tokens) {
    this.had = tokens;
  }

  redirectToAuthorization(url) {
    this.asked = url;
    openBrowser(url);
  }

  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }

  codeVerifier() {
    return this.verifier;
  }

  // returned is what the browser brought, once its state is the one that was sent.
  async returned() {
    const back = await this.callback.back;
    if (back.searchParams.get("state") !== this.sent) throw new Error(`the state is not the one that was sent: ${back}`);
    if (back.searchParams.has("error")) throw new Error(`refused: ${back.searchParams}`);
    return back.searchParams;
  }
}

// known reads how the client is known from the command line: --document URL or --id ID.
export function known(argv) {
  const value = (name) => (argv.includes(name) ? argv[argv.indexOf(name) + 1] : undefined);
  return { document: value("--document"), id: value("--id") };
}

// report asks who we are, renews the tokens by being told that the one we have is no
// good, asks again, and prints what happened.
export async function report(client, login, connectAgain) {
  const whoami = async (c) => (await c.callTool({ name: "whoami", arguments: {} })).content[0].text;
  const seen = { client: login.client?.client_id, asked: Object.fromEntries(login.asked.searchParams), scope: login.had.scope, refresh: !!login.had.refresh_token };
  seen.who = await whoami(client);
  await client.close();
  const before = login.had;
  login.had = { ...before, access_token: before.access_token.slice(0, -8) + "AAAAAAAA" };
  const again = await connectAgain();
  seen.again = await whoami(again);
  seen.rotated = login.had.refresh_token !== before.refresh_token;
  await again.close();
  console.log(JSON.stringify(seen));
}
