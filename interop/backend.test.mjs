// A backend of somebody else's, with `jose` and nothing of ours: it takes tokens for what their
// signature and claims say, and refuses everything else.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { calculateJwkThumbprint, createRemoteJWKSet, errors, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';

import { basicOf, CALLBACK, codeFlow } from './support/app.mjs';
import { API, ca, INGEST, issuer, newClient, newcomer, newProduct, unique } from './support/house.mjs';
import { EXCHANGE, Speaker } from './support/speaker.mjs';
import { send } from './support/wire.mjs';

const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
const assetRules = { issuer, audience: INGEST, typ: 'asset+jwt', algorithms: ['ES256'], requiredClaims: ['act', 'did', 'cnf'] };
const accessRules = { issuer, audience: API, typ: 'at+jwt', algorithms: ['ES256', 'EdDSA', 'RS256'] };
let app, customer, subject, speaker, assetToken;

before(async () => {
  const product = await newProduct();
  app = await newClient({
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token', EXCHANGE],
    redirect_uris: [CALLBACK],
    scope: 'openid device:register telemetry:write',
    audiences: [INGEST],
    rights: { asset_tokens: true },
  });
  customer = await newcomer('Adam');
  subject = (await codeFlow(customer.visitor, app, 'openid device:register')).access_token;
  speaker = new Speaker({ model: product.model, serial: `S-${unique()}` });
  assetToken = (await exchange()).access_token;
});

async function exchange(wishes = {}) {
  const form = speaker.exchange(issuer, subject, { audience: INGEST, scope: 'telemetry:write', ...wishes });
  const answer = await token(form);
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

function token(form) {
  return send(`${issuer}/token`, { method: 'POST', ca, headers: { authorization: basicOf(app) }, form });
}

/// The token with one part of it replaced.
function changed(jwt, at, change) {
  const parts = jwt.split('.');
  parts[at] = Buffer.from(JSON.stringify(change(JSON.parse(Buffer.from(parts[at], 'base64url'))))).toString('base64url');
  return parts.join('.');
}

test('an asset token names customer, device and key, for one audience and not for long', async () => {
  const { payload, protectedHeader } = await jwtVerify(assetToken, keys, assetRules);
  assert.equal(protectedHeader.alg, 'ES256');
  assert.deepEqual([payload.aud].flat(), [INGEST]);
  assert.equal(payload.client_id, app.client_id);
  assert.equal(payload.act.sub, payload.did);
  assert.notEqual(payload.did, speaker.did, 'the id is ours, the maker’s stands beside it');
  assert.equal(payload.serial_number, speaker.serial);
  assert.equal(payload.cnf.jkt, await calculateJwkThumbprint(speaker.jwk));
  assert.ok(payload.sub && payload.asset_id && payload.account_id && payload.jti);
  assert.ok(payload.exp - payload.iat <= 86_400 && payload.exp > payload.iat);
});

test('the same device again is the same asset', async () => {
  const { payload: first } = await jwtVerify(assetToken, keys, assetRules);
  const { payload: second } = await jwtVerify((await exchange()).access_token, keys, assetRules);
  assert.equal(second.asset_id, first.asset_id);
  assert.equal(second.did, first.did);
  assert.notEqual(second.jti, first.jti);
});

test('the key in the token is the key the device proves', async () => {
  const { payload } = await jwtVerify(assetToken, keys, assetRules);
  const proof = await new SignJWT({ htm: 'POST', htu: INGEST, jti: unique() })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: speaker.jwk })
    .setIssuedAt()
    .sign(speaker.key);
  const shown = await jwtVerify(proof, async (header) => header.jwk, { typ: 'dpop+jwt' });
  assert.equal(await calculateJwkThumbprint(shown.protectedHeader.jwk), payload.cnf.jkt);
});

test('an asset token is no access token, and an access token no asset token', async () => {
  await assert.rejects(jwtVerify(assetToken, keys, { ...accessRules, audience: INGEST }), errors.JWTClaimValidationFailed);
  await assert.rejects(jwtVerify(subject, keys, { issuer, typ: 'asset+jwt' }), errors.JWTClaimValidationFailed);
});

