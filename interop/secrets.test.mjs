// A whole life, with every refusal on the way, at the most talkative log: afterwards no secret and
// no token of it stands in logs, numbers, events, refusals or the store, in any form.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres } from '../crash/postgres.mjs';
import { allow, basicOf, CALLBACK } from './support/app.mjs';
import { Authenticator } from './support/authenticator.mjs';
import { Registry } from './support/registry.mjs';
import { formsOf, found, Secrets } from './support/secrets.mjs';
import { freePorts, startServer } from './support/server.mjs';
import { EXCHANGE, jwtOf, Speaker, thumbprint } from './support/speaker.mjs';
import { mailedLink, Visitor } from './support/visitor.mjs';
import { send, witness } from './support/wire.mjs';

const INGEST = 'https://ingest.example.com';
const GRANT = 'urn:ietf:params:oauth:grant-type:';
const folder = mkdtempSync(join(tmpdir(), 'keyfob-secrets-'));
const secrets = new Secrets();
const secret = () => randomBytes(18).toString('base64url');
/// With PostgreSQL as the store where this is asked for; else with the embedded one.
const database = process.env.KEYFOB_STORE === 'postgres' ? new Postgres(folder, (await freePorts(1))[0]) : undefined;
let server, registry, events, numbers;

/// Every act of the life must come to its end, or it minted nothing.
const being = (status, answer) => {
  assert.equal(answer.status, status, answer.text.slice(0, 500));
  return answer;
};
const post = (url, form, headers) => send(url, { method: 'POST', ca: server.ca, form, headers });

before(async () => {
  await database?.start();
  server = await startServer(folder, { log: 'trace', more: database?.section });
  registry = new Registry(server.data);
  witness.sees = (said) => secrets.collect(said);
  secrets.add(new URL(server.setup).searchParams.get('token'), 'setup link');
  const adam = await people();
  await services();
  const app = await apps(adam);
  const tokens = await things(adam, app);
  await factory();
  await misplaced(tokens);
  witness.sees = () => {};
  events = [];
  for (let page = await registry.get('/events'); page.events.length > 0; ) {
    events.push(...page.events);
    page = await registry.get(`/events?after=${encodeURIComponent(page.cursor)}`);
  }
  numbers = (await plain(server.metrics)).text;
});

after(async () => {
  await server.stop();
  await database?.stop();
  rmSync(folder, { recursive: true });
});

async function plain(url) {
  const answer = await fetch(url);
  return { text: await answer.text() };
}

// The life.

async function people() {
  const mail = join(server.data, 'mail');
  const admin = new Visitor(server.issuer, server.ca);
  const first = { name: 'Ada', email: 'ada.first@example.com', password: secret() };
  being(200, await admin.submit(await admin.get(server.setup), '/setup', first));

  const adam = { name: 'Adam', email: 'adam.second@example.com', password: secret() };
  const visitor = new Visitor(server.issuer, server.ca);
  await visitor.signUp(adam, mail);
  await visitor.submit(await visitor.get('/signout'), '/signout');
  await visitor.signIn({ email: adam.email, password: `wrong-${secret()}` });
  await visitor.signIn({ email: 'nobody.third@example.com', password: secret() });
  await visitor.signIn({ email: `broken.${secret()}`, password: secret() });
  await visitor.signIn({ email: adam.email, password: adam.password });
  being(200, await visitor.get('/my'));

  await visitor.submit(await visitor.get('/recover'), '/recover', { email: adam.email });
  const link = await mailedLink(mail, adam.email, '/recover/password');
  adam.password = secret();
  being(200, await visitor.submit(await visitor.get(link), '/recover/password', { password: adam.password }));
  await visitor.get(link);
  await visitor.signIn(adam);
  const next = secret();
  await visitor.submit(await visitor.get('/my/security/password'), '/my/security/password', { current: secret(), password: next });
  being(200, await visitor.submit(await visitor.get('/my/security/password'), '/my/security/password', { current: adam.password, password: next }));
  await passkeys(visitor);
  return { ...adam, password: next, visitor };
}

