// `oauth4webapi`, step by step: every answer of ours passes the checks of a client that forgives
// nothing, from discovery to a bound token at UserInfo.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';

import { allow, CALLBACK } from './support/app.mjs';
import { API, issuer, newClient, newcomer } from './support/house.mjs';
import { EXCHANGE } from './support/speaker.mjs';

const server = new URL(issuer);
let as, eva;

before(async () => {
  as = await oauth.processDiscoveryResponse(server, await oauth.discoveryRequest(server));
  eva = await newcomer('Eva');
});

/// Sends a request again with the nonce it was answered with (RFC 9449 §8), once.
async function withNonce(request, read) {
  try {
    return await read(await request());
  } catch (thrown) {
    if (!oauth.isDPoPNonceError(thrown)) throw thrown;
    return read(await request());
  }
}

/// A public app with Eva's yes: the answer of the authorization endpoint, checked.
async function authorized(wishes = {}) {
  const made = await newClient({
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [CALLBACK],
    scope: 'openid profile email',
    audiences: [issuer],
  });
  const client = { client_id: made.client_id };
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: CALLBACK,
    scope: 'openid profile email',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...wishes,
  });
  const back = new URL(await allow(eva.visitor, url.href));
  // Checks state and, since our metadata promises it, `iss` (RFC 9207 §2.4).
  return { client, verifier, nonce, state, back, answer: () => oauth.validateAuthResponse(as, client, back, state) };
}

test('both discovery documents are found where the standards say, and agree', async () => {
  const other = await oauth.discoveryRequest(server, { algorithm: 'oauth2' });
  assert.deepEqual(await oauth.processDiscoveryResponse(server, other), as);
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint', 'introspection_endpoint']) {
    assert.ok(as[name].startsWith(`${issuer}/`), name);
  }
  assert.deepEqual(as.code_challenge_methods_supported, ['S256']);
  assert.deepEqual(as.response_types_supported, ['code']);
  assert.equal(as.authorization_response_iss_parameter_supported, true);
  assert.ok(as.grant_types_supported.includes(EXCHANGE));
  assert.ok(!as.id_token_signing_alg_values_supported.includes('none'));
});

test('a service gets a token whose form passes, and introspection says the same of it', async () => {
  const made = await newClient({
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    scope: 'telemetry:read',
  });
  const client = { client_id: made.client_id };
  const proof = oauth.ClientSecretBasic(made.client_secret);
  const answer = await oauth.clientCredentialsGrantRequest(as, client, proof, { scope: 'telemetry:read' });
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const { access_token: token, expires_in: life } = await oauth.processClientCredentialsResponse(as, client, answer);
  const asked = await oauth.introspectionRequest(as, client, proof, token);
  const told = await oauth.processIntrospectionResponse(as, client, asked);
  const claims = decodeJwt(token);
  assert.equal(decodeProtectedHeader(token).typ, 'at+jwt');
  for (const name of ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope']) {
    assert.deepEqual(told[name], claims[name], name);
  }
  assert.equal(claims.exp - claims.iat, life);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proof, token));
  const after = await oauth.introspectionRequest(as, client, proof, token);
  assert.deepEqual(await oauth.processIntrospectionResponse(as, client, after), { active: false });
});

test('an answer of the authorization endpoint names its issuer; one of another issuer is refused', async () => {
  const { client, back, state, answer } = await authorized();
  assert.ok(answer().get('code'));
  const mixed = new URL(back);
  mixed.searchParams.set('iss', 'https://evil.example.com');
  assert.throws(() => oauth.validateAuthResponse(as, client, mixed, state), { code: oauth.INVALID_RESPONSE });
  mixed.searchParams.delete('iss');
  assert.throws(() => oauth.validateAuthResponse(as, client, mixed, state), { code: oauth.INVALID_RESPONSE });
});

test('the refusal of a person comes back as an answer that passes, too', async () => {
  const { client, back, state } = await authorized({ prompt: 'none' });
  assert.throws(() => oauth.validateAuthResponse(as, client, back, state), { error: 'consent_required' });
});

test('code, ID token, UserInfo: all of it bound to one key, with a nonce where one is asked for', async () => {
  const { client, verifier, nonce, answer } = await authorized();
  const pair = await oauth.generateKeyPair('ES256', { extractable: true });
  const DPoP = oauth.DPoP(client, pair);
  const code = answer();
  const redeem = () =>
    oauth.authorizationCodeGrantRequest(as, client, oauth.None(), code, CALLBACK, verifier, { DPoP });
  const check = { expectedNonce: nonce, requireIdToken: true };
  let reply;
  const tokens = await withNonce(redeem, (it) => {
    reply = it;
    return oauth.processAuthorizationCodeResponse(as, client, it, check);
  });
  await oauth.validateApplicationLevelSignature(as, reply);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  assert.equal(decodeProtectedHeader(tokens.id_token).alg, 'RS256');
  assert.equal(tokens.token_type, 'dpop');
  assert.equal(decodeJwt(tokens.access_token).cnf.jkt, await calculateJwkThumbprint(await exportJWK(pair.publicKey)));

  const ask = () => oauth.userInfoRequest(as, client, tokens.access_token, { DPoP });
  const info = await withNonce(ask, (it) => oauth.processUserInfoResponse(as, client, claims.sub, it));
  assert.equal(info.email, eva.person.email);

  const plain = await oauth.userInfoRequest(as, client, tokens.access_token);
  assert.equal(plain.status, 401);
  assert.match(plain.headers.get('www-authenticate'), /error="invalid_token"/);
});

test('a proof is good once', async () => {
  const { client, verifier, nonce, answer } = await authorized();
  const pair = await oauth.generateKeyPair('ES256', { extractable: true });
  const fixed = { [oauth.modifyAssertion]: (_, payload) => { if (payload.ath) payload.jti = 'the-same-again'; } };
  const DPoP = oauth.DPoP(client, pair, fixed);
  const code = answer();
  const redeem = () => oauth.authorizationCodeGrantRequest(as, client, oauth.None(), code, CALLBACK, verifier, { DPoP });
  const tokens = await withNonce(redeem, (it) =>
    oauth.processAuthorizationCodeResponse(as, client, it, { expectedNonce: nonce, requireIdToken: true }));
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const ask = () => oauth.userInfoRequest(as, client, tokens.access_token, { DPoP });
  await withNonce(ask, (it) => oauth.processUserInfoResponse(as, client, sub, it));
  const again = await ask();
  assert.equal(again.status, 401);
  assert.match(again.headers.get('www-authenticate'), /error="(invalid_dpop_proof|invalid_token)"/);
});
