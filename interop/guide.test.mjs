// The programs of the guide do what it says they do: three backends take a device's word and
// nobody else's, an app signs somebody in and registers a device, a service reads the registry.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { allow, basicOf, CALLBACK, codeFlow } from './support/app.mjs';
import { API, ca, INGEST, issuer, newClient, newcomer, newProduct, registry, unique } from './support/house.mjs';
import { freePort, programs, start } from './support/program.mjs';
import { EXCHANGE, jwtOf, Speaker } from './support/speaker.mjs';
import { send } from './support/wire.mjs';

const ran = new Set();
const begin = (name, facts) => {
  ran.add(name);
  return start(name, { KEYFOB_ISSUER: issuer, ...facts });
};
let product, app, customer, subject;

before(async () => {
  product = await newProduct();
  app = await newClient({
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token', EXCHANGE],
    redirect_uris: [CALLBACK],
    scope: 'openid device:register telemetry:write',
    audiences: [INGEST, API],
    rights: { asset_tokens: true },
  });
  customer = await newcomer('Adam');
  subject = (await codeFlow(customer.visitor, app, 'openid device:register')).access_token;
});

after(() => assert.deepEqual([...programs().keys()].filter((name) => !ran.has(name) && !name.endsWith('.rs')), []));

async function owned(audience = INGEST) {
  const speaker = new Speaker({ model: product.model, serial: `S-${unique()}` });
  const form = speaker.exchange(issuer, subject, { audience, scope: 'telemetry:write' });
  const answer = await send(`${issuer}/token`, { method: 'POST', ca, headers: { authorization: basicOf(app) }, form });
  assert.equal(answer.status, 200, answer.text);
  return { speaker, token: answer.json().access_token };
}

/// A proof for one call at a backend; `wishes` make it a wrong one.
function proof(speaker, url, token, wishes = {}) {
  const ath = createHash('sha256').update(token).digest('base64url');
  const claims = { htm: 'POST', htu: url, iat: Math.floor(Date.now() / 1000), jti: randomUUID(), ath, ...wishes };
  return jwtOf({ typ: 'dpop+jwt', jwk: speaker.jwk }, claims, speaker.key);
}

async function call(url, authorization, dpop) {
  const headers = { 'content-type': 'application/json', ...(authorization && { authorization }), ...(dpop && { dpop }) };
  const answer = await fetch(url, { method: 'POST', headers, body: '{"temperature":21.5}' });
  return { status: answer.status, body: await answer.json(), challenge: answer.headers.get('www-authenticate') };
}

for (const name of ['backend.mjs', 'backend.py', 'backend.go']) {
  test(`${name} knows device and customer, and refuses what is stolen, late, changed or meant for others`, async () => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const url = `${origin}/telemetry`;
    const backend = await begin(name, { AUDIENCE: INGEST, PUBLIC_URL: origin, PORT: String(port) });
    try {
      assert.equal(await backend.line(), 'ready');
      const { speaker, token } = await owned();
      const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

      const good = proof(speaker, url, token);
      const heard = await call(url, `DPoP ${token}`, good);
      assert.deepEqual([heard.status, heard.body], [200, { device: claims.did, account: claims.account_id }]);

      const thief = new Speaker({ model: product.model, serial: speaker.serial });
      const elsewhere = await owned(API);
      const [head, body] = token.split('.');
      const forged = jwtOf({ typ: 'asset+jwt', kid: JSON.parse(Buffer.from(head, 'base64url')).kid }, claims, thief.key);
      const now = Math.floor(Date.now() / 1000);
      const refused = {
        'nothing at all': [undefined, undefined],
        'no proof': [`DPoP ${token}`, undefined],
        'a bound token as Bearer': [`Bearer ${token}`, proof(speaker, url, token)],
        'the same proof again': [`DPoP ${token}`, good],
        'a proof by another key': [`DPoP ${token}`, proof(thief, url, token)],
        'a proof for another place': [`DPoP ${token}`, proof(speaker, `${origin}/other`, token)],
        'a proof for another method': [`DPoP ${token}`, proof(speaker, url, token, { htm: 'GET' })],
        'a proof for another token': [`DPoP ${token}`, proof(speaker, url, elsewhere.token)],
        'a late proof': [`DPoP ${token}`, proof(speaker, url, token, { iat: now - 600 })],
        'a proof of the future': [`DPoP ${token}`, proof(speaker, url, token, { iat: now + 600 })],
        'a proof that is something else': [`DPoP ${token}`, jwtOf({ typ: 'jwt', jwk: speaker.jwk }, {}, speaker.key)],
        'a token for others': [`DPoP ${elsewhere.token}`, proof(elsewhere.speaker, url, elsewhere.token)],
        'a person’s token': [`DPoP ${subject}`, proof(speaker, url, subject)],
        'a forged token': [`DPoP ${forged}`, proof(thief, url, forged)],
        'a token without a signature': [`DPoP ${head}.${body}.`, proof(speaker, url, `${head}.${body}.`)],
        'no token at all': ['DPoP x', proof(speaker, url, 'x')],
      };
      for (const [what, [authorization, dpop]] of Object.entries(refused)) {
        const answer = await call(url, authorization, dpop);
        assert.deepEqual([what, answer.status, answer.body.error], [what, 401, 'invalid_token']);
        assert.match(answer.challenge, /^DPoP/);
      }
      assert.equal((await call(url, `DPoP ${token}`, proof(speaker, url, token))).status, 200, 'and it is still there');
    } finally {
      backend.stop();
    }
  });
}