/// A passkey is made, tried in every wrong way, and signed in with.
async function passkeys(visitor) {
  const authenticator = new Authenticator(server.issuer);
  secrets.add(authenticator.key.privateKey.export({ format: 'jwk' }).d, 'private key of a passkey');
  const security = await visitor.get('/my/security');
  const asked = being(200, await visitor.script(security, '/my/passkeys/options', {})).json();
  const made = { state: asked.state, name: 'Phone', credential: authenticator.make(asked.publicKey) };
  being(403, await visitor.script({ forms: [{ fields: { csrf: secret() } }] }, '/my/passkeys', made));
  being(200, await visitor.script(security, '/my/passkeys', made));
  assert.ok((await visitor.script(security, '/my/passkeys', made)).status >= 400, 'a question is answered once');
  await visitor.submit(await visitor.get('/signout'), '/signout');
  const page = await visitor.get('/signin');
  const use = async (change) => {
    const { state, publicKey } = being(200, await visitor.script(page, '/signin/passkey/options', {})).json();
    const used = { state, return_to: '/my', credential: authenticator.use(publicKey) };
    change(used);
    return visitor.script(page, '/signin/passkey', used);
  };
  const other = new Authenticator(server.issuer);
  for (const change of [
    (used) => { used.credential.response.signature = other.use({ challenge: secret() }).response.signature; },
    (used) => { used.state = secret(); },
    (used) => { used.credential.response.userHandle = secret(); },
    (used) => { used.credential = secret(); },
  ]) {
    assert.ok((await use(change)).status >= 400);
  }
  being(200, await use(() => {}));
  being(200, await visitor.get('/my'));
}

async function services() {
  const made = await registry.post('/clients', {
    client_name: 'Service',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    scope: 'telemetry:read products:read',
    audiences: [server.issuer],
  });
  const headers = { authorization: basicOf(made) };
  const granted = being(200, await post(`${server.issuer}/token`, { grant_type: 'client_credentials' }, headers)).json();
  const wrong = { authorization: basicOf({ ...made, client_secret: secret() }) };
  being(401, await post(`${server.issuer}/token`, { grant_type: 'client_credentials' }, wrong));
  being(401, await post(`${server.issuer}/token`, { grant_type: 'client_credentials' }, { authorization: basicOf({ client_id: `none-${secret()}`, client_secret: secret() }) }));
  being(400, await post(`${server.issuer}/token`, { grant_type: 'client_credentials', ...made, scope: secret() }, headers));
  const { client_id: id, client_secret: own } = await registry.post('/clients', {
    client_name: 'By post',
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['client_credentials'],
    scope: 'telemetry:read',
    audiences: [INGEST],
  });
  being(200, await post(`${server.issuer}/token`, { grant_type: 'client_credentials', client_id: id, client_secret: own }));
  being(200, await post(`${server.issuer}/introspect`, { token: granted.access_token }, headers));
  being(200, await post(`${server.issuer}/introspect`, { token: secret() }, headers));
  being(200, await post(`${server.issuer}/revoke`, { token: granted.access_token }, headers));
  being(401, await send(`${server.issuer}/products`, { ca: server.ca, headers: { authorization: `Bearer ${granted.access_token}` } }));

  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  secrets.add(privateKey.export({ format: 'jwk' }).d, 'private key of a service');
  const byKey = await registry.post('/clients', {
    client_name: 'By key',
    token_endpoint_auth_method: 'private_key_jwt',
    grant_types: ['client_credentials'],
    scope: 'telemetry:read',
    audiences: [INGEST],
    jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }] },
  });
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: byKey.client_id, sub: byKey.client_id, aud: server.issuer, jti: randomUUID(), iat: now, exp: now + 60 };
  const form = {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: jwtOf({ typ: 'client-authentication+jwt', kid: 'k1' }, claims, privateKey),
  };
  being(200, await post(`${server.issuer}/token`, form));
  being(401, await post(`${server.issuer}/token`, form));
}

