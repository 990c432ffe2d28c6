// openid-client judges the demo's identity provider, with nothing but its issuer.
//   SECRET=… node judge_demo.mjs ISSUER CLIENT_ID REDIRECT_URI
// It asks its test to sign in: {"open": URL}.
import * as openid from "openid-client";
import { ask, refusal, tell } from "./talk.mjs";

const [, , issuer, id, redirect] = process.argv;
const config = await openid.discovery(new URL(issuer), id, process.env.SECRET, undefined, { execute: [openid.allowInsecureRequests] });
openid.enableNonRepudiationChecks(config); // the signature of the ID token, too
const verifier = openid.randomPKCECodeVerifier();
const checks = { pkceCodeVerifier: verifier, expectedState: openid.randomState(), expectedNonce: openid.randomNonce(), idTokenExpected: true };
const url = openid.buildAuthorizationUrl(config, {
  redirect_uri: redirect, scope: "openid profile email groups offline_access", state: checks.expectedState, nonce: checks.expectedNonce,
  code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", prompt: "consent",
});
const { back } = await ask({ open: url.href });
const tokens = await openid.authorizationCodeGrant(config, new URL(back), checks);
const claims = tokens.claims();
const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token);
tell({
  claims, user: await openid.fetchUserInfo(config, renewed.access_token, claims.sub), marked: config.serverMetadata().porterhouse_demo,
  again: await refusal(() => openid.authorizationCodeGrant(config, new URL(back), checks)),
});