test('introspect.sh hears that a token is dead the moment its bond ends', async () => {
  const service = await newClient({ grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_basic', audiences: [INGEST] });
  const { token } = await owned();
  const asked = async () => {
    const asking = await begin('introspect.sh', { CLIENT_ID: service.client_id, CLIENT_SECRET: service.client_secret, TOKEN: token });
    const answer = JSON.parse(await asking.line());
    assert.equal(await asking.ended, 0);
    return answer;
  };
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  const alive = await asked();
  assert.deepEqual([alive.active, alive.did], [true, claims.did]);
  const { items } = await registry.get(`/bonds?filter=${encodeURIComponent(`target.id eq "${claims.asset_id}"`)}`);
  await registry.post(`/bonds/${items[0].id}/end`, {});
  assert.deepEqual(await asked(), { active: false });
});

test('app.mjs signs somebody in by loopback redirect, registers their device and stays signed in', async () => {
  const native = await newClient({
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token', EXCHANGE],
    redirect_uris: ['http://127.0.0.1/callback'],
    scope: 'openid offline_access device:register telemetry:write',
    audiences: [INGEST],
    rights: { asset_tokens: true },
  });
  const speaker = new Speaker({ model: product.model, serial: `S-${unique()}` });
  const facts = { CLIENT_ID: native.client_id, AUDIENCE: INGEST, ACTOR_TOKEN: speaker.actorToken(issuer) };
  const running = await begin('app.mjs', facts);
  try {
    const [, page] = (await running.line()).match(/^Open (.*)$/);
    await fetch(await allow(customer.visitor, page));
    assert.match(await running.line(), /^Signed in \S+/);
    const [, token] = (await running.line()).match(/^Asset token (.*)$/);
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    assert.deepEqual([claims.serial_number, claims.client_id], [speaker.serial, native.client_id]);
    assert.equal(await running.line(), 'Refreshed true');
    assert.equal(await running.ended, 0);
  } finally {
    running.stop();
  }
});

test('service.py reads the registry page by page', async () => {
  const service = await newClient({
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_basic',
    scope: 'devices:read',
    audiences: [issuer],
  });
  const { speaker } = await owned();
  const running = await begin('service.py', { CLIENT_ID: service.client_id, CLIENT_SECRET: service.client_secret });
  const seen = [];
  for (let line = await running.line(); line !== undefined; line = await running.line()) seen.push(line);
  assert.equal(await running.ended, 0);
  assert.ok(seen.some((line) => line.endsWith(` ${speaker.serial}`)), seen.join('\n'));
});
