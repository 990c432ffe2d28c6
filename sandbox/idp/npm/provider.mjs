// An OpenID provider for tests: oidc-provider with people, clients and resources as
// the first line of stdin tells (JSON). It then prints "READY" and its issuer. Each
// further line changes people or keys, and is answered by "DONE". It ends when stdin does.
//
// An access token is opaque, and a JWT when its client asked for a resource. A refresh
// token is given to who asks for offline_access with prompt=consent; it is good once.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const config = JSON.parse((await lines.next()).value);
const people = new Map();
let keys = [newKey()];
let provider;

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" };
}

function know(all) {
  people.clear();
  for (const p of all) people.set(p.Subject, p);
}

// claims are what the provider says of a person, in tokens and at userinfo.
function claims(sub) {
  const p = people.get(sub);
  return { sub, name: p.Name, preferred_username: p.Name, email: p.Email, email_verified: !p.Unverified, groups: p.Groups ?? [] };
}

const server = createServer((request, response) => (request.url.startsWith("/sign-in/") ? signIn : provider.callback())(request, response));
await new Promise((up) => server.listen(0, "127.0.0.1", up));
const issuer = `http://127.0.0.1:${server.address().port}`;

// signIn takes the place of a page with a form: the name of the person comes in the query.
async function signIn(request, response) {
  try {
    const { params, session } = await provider.interactionDetails(request, response);
    const sub = new URL(request.url, issuer).searchParams.get("person") ?? session?.accountId;
    if (!people.has(sub)) throw new Error(`nobody is called ${sub}`);
    const grant = new provider.Grant({ accountId: sub, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    for (const resource of [params.resource ?? []].flat()) grant.addResourceScope(resource, params.scope);
    const consent = { grantId: await grant.save() };
    await provider.interactionFinished(request, response, { login: { accountId: sub }, consent });
  } catch (problem) {
    response.writeHead(400).end(String(problem));
  }
}

function start() {
  provider = new Provider(issuer, {
    jwks: { keys },
    clients: config.Clients.map((c) => ({
      client_id: c.ID,
      client_secret: c.Secret,
      redirect_uris: [c.Redirect],
      grant_types: ["authorization_code", "client_credentials", "refresh_token"],
    })),
    scopes: ["openid", "email", "profile", "groups", "offline_access", "query"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"], groups: ["groups"] },
    rotateRefreshToken: true,
    cookies: { keys: [randomUUID()] },
    ttl: { AccessToken: config.Lifetime, ClientCredentials: config.Lifetime, IdToken: config.Lifetime, Session: 3600, Interaction: 600, Grant: 3600, RefreshToken: 3600 },
    conformIdTokenClaims: false,
    interactions: { url: (_, interaction) => `/sign-in/${interaction.uid}` },
    findAccount: (_, sub) => (people.has(sub) ? { accountId: sub, claims: () => claims(sub) } : undefined),
    extraTokenClaims: (_, token) => (token.accountId ? claims(token.accountId) : undefined),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({ audience: resource, scope: "openid email profile groups query", accessTokenFormat: "jwt", accessTokenTTL: config.Lifetime }),
      },
    },
  });
}

know(config.People);
start();
console.log("READY", issuer);
for await (const line of lines) {
  const change = JSON.parse(line);
  if (change.People) know(change.People);
  if (change.Rotate) {
    // The new key signs from now on; the old ones are still published, unless dropped.
    keys = change.Drop ? [newKey()] : [newKey(), ...keys];
    start();
  }
  console.log("DONE");
}
process.exit(0);
