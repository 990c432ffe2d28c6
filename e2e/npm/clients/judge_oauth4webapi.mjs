// oauth4webapi judges the authorization server: what it says, gives and refuses.
//   node judge_oauth4webapi.mjs http://127.0.0.1:8080/mcp OTHER_CLIENT_ID
// It registers itself, and asks its test to sign in: {"open": URL, "do": "Allow"}, for
// which it wants {"back": the address that the browser was sent to}.
import * as oauth from "oauth4webapi";
import { ask, refusal, tell } from "./talk.mjs";

const [, , resource, other] = process.argv;
const plain = { [oauth.allowInsecureRequests]: true }; // http, on loopback
const redirect = "http://127.0.0.1:1/callback";

const described = await oauth.processResourceDiscoveryResponse(new URL(resource), await oauth.resourceDiscoveryRequest(new URL(resource), plain));
const issuer = new URL(described.authorization_servers[0]);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...plain, algorithm: "oauth2" }));
const client = await oauth.processDynamicClientRegistrationResponse(
  await oauth.dynamicClientRegistrationRequest(as, {
    client_name: "oauth4webapi", redirect_uris: [redirect], token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"], response_types: ["code"],
  }, plain));

// authorize sends the browser with the request; change is a map of parameters, null removes one.
async function authorize(change = {}, act = "Allow") {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint);
  const parameters = {
    client_id: client.client_id, response_type: "code", redirect_uri: redirect, resource, state, scope: "clickhouse:read offline_access",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...change,
  };
  for (const [name, value] of Object.entries(parameters)) if (value !== null) url.searchParams.set(name, value);
  const { back } = await ask({ open: url.href, do: act });
  return { verifier, parameters: () => oauth.validateAuthResponse(as, client, new URL(back), state) };
}

const redeem = async (parameters, verifier, by = client, uri = redirect) =>
  oauth.processAuthorizationCodeResponse(as, by, await oauth.authorizationCodeGrantRequest(as, by, oauth.None(), parameters, uri, verifier, { ...plain, additionalParameters: { resource } }));
const refresh = async (token, by = client) =>
  oauth.processRefreshTokenResponse(as, by, await oauth.refreshTokenGrantRequest(as, by, oauth.None(), token, plain));
const revoke = async (token) =>
  oauth.processRevocationResponse(await oauth.revocationRequest(as, client, oauth.None(), token, plain));
const claims = (token) =>
  oauth.validateJwtAccessToken(as, new Request(resource, { headers: { Authorization: `Bearer ${token}` } }), resource, plain);

const refused = {};
const first = await authorize();
const tokens = await redeem(first.parameters(), first.verifier);
const granted = await claims(tokens.access_token);
const renewed = await refresh(tokens.refresh_token);
await claims(renewed.access_token);
refused["another client's refresh token"] = await refusal(() => refresh(renewed.refresh_token, { client_id: other }));
await revoke(renewed.refresh_token);
refused["a revoked refresh token"] = await refusal(() => refresh(renewed.refresh_token));

let trip = await authorize();
await redeem(trip.parameters(), trip.verifier);
refused["a code, twice"] = await refusal(() => redeem(trip.parameters(), trip.verifier));
trip = await authorize();
refused["a code with another verifier"] = await refusal(() => redeem(trip.parameters(), oauth.generateRandomCodeVerifier()));
trip = await authorize();
refused["a code of another client"] = await refusal(() => redeem(trip.parameters(), trip.verifier, { client_id: other }));
trip = await authorize();
refused["a code with another redirect"] = await refusal(() => redeem(trip.parameters(), trip.verifier, client, "http://127.0.0.1:2/callback"));
refused["a made-up code"] = await refusal(() => redeem(oauth.validateAuthResponse(as, client, new URLSearchParams({ code: "made-up", iss: as.issuer }), oauth.expectNoState), trip.verifier));

for (const [name, change, act] of [
  ["no PKCE", { code_challenge: null, code_challenge_method: null }],
  ["plain PKCE", { code_challenge_method: "plain" }],
  ["PKCE without a method", { code_challenge_method: null }],
  ["the implicit grant", { response_type: "token" }],
  ["a resource that is not here", { resource: "https://elsewhere.example.com/mcp" }],
  ["prompt=none without consent", { prompt: "none" }],
  ["the person says no", {}, "Cancel"],
]) {
  const asked = await authorize(change, act);
  refused[name] = await refusal(asked.parameters);
}
tell({ client, described, as, granted, scope: tokens.scope, expires_in: tokens.expires_in, rotated: renewed.refresh_token !== tokens.refresh_token, refused });