test('an asset token is good at its audience alone', async () => {
  await assert.rejects(jwtVerify(assetToken, keys, { ...assetRules, audience: API }), errors.JWTClaimValidationFailed);
});

test('an asset token is dead after its time', async () => {
  const late = new Date(Date.now() + 2 * 86_400_000);
  await assert.rejects(jwtVerify(assetToken, keys, { ...assetRules, currentDate: late }), errors.JWTExpired);
});

test('a changed claim, a changed header, a cut signature and another key are refused', async () => {
  const stranger = await generateKeyPair('ES256');
  const { payload } = await jwtVerify(assetToken, keys, assetRules);
  const kid = JSON.parse(Buffer.from(assetToken.split('.')[0], 'base64url')).kid;
  const forged = [
    changed(assetToken, 1, (claims) => ({ ...claims, sub: 'somebody-else' })),
    changed(assetToken, 1, (claims) => ({ ...claims, exp: claims.exp + 1 })),
    changed(assetToken, 0, (header) => ({ ...header, typ: 'at+jwt' })),
    changed(assetToken, 0, (header) => ({ ...header, alg: 'none' })),
    assetToken.slice(0, assetToken.lastIndexOf('.') + 1),
    assetToken.replace(/.(?=[^.]{40}$)/, (sign) => (sign === 'A' ? 'B' : 'A')),
    await new SignJWT(payload).setProtectedHeader({ alg: 'ES256', typ: 'asset+jwt', kid }).sign(stranger.privateKey),
  ];
  for (const jwt of forged) await assert.rejects(jwtVerify(jwt, keys, assetRules), errors.JOSEError);
});

test('the keys are public, named, and one of them signs RS256', async () => {
  const answer = await send(`${issuer}/jwks`, { ca });
  const set = answer.json().keys;
  assert.equal(new Set(set.map((key) => key.kid)).size, set.length);
  assert.ok(set.some((key) => key.alg === 'RS256'));
  for (const key of set) {
    assert.equal(key.use, 'sig');
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(key[secret], undefined);
  }
});

for (const alg of ['ES256', 'EdDSA', 'RS256']) {
  test(`a service's access token verifies as ${alg}, if the service is set so`, async () => {
    const service = await newClient({
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['client_credentials'],
      scope: 'telemetry:read',
      access_token_alg: alg,
    });
    const { client_id, client_secret } = service;
    const form = { grant_type: 'client_credentials', scope: 'telemetry:read', client_id, client_secret };
    const answer = await send(`${issuer}/token`, { method: 'POST', ca, form });
    assert.equal(answer.status, 200, answer.text);
    const { payload, protectedHeader } = await jwtVerify(answer.json().access_token, keys, accessRules);
    assert.ok(protectedHeader.alg === alg || (alg === 'EdDSA' && protectedHeader.alg === 'Ed25519'));
    assert.equal(payload.sub, client_id);
    assert.equal(payload.client_id, client_id);
    assert.equal(payload.scope, 'telemetry:read');
    assert.ok(payload.exp - payload.iat >= 300 && payload.exp - payload.iat <= 3600);
  });
}

test('an actor token counts once, and only for the key that signed it', async () => {
  const form = speaker.exchange(issuer, subject, { audience: INGEST });
  assert.equal((await token(form)).status, 200);
  const replayed = await token(form);
  assert.deepEqual([replayed.status, replayed.json().error], [400, 'invalid_request']);

  const thief = new Speaker({ model: speaker.model, serial: speaker.serial });
  thief.did = speaker.did;
  const stolen = await token(thief.exchange(issuer, subject, { audience: INGEST }));
  assert.deepEqual([stolen.status, stolen.json().error], [400, 'invalid_request']);

  const { publicKey } = await generateKeyPair('ES256', { extractable: true });
  const lying = new Speaker({ model: speaker.model, serial: `S-${unique()}` });
  lying.jwk = await exportJWK(publicKey);
  const unsigned = await token(lying.exchange(issuer, subject, { audience: INGEST }));
  assert.deepEqual([unsigned.status, unsigned.json().error], [400, 'invalid_request']);
});
