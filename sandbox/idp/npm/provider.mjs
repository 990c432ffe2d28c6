// An OpenID provider for tests: oidc-provider with people, clients and resources as
// the first line of stdin tells (JSON). It then prints "READY" and its issuer. Each
// further line changes people or keys, and is answered by "DONE". It ends when stdin does.
//
// An access token is opaque, and a JWT when its client asked for a resource. A refresh
// token is given to who asks for offline_access with prompt=consent; it is good once.
// Who may exchange tokens (RFC 8693), and which for which, the first line tells as well.
import { createPublicKey, generateKeyPairSync, randomUUID, verify } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider, errors } from "oidc-provider";

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

// The grant of RFC 8693. Only what is asked for in all its parts is given.
const exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
const accessToken = "urn:ietf:params:oauth:token-type:access_token";
const exchangeParameters = ["subject_token", "subject_token_type", "requested_token_type", "actor_token", "actor_token_type", "audience", "resource", "scope"];

// signed are the claims of a token that one of the keys has signed.
function signed(token) {
  const [head, payload, signature] = token.split(".");
  const read = (part) => JSON.parse(Buffer.from(part, "base64url"));
  const { alg, typ, kid } = read(head);
  const key = keys.find((k) => k.kid === kid);
  const publicKey = createPublicKey({ key: { kty: key.kty, n: key.n, e: key.e }, format: "jwk" });
  if (alg !== "RS256" || typ !== "at+jwt" || !verify("sha256", Buffer.from(`${head}.${payload}`), publicKey, Buffer.from(signature, "base64url"))) throw new Error("not ours");
  return read(payload);
}

// ownerOf is whose a token is: one of ours for one of the audiences, or an opaque one of the client.
async function ownerOf(token, audiences, client) {
  if (token.includes(".")) {
    const { iss, aud, exp, sub } = signed(token);
    return iss === issuer && [aud].flat().some((a) => audiences.includes(a)) && exp * 1000 > Date.now() ? sub : undefined;
  }
  const known = await provider.AccessToken.find(token);
  return known?.isValid && known.clientId === client ? known.accountId : undefined;
}

async function exchangeToken(ctx) {
  const { params, client } = ctx.oidc;
  const may = config.Exchanges.filter((e) => e.Client === client.clientId);
  if (may.length === 0) throw new errors.UnauthorizedClient("this client exchanges no tokens");
  if (params.subject_token_type !== accessToken || (params.requested_token_type ?? accessToken) !== accessToken || params.actor_token)
    throw new errors.InvalidRequest("only access tokens are exchanged, and for such");
  const to = params.resource;
  const from = may.filter((e) => e.To === to && (params.audience ?? to) === to).map((e) => e.From);
  if (from.length === 0) throw new errors.InvalidTarget("not for this client");
  const sub = await ownerOf(params.subject_token ?? "", from, client.clientId).catch(() => undefined);
  if (!people.has(sub)) throw new errors.InvalidRequest("the subject token is not valid");
  const grant = new provider.Grant({ accountId: sub, clientId: client.clientId });
  grant.addResourceScope(to, "openid email profile groups");
  const token = new provider.AccessToken({ accountId: sub, client, grantId: await grant.save(), gty: exchange, scope: params.scope ?? "openid email profile groups" });
  token.resourceServer = new provider.ResourceServer(to, resourceServer(to));
  ctx.body = { access_token: await token.save(), issued_token_type: accessToken, token_type: "Bearer", expires_in: token.expiration, scope: token.scope };
}

const resourceServer = (resource) => ({ audience: resource, scope: "openid email profile groups query", accessTokenFormat: "jwt", accessTokenTTL: config.Lifetime });

// claimsOf are those of an access token. That it was exchanged shows in it (act).
function claimsOf(token) {
  if (!token.accountId) return undefined;
  return token.gty === exchange ? { ...claims(token.accountId), act: { sub: token.clientId } } : claims(token.accountId);
}

function start() {
  provider = new Provider(issuer, {
    jwks: { keys },
    clients: config.Clients.map((c) => ({
      client_id: c.ID,
      client_secret: c.Secret,
      redirect_uris: [c.Redirect],
      grant_types: ["authorization_code", "client_credentials", "refresh_token", exchange],
    })),
    scopes: ["openid", "email", "profile", "groups", "offline_access", "query"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"], groups: ["groups"] },
    rotateRefreshToken: true,
    cookies: { keys: [randomUUID()] },
    ttl: { AccessToken: config.Lifetime, ClientCredentials: config.Lifetime, IdToken: config.Lifetime, Session: 3600, Interaction: 600, Grant: 3600, RefreshToken: 3600 },
    conformIdTokenClaims: false,
    interactions: { url: (_, interaction) => `/sign-in/${interaction.uid}` },
    findAccount: (_, sub) => (people.has(sub) ? { accountId: sub, claims: () => claims(sub) } : undefined),
    extraTokenClaims: (_, token) => claimsOf(token),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => resourceServer(resource),
      },
    },
  });
  provider.registerGrantType(exchange, exchangeToken, exchangeParameters);
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