async function apps({ visitor }) {
  const app = await registry.post('/clients', {
    client_name: 'App',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token', EXCHANGE, `${GRANT}jwt-bearer`],
    redirect_uris: [CALLBACK],
    scope: 'openid email device:register telemetry:write',
    audiences: [INGEST],
    rights: { asset_tokens: true },
  });
  const headers = { authorization: basicOf(app) };
  const redeem = async (change = {}) => {
    const verifier = secret() + secret();
    const asked = new URLSearchParams({
      response_type: 'code',
      client_id: app.client_id,
      redirect_uri: CALLBACK,
      scope: 'openid email device:register',
      state: secret(),
      nonce: secret(),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const code = new URL(await allow(visitor, `/authorize?${asked}`)).searchParams.get('code');
    const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier, ...change };
    return { form, answer: await post(`${server.issuer}/token`, form, headers) };
  };
  being(400, (await redeem({ code_verifier: secret() + secret() })).answer);
  const replayed = await redeem();
  being(400, await post(`${server.issuer}/token`, replayed.form, headers));
  const granted = being(200, (await redeem()).answer).json();
  being(200, await send(`${server.issuer}/userinfo`, { ca: server.ca, headers: { authorization: `Bearer ${granted.access_token}` } }));
  if (granted.refresh_token) {
    const refresh = { grant_type: 'refresh_token', refresh_token: granted.refresh_token };
    being(200, await post(`${server.issuer}/token`, refresh, headers));
  }
  await send(`${server.issuer}/authorize?client_id=${app.client_id}&redirect_uri=https://evil.example&state=${secret()}`, { ca: server.ca });
  return { app, headers, granted };
}

async function things({ visitor }, { headers, granted }) {
  const product = await registry.post('/products', {
    model: 'SPK-9',
    name: 'Speaker',
    self_registration: true,
    pair_when_registered: true,
    scopes: ['telemetry:write'],
    audiences: [INGEST],
  });
  const speaker = new Speaker({ model: product.model, serial: 'S-9' });
  secrets.add(speaker.key.export({ format: 'jwk' }).d, 'private key of a device');
  const form = speaker.exchange(server.issuer, granted.access_token, { audience: INGEST, scope: 'telemetry:write' });
  const asset = being(200, await post(`${server.issuer}/token`, form, headers)).json();
  being(400, await post(`${server.issuer}/token`, form, headers));
  const bearer = { grant_type: `${GRANT}jwt-bearer`, assertion: asset.access_token };
  const proof = { dpop: speaker.proof(`${server.issuer}/token`) };
  const traded = await speaker.post(`${server.issuer}/token`, server.ca, bearer);
  await post(`${server.issuer}/token`, bearer, proof);

  const other = new Speaker({ model: product.model, serial: 'S-10' });
  const device = await registry.post('/devices', { model: product.model, serial: 'S-10', name: 'Kitchen', jwk: other.jwk });
  const firmware = await registry.post('/clients', {
    client_name: 'Firmware',
    token_endpoint_auth_method: 'none',
    grant_types: [`${GRANT}device_code`, 'refresh_token'],
    scope: 'telemetry:write',
    audiences: [INGEST],
    dpop_bound_access_tokens: true,
  });
  const details = JSON.stringify([{ type: 'device_pairing', did: device.id }]);
  const asked = { client_id: firmware.client_id, authorization_details: details };
  const begin = async () => being(200, await other.post(`${server.issuer}/device_authorization`, server.ca, asked)).json();
  const pollFor = ({ device_code: code }) =>
    other.post(`${server.issuer}/token`, server.ca, { client_id: firmware.client_id, grant_type: `${GRANT}device_code`, device_code: code });
  being(400, await pollFor(await begin()));
  const begun = await begin();
  await visitor.submit(await visitor.get('/pair'), '/pair', { user_code: 'BCDF-GHJK' });
  const page = await visitor.submit(await visitor.get('/pair'), '/pair', { user_code: begun.user_code });
  await visitor.submit(page, '/pair/decision', { decision: 'allow' });
  const paired = being(200, await pollFor(begun)).json();
  const again = { client_id: firmware.client_id, grant_type: 'refresh_token', refresh_token: paired.refresh_token };
  being(200, await other.post(`${server.issuer}/token`, server.ca, again));

  const challenge = async () => being(200, await send(`${server.devicesUrl}/device/challenge`, { method: 'POST', ca: server.ca })).json().challenge;
  const home = async (nonce) => {
    const claims = { iss: device.id, aud: server.issuer, nonce, iat: Math.floor(Date.now() / 1000), serial_number: 'S-10' };
    const json = { proof: jwtOf({ typ: 'callhome+jwt', kid: thumbprint(other.jwk) }, claims, other.key), model: product.model };
    return send(`${server.devicesUrl}/device/session`, { method: 'POST', ca: server.ca, json });
  };
  being(200, await home(await challenge()));
  being(400, await home(secret()));
  return { asset, traded: traded.json(), paired, granted };
}

async function factory() {
  const keyfob = (...words) => execFileSync(process.env.KEYFOB_BIN, words, { cwd: folder, encoding: 'utf8' });
  const registered = ['--config', server.config, '--data', server.data];
  keyfob('ca', 'root', '--name', 'Factory', '--out', 'root');
  keyfob('ca', 'device', '--by', 'root', '--model', 'SPK-2', '--count', '1', '--out', 'made');
  keyfob('products', 'create', 'SPK-2', '--factory-key-is-operational', ...registered);
  keyfob('devices', 'import', 'made/devices.csv', ...registered);
  keyfob('products', 'trust', 'SPK-2', 'root.pem', ...registered);
  const key = readFileSync(join(folder, 'made/SPK-000001.key'), 'utf8');
  for (const line of key.split('\n').filter((text) => text && !text.startsWith('-'))) secrets.add(line, 'device key, PEM');
  const shown = { ca: server.ca, cert: readFileSync(join(folder, 'made/SPK-000001.pem')), key };
  const json = { serial_number: 'SPK-000001', model: 'SPK-2' };
  const { access_token: token } = being(200, await send(`${server.devicesUrl}/device/session`, { method: 'POST', ...shown, json })).json();
  const headers = { authorization: `Bearer ${token}` };
  being(200, await send(`${server.devicesUrl}/device/credentials`, { ...shown, headers }));
  being(401, await send(`${server.devicesUrl}/device/credentials`, { ca: server.ca, headers }));
  const bound = readFileSync(join(server.data, 'tls/server.key'), 'utf8');
  for (const line of bound.split('\n').filter((text) => text && !text.startsWith('-'))) secrets.add(line, 'TLS key, PEM');
}

/// Secrets where none belongs: in addresses, in names of fields, in wrong methods and broken bodies.
async function misplaced({ asset, paired, granted }) {
  const at = (path, options = {}) => send(`${server.issuer}${path}`, { ca: server.ca, ...options });
  const token = granted.access_token;
  for (const path of [
    `/userinfo?access_token=${token}`,
    `/${asset.access_token}`,
    `/my/things/${token}`,
    `/devices/${token}?token=${token}`,
    `/verify?token=${secret()}`,
    `/recover/password?token=${token}`,
    `/authorize?request=${token}`,
    `/token?refresh_token=${paired.refresh_token}`,
  ]) {
    await at(path);
    await at(path, { method: 'POST', form: { token } });
    await at(path, { method: 'DELETE', headers: { authorization: `Bearer ${token}x` } });
  }
  for (const authorization of [`Bearer ${token}x`, `DPoP ${token}`, token, `Digest ${token}`, `Bearer ${paired.access_token}`]) {
    await at('/userinfo', { headers: { authorization } });
    await at('/devices', { headers: { authorization } });
    await at('/token', { method: 'POST', headers: { authorization }, form: { grant_type: 'client_credentials' } });
  }
  for (const body of [`{"client_secret":"${token}`, `token=${token}&token=${token}`, `${token}`]) {
    await at('/token', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body });
    await send(`${server.devicesUrl}/device/session`, { method: 'POST', ca: server.ca, headers: { 'content-type': 'text/plain' }, body });
    await send(`${server.devicesUrl}/device/session`, { method: 'POST', ca: server.ca, json: { proof: body, model: 7 } });
  }
}

