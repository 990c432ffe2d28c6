// openid-client judges the authorization server from the side of a program that only
// knows its issuer.
//   SECRET=… KEY=… node judge_openid_client.mjs ISSUER RESOURCE
// The clients judge-public, judge-secret and judge-key are registered by the operator;
// KEY is the JWK with which the last one signs. It asks its test to sign in, as
// judge_oauth4webapi.mjs does, and to agree on the device page: {"device": URL, "code": …}.
import * as openid from "openid-client";
import { ask, refusal, tell } from "./talk.mjs";

const [, , issuer, resource] = process.argv;
const redirect = "http://127.0.0.1:1/callback";
const configure = (id, authentication) =>
  openid.discovery(new URL(issuer), id, {}, authentication, { algorithm: "oauth2", execute: [openid.allowInsecureRequests] });

const app = await configure("judge-public", openid.None());
const server = await configure("judge-secret", openid.ClientSecretBasic(process.env.SECRET));
const key = JSON.parse(process.env.KEY);
const signing = await crypto.subtle.importKey("jwk", key, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const robot = await configure("judge-key", openid.PrivateKeyJwt({ key: signing, kid: key.kid }));

async function authorize(act = "Allow") {
  const verifier = openid.randomPKCECodeVerifier();
  const state = openid.randomState();
  const url = openid.buildAuthorizationUrl(app, {
    redirect_uri: redirect, resource, state, scope: "openid profile clickhouse:read offline_access",
    code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const { back } = await ask({ open: url.href, do: act });
  return { back: new URL(back), checks: { pkceCodeVerifier: verifier, expectedState: state } };
}
const redeem = ({ back, checks }) => openid.authorizationCodeGrant(app, back, checks, { resource });

const seen = { refused: {} };
const tokens = await redeem(await authorize());
seen.code = { scope: tokens.scope, type: tokens.token_type, expires: tokens.expiresIn() };
const renewed = await openid.refreshTokenGrant(app, tokens.refresh_token, { resource });
const looked = await openid.tokenIntrospection(server, renewed.access_token);
seen.introspected = { active: looked.active, client: looked.client_id, scope: looked.scope, aud: looked.aud };
await openid.tokenRevocation(app, renewed.refresh_token);
seen.refused["a revoked family"] = await refusal(() => openid.refreshTokenGrant(app, renewed.refresh_token));
seen.introspectedLater = await openid.tokenIntrospection(server, renewed.refresh_token);

const no = await authorize("Cancel");
seen.refused["the person says no"] = await refusal(() => redeem(no));
const mixed = await authorize();
mixed.back.searchParams.set("iss", "https://honest.example.com");
seen.refused["another issuer's answer"] = (await refusal(() => redeem(mixed))).includes("iss") ? "mix-up" : "not noticed";
const stateless = await authorize();
stateless.back.searchParams.set("state", "somebody else's");
seen.refused["another state"] = (await refusal(() => redeem(stateless))).includes("state") ? "state" : "not noticed";

seen.robots = {};
for (const [name, config] of Object.entries({ "client_secret_basic": server, "private_key_jwt": robot })) {
  const given = await openid.clientCredentialsGrant(config, { resource, scope: "clickhouse:read" });
  seen.robots[name] = { token: given.access_token, refresh: given.refresh_token !== undefined };
}
const impostor = await configure("judge-secret", openid.ClientSecretBasic("a guess"));
seen.refused["a wrong secret"] = await refusal(() => openid.clientCredentialsGrant(impostor, { resource }));
seen.refused["a grant that is not this client's"] = await refusal(() => openid.clientCredentialsGrant(app, { resource }));
seen.refused["a resource that is not here"] = await refusal(() => openid.clientCredentialsGrant(server, { resource: "https://elsewhere.example.com/mcp" }));

async function device(act) {
  const started = await openid.initiateDeviceAuthorization(app, { scope: "clickhouse:read offline_access", resource });
  await ask({ device: started.verification_uri_complete, code: started.user_code, do: act });
  return openid.pollDeviceAuthorizationGrant(app, started);
}
const onDevice = await device("Allow");
seen.device = { token: onDevice.access_token, scope: onDevice.scope, refresh: onDevice.refresh_token !== undefined };
seen.refused["no, on the device page"] = await refusal(() => device("Cancel"));
tell(seen);
