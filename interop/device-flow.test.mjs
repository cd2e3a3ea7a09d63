// A device with a screen and no keyboard, by `openid-client`: it shows a code, its owner allows it
// on the pairing page, and polling brings the tokens (RFC 8628).

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { calculateJwkThumbprint, decodeJwt, exportJWK } from 'jose';
import * as client from 'openid-client';

import { API, issuer, newClient, newcomer } from './support/house.mjs';

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
let eva, config, DPoP, jkt;

before(async () => {
  eva = await newcomer('Eva');
  const made = await newClient({
    token_endpoint_auth_method: 'none',
    grant_types: [DEVICE_CODE, 'refresh_token'],
    scope: 'openid telemetry:read',
    audiences: [API],
    dpop_bound_access_tokens: true,
  });
  config = await client.discovery(new URL(issuer), made.client_id, {}, client.None());
  const pair = await client.randomDPoPKeyPair('ES256', { extractable: true });
  DPoP = client.getDPoPHandle(config, pair);
  jkt = await calculateJwkThumbprint(await exportJWK(pair.publicKey));
});

const begin = () => client.initiateDeviceAuthorization(config, { scope: 'openid telemetry:read', dpop_jkt: jkt });

/// Types the code and answers the question that follows.
async function decide(code, decision) {
  const { visitor } = eva;
  const asked = await visitor.submit(await visitor.get('/pair'), '/pair', { user_code: code });
  return visitor.submit(asked, '/pair/decision', { decision });
}

test('the answer has short codes without look-alikes, and addresses to type and to scan', async () => {
  const begun = await begin();
  assert.match(begun.user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
  assert.equal(begun.verification_uri, `${issuer}/pair`);
  assert.equal(begun.verification_uri_complete, `${issuer}/pair?user_code=${begun.user_code}`);
  assert.ok(begun.device_code.length >= 43);
  assert.ok(begun.expires_in > 0 && begun.expires_in <= 600);
});

test('denied on the page, polling ends with the refusal', async () => {
  const begun = await begin();
  await decide(begun.user_code, 'deny');
  await assert.rejects(client.pollDeviceAuthorizationGrant(config, begun, undefined, { DPoP }), { error: 'access_denied' });
});

test('allowed on the page, polling brings tokens bound to the key; refresh goes on with it', async () => {
  const begun = await begin();
  // Typed as people type.
  await decide(begun.user_code.toLowerCase().replace('-', ' '), 'allow');
  const tokens = await client.pollDeviceAuthorizationGrant(config, begun, undefined, { DPoP });
  assert.equal(decodeJwt(tokens.access_token).cnf.jkt, jkt);
  assert.ok(tokens.claims().sub);
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
  assert.notEqual(renewed.refresh_token, tokens.refresh_token);
  await assert.rejects(client.pollDeviceAuthorizationGrant(config, begun, undefined, { DPoP }), { error: 'invalid_grant' });
});

test('a link with the code asks all the same', async () => {
  const begun = await begin();
  const page = await eva.visitor.get(begun.verification_uri_complete);
  assert.ok(page.text.includes(begun.user_code));
  const poll = { device_code: begun.device_code };
  const waiting = client.genericGrantRequest(config, DEVICE_CODE, poll, { DPoP });
  await assert.rejects(waiting, { error: 'authorization_pending' });
});

test('a poll too soon is told to slow down', async () => {
  const begun = await begin();
  const poll = () => client.genericGrantRequest(config, DEVICE_CODE, { device_code: begun.device_code }, { DPoP });
  await assert.rejects(poll(), { error: 'authorization_pending' });
  await assert.rejects(poll(), { error: 'slow_down' });
});

test('a code nobody was given is refused on the page, in the same words as one that is over', async () => {
  const { visitor } = eva;
  const page = await visitor.submit(await visitor.get('/pair'), '/pair', { user_code: 'BBBB-BBBB' });
  assert.ok(!page.forms.some((form) => form.action === '/pair/decision'));
});