// The search.

function filesUnder(root) {
  return readdirSync(root, { recursive: true }).map((name) => join(root, name)).filter((path) => statSync(path).isFile());
}

test('the search finds a secret in every form, and in one line among many', () => {
  const planted = `${secret()}.${secret()}.${randomBytes(64).toString('base64url')}`;
  const looked = [[planted, 'planted']];
  for (const [form, needle] of formsOf(planted)) {
    assert.notDeepEqual(found(looked, Buffer.concat([randomBytes(999), needle, randomBytes(999)])), [], form);
  }
  assert.notDeepEqual(found(looked, `Basic ${Buffer.from(`client:${planted}`).toString('base64')}`), []);
  assert.notDeepEqual(found(looked, Buffer.from(planted.split('.')[2], 'base64url').toString('hex').toUpperCase()), []);
  assert.deepEqual(found(looked, randomBytes(1 << 20)), []);
  const copy = join(folder, 'copy');
  copyFileSync(server.log, copy);
  const [one] = secrets.secrets.keys();
  appendFileSync(copy, `2026-01-01T00:00:00Z DEBUG request: answered token=${one}\n`);
  assert.equal(secrets.foundIn(readFileSync(copy)).length > 0, true);
});

test('of every kind there was one', () => {
  const kinds = [...new Set(secrets.secrets.values())];
  for (const kind of [
    'setup link', 'password', 'current', 'query token', 'set-cookie', 'csrf', 'code', 'code_verifier', 'client_secret',
    'client_assertion', 'actor_token', 'DPoP proof', 'proof', 'access_token', 'refresh_token', 'id_token',
    'device_code', 'user_code', 'challenge', 'attestationObject', 'clientDataJSON', 'signature', 'private key of a passkey',
    'private key of a device', 'device key', 'TLS key',
  ]) {
    assert.ok(kinds.some((known) => known.startsWith(kind) || known.endsWith(` ${kind}`)), `${kind} is missing: ${kinds.join(', ')}`);
  }
  assert.ok(secrets.secrets.size > 80 && secrets.refusals.length > 50, `${secrets.secrets.size} ${secrets.refusals.length}`);
});

