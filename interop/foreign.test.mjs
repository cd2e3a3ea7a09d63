// A maker keeps their customers in a provider of their own: `oidc-provider` signs them in, and the
// app registers devices here with its tokens. And clients whose certificate an authority signed.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';

import { OwnServer } from './support/own_server.mjs';
import { ForeignProvider } from './support/provider.mjs';
import { EXCHANGE, Speaker, TOKEN_TYPE } from './support/speaker.mjs';

const AUDIENCE = 'https://keyfob.maker.example';
const INGEST = 'https://ingest.example.com';
const folder = mkdtempSync(join(tmpdir(), 'keyfob-foreign-'));
let maker, other, stranger, server;

before(async () => {
  maker = await ForeignProvider.start(AUDIENCE, ['speaker-app', 'another-app']);
  other = await ForeignProvider.start(AUDIENCE);
  stranger = await ForeignProvider.start(AUDIENCE);
  certificate('clients-ca', ['-x509', '-days', '2', '-addext', 'keyUsage=critical,keyCertSign']);
  certificate('strangers-ca', ['-x509', '-days', '2', '-addext', 'keyUsage=critical,keyCertSign']);
  const trusted = (provider) => `
      [[exchange.issuers]]
      issuer = "${provider.issuer}"
      accepts = ["access_token", "id_token"]
      audience = "${AUDIENCE}"
      client_id = "speaker-app"
      clients = ["speaker_app"]
      users = "make"`;
  server = await OwnServer.start(() => `
      [clients]
      authorities_file = "${join(folder, 'clients-ca.pem')}"
      ${trusted(maker)}
      ${trusted(other)}`);
  const model = { model: 'SPK-2', name: 'Speaker', self_registration: true, scopes: ['telemetry:write'], audiences: [INGEST] };
  await server.registry.post('/products', model);
  await server.registry.post('/clients', {
    client_id: 'speaker_app',
    client_name: 'Speaker app',
    token_endpoint_auth_method: 'none',
    grant_types: [EXCHANGE],
    scope: 'telemetry:write',
    audiences: [INGEST],
    rights: { asset_tokens: true },
  });
});

after(async () => {
  await Promise.all([maker, other, stranger].map((provider) => provider?.stop()));
  await server?.stop();
  rmSync(folder, { recursive: true });
});

/// Makes a key and a certificate of this name, by what every system has.
function certificate(name, more) {
  const words = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', `/CN=${name}`];
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)];
  execFileSync('openssl', [...words, ...files, ...more], { stdio: 'pipe' });
  return { cert: readFileSync(join(folder, `${name}.pem`)), key: readFileSync(join(folder, `${name}.key`)) };
}

let serial = 0;

function exchange(token, kind = 'access_token', speaker = new Speaker({ model: 'SPK-2', serial: `S-${(serial += 1)}` })) {
  const wishes = { client_id: 'speaker_app', subject_token_type: `${TOKEN_TYPE}:${kind}`, scope: 'telemetry:write' };
  return server.token(speaker.exchange(server.issuer, token, wishes));
}

async function registered(token, kind, speaker) {
  const answer = await exchange(token, kind, speaker);
  assert.equal(answer.status, 200, answer.text);
  return decodeJwt(answer.json().access_token);
}

test('a customer of the maker’s provider registers devices and is one person here', async () => {
  const tokens = await maker.signIn('adam');
  assert.equal(decodeProtectedHeader(tokens.access_token).typ, 'at+jwt');
  const first = await registered(tokens.access_token);
  const second = await registered((await maker.signIn('adam')).access_token);
  const third = await registered(tokens.id_token, 'id_token');
  assert.match(first.sub, /^u_/);
  assert.deepEqual([second.sub, second.account_id], [first.sub, first.account_id]);
  assert.equal(third.sub, first.sub, 'whichever token speaks of them');
  assert.notEqual(second.asset_id, first.asset_id);
});

test('the same name at another provider is somebody else', async () => {
  const here = await registered((await maker.signIn('adam')).access_token);
  const there = await registered((await other.signIn('adam')).access_token);
  assert.notEqual(there.sub, here.sub);
  assert.notEqual(there.account_id, here.account_id);
});

test('from then on the device goes on alone', async () => {
  const speaker = new Speaker({ model: 'SPK-2', serial: `S-${(serial += 1)}` });
  const answer = await exchange((await maker.signIn('adam')).access_token, 'access_token', speaker);
  const asset = answer.json().access_token;
  const form = { grant_type: EXCHANGE, subject_token: asset, subject_token_type: `${TOKEN_TYPE}:jwt` };
  const renewed = await speaker.post(`${server.issuer}/token`, server.ca, form);
  assert.equal(renewed.status, 200, renewed.text);
  assert.equal(decodeJwt(renewed.json().access_token).asset_id, decodeJwt(asset).asset_id);
  const thief = new Speaker({ model: 'SPK-2', serial: speaker.serial });
  const stolen = await thief.post(`${server.issuer}/token`, server.ca, form);
  assert.deepEqual([stolen.status, stolen.json().error], [400, 'invalid_request']);
});

test('an ID token for another app is refused, and so is a token taken for what it is not', async () => {
  const foreign = await maker.signIn('adam', 'another-app');
  for (const [token, kind] of [[foreign.id_token, 'id_token'], [foreign.id_token, 'access_token'], [foreign.access_token, 'id_token']]) {
    const answer = await exchange(token, kind);
    assert.deepEqual([answer.status, answer.json().error], [400, 'invalid_request'], kind);
  }
});

test('a provider that nobody trusts is asked nothing', async () => {
  const { access_token: token } = await stranger.signIn('adam');
  stranger.asked.length = 0;
  const answer = await exchange(token);
  assert.deepEqual([answer.status, answer.json().error], [400, 'invalid_request']);
  assert.deepEqual(stranger.asked, []);
  const forged = [(await maker.signIn('adam')).access_token, token].map((jwt) => jwt.split('.'));
  const mixed = await exchange([forged[0][0], forged[0][1], forged[1][2]].join('.'));
  assert.deepEqual([mixed.status, mixed.json().error], [400, 'invalid_request'], 'another’s signature');
});

test('a client is known by the name in a certificate that a trusted authority signed', async () => {
  const signedBy = (ca) => ['-CA', join(folder, `${ca}.pem`), '-CAkey', join(folder, `${ca}.key`), '-x509', '-days', '2'];
  const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=critical,digitalSignature'];
  const own = certificate('billing', [...signedBy('clients-ca'), ...leaf]);
  const named = certificate('shipping', [...signedBy('clients-ca'), ...leaf]);
  rmSync(join(folder, 'billing.pem'));
  const forged = certificate('billing', [...signedBy('strangers-ca'), ...leaf]);
  const client = await server.registry.post('/clients', {
    client_name: 'Billing',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=billing',
    tls_client_certificate_bound_access_tokens: true,
    grant_types: ['client_credentials'],
    scope: 'telemetry:read',
    audiences: [INGEST],
  });
  const form = { grant_type: 'client_credentials', client_id: client.client_id };
  const answer = await server.token(form, own);
  assert.equal(answer.status, 200, answer.text);
  assert.ok(decodeJwt(answer.json().access_token).cnf['x5t#S256']);
  for (const [pair, why] of [[named, 'another name'], [forged, 'another authority'], [{}, 'no certificate']]) {
    const refused = await server.token(form, pair);
    assert.deepEqual([refused.status, refused.json().error], [401, 'invalid_client'], why);
  }
});