test('no log line holds one, nor an address of a person', () => {
  const log = readFileSync(server.log);
  assert.ok(log.toString().split('\n').length > 100, 'the log tells what happens');
  assert.deepEqual(secrets.foundIn(log, { andPrivate: true }), []);
});

test('no number and no event holds one', () => {
  assert.ok(numbers.includes('keyfob_http_requests_total') && events.length > 20, `${events.length} events`);
  assert.deepEqual(secrets.foundIn(numbers, { andPrivate: true }), []);
  assert.deepEqual(secrets.foundIn(JSON.stringify(events), { andPrivate: true }), []);
});

test('no refusal repeats what was shown to it', () => {
  const repeated = secrets.refusals.flatMap(({ url, text, headers, sent }) =>
    found(sent, `${headers}\n${text}`).map((hit) => `${url}: ${hit}`),
  );
  assert.deepEqual(repeated, []);
});

test('no file of the data folder and no table of a database holds one, while it runs and when it is stopped', async () => {
  secrets.add(readFileSync(join(server.data, 'master.key'), 'utf8').trim(), 'master key');
  const own = ['master.key', 'tls/server.key', 'tls/ca.key'];
  const files = () =>
    filesUnder(server.data)
      .filter((path) => !path.includes('/mail/') && !own.includes(relative(server.data, path)))
      .map((path) => [relative(server.data, path), readFileSync(path)]);
  const held = () => (database ? [['pg_dump', Buffer.from(database.dump())], ['postgres.log', readFileSync(join(folder, 'postgres.log'))]] : []);
  const look = () =>
    [...files(), ...held()].flatMap(([name, bytes]) =>
      [...secrets.foundIn(bytes), ...privateKeysIn(bytes)].map((hit) => `${name}: ${hit}`),
    );
  assert.ok(database || files().some(([name]) => name === 'keyfob.db-wal'), 'the newest pages are looked at too');
  assert.deepEqual(look(), []);
  assert.equal(await server.stop(), 0);
  assert.deepEqual(look(), []);
  const kept = database ? held()[0][1] : readFileSync(join(server.data, 'keyfob.db'));
  assert.ok(kept.includes('adam.second@example.com'), 'the search reads what is really there');
});

/// The beginnings of private keys (RFC 5208, RFC 5915, RFC 8410), and of their JSON.
function privateKeysIn(bytes) {
  const signs = {
    'EC key as PKCS #8': Buffer.from('301306072a8648ce3d020106082a8648ce3d030107046d', 'hex'),
    'EC key': Buffer.from('30770201010420', 'hex'),
    'RSA key as PKCS #8': Buffer.from('020100300d06092a864886f70d0101010500', 'hex'),
    'Ed25519 key': Buffer.from('300506032b657004220420', 'hex'),
    'PEM': Buffer.from('PRIVATE KEY'),
    'JWK': Buffer.from('"d":"'),
  };
  return Object.entries(signs).filter(([, sign]) => bytes.includes(sign)).map(([kind]) => kind);
}
