// The token benchmark: our server and oidc-provider on one core, the load (wrk) on the other, rounds
// of each work in turn. Everything on loopback, over TLS, on connections kept open.
//
// Owns: what is measured, against what, and the targets. `--json` as argument: one row per line.

import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { basicOf, CALLBACK, codeFlow } from '../interop/support/app.mjs';
import { Registry } from '../interop/support/registry.mjs';
import { EXCHANGE, Speaker } from '../interop/support/speaker.mjs';
import { Visitor } from '../interop/support/visitor.mjs';
import { boundRow, look, measure, noiseOf, of, once, ratioRow, report } from './support/load.mjs';
import { Bench, freePorts, Keyfob, SERVER_CORE } from './support/server.mjs';

const ROUNDS = 3;
const SECONDS = 3;
const CONNECTIONS = 16;
/// What a fleet keeps open: enough for groups of commits to form.
const DEVICE_CONNECTIONS = 64;
const API = 'https://api.example.com';
const INGEST = 'https://ingest.example.com';
const MODEL = 'bench-speaker';
const SPEAKERS = 64;
const PEER = 'oidc-provider';
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

const asJson = process.argv.includes('--json');
const tell = (line) => (asJson ? process.stderr : process.stdout).write(`${line}\n`);
const bench = new Bench('token');

try {
  const ours = new Keyfob(bench, 'data');
  await ours.start();
  const peer = await startPeer();
  const works = { ...(await ourWorks(ours)), ...peerWorks(peer) };
  await lay(works, peer);
  for (const work of Object.values(works)) if (!work.single) await look(work);
  for (let round = 1; round <= ROUNDS; round += 1) {
    tell(`round ${round} of ${ROUNDS}`);
    for (const work of Object.values(works)) await oneRound(ours, works, work);
  }
  for (const work of Object.values(works)) if (!work.single) await look(work);
  report(rows(works), asJson, { floor: floors(works) });
} finally {
  bench.end();
}

async function oneRound(ours, works, work) {
  if (work.restarted) {
    // A server that has just started has seen no token.
    await ours.stop();
    await ours.start();
    for (const own of Object.values(works)) if (own.side === 'ours') own.process = ours.process;
    await look(works.client_credentials);
  }
  const connections = work.connections ?? CONNECTIONS;
  const { rate, cpu_us } = await measure(bench.folder, work, { seconds: work.seconds ?? SECONDS, connections });
  tell(`  ${work.side} ${work.name}: ${Math.round(rate)}/s, ${Math.round(cpu_us)} us of processor each`);
}

// What is measured.

async function ourWorks(server) {
  const registry = new Registry(server.data);
  const service = (more) =>
    registry.post('/clients', {
      client_name: 'bench service',
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'],
      scope: 'telemetry:read',
      audiences: [API],
      ...more,
    });
  const at = { side: 'ours', origin: server.issuer, address: server.address, ca: server.ca, process: server.process };
  const authorization = basicOf(await service({}));
  const grant = form({ grant_type: 'client_credentials', scope: 'telemetry:read' });
  const tokens = { ...at, name: 'client_credentials', path: '/token', authorization, bodies: () => [grant] };
  const sealed = { ...tokens, authorization: basicOf(await service({ opaque_tokens: true })) };
  const introspection = (name, token) => ({
    ...at,
    name,
    path: '/introspect',
    authorization,
    bodies: () => [form({ token })],
    holds: '"active":true',
  });
  return {
    client_credentials: { ...tokens, holds: '"access_token":"eyJ' },
    opaque: introspection('introspection of an opaque token', await tokenOf(sealed)),
    seen: introspection('introspection of a JWT seen before', await tokenOf(tokens)),
    unseen: { ...introspection('introspection of a JWT never seen', ''), single: true, restarted: true, seconds: 2 },
    exchange: await exchangeWork(server, registry, at),
    answer: { ...at, name: 'plain answer', path: '/.well-known/openid-configuration', holds: '"issuer"' },
  };
}

async function tokenOf(work) {
  return JSON.parse(await once(work)).access_token;
}

/// Speakers that an account has registered register again, each request with a new actor token.
async function exchangeWork(server, registry, at) {
  await registry.post('/products', {
    model: MODEL,
    name: 'Bench speaker',
    self_registration: true,
    scopes: ['telemetry:write'],
    audiences: [INGEST],
  });
  const app = await registry.post('/clients', {
    client_name: 'bench app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', EXCHANGE],
    redirect_uris: [CALLBACK],
    scope: 'openid device:register telemetry:write',
    audiences: [INGEST],
    rights: { asset_tokens: true, first_party: true },
  });
  const person = { name: 'Adam', email: 'adam@example.com', password: randomBytes(18).toString('base64url') };
  const visitor = new Visitor(server.issuer, server.ca);
  await visitor.signUp(person, join(server.data, 'mail'));
  const { access_token: subject } = await codeFlow(visitor, app, 'openid device:register');
  const speakers = Array.from({ length: SPEAKERS }, (_, index) => new Speaker({ model: MODEL, serial: `B-${index}` }));
  const wishes = { audience: INGEST, scope: 'telemetry:write' };
  const bodies = (count) =>
    Array.from({ length: count }, (_, at) => form(speakers[at % SPEAKERS].exchange(server.issuer, subject, wishes)));
  const work = { ...at, name: 'asset_token_exchange', path: '/token', authorization: basicOf(app), bodies };
  for (const body of bodies(SPEAKERS)) {
    const text = await once({ ...work, bodies: () => [body] });
    if (!text.includes('"issued_token_type"')) throw new Error(`the exchange is not what it should be: ${text}`);
  }
  const counters = () => server.groups();
  return { ...work, single: true, first: 6000, seconds: 2, connections: DEVICE_CONNECTIONS, counters, rounds: [] };
}

function peerWorks(peer) {
  const authorization = basicOf({ client_id: peer.clientId, client_secret: peer.clientSecret });
  const at = { side: 'peer', origin: peer.issuer, address: peer.address, ca: peer.ca, process: peer.process, authorization };
  const grant = (resource) => form({ grant_type: 'client_credentials', scope: 'telemetry:read', resource });
  const tokens = { ...at, path: '/token', bodies: () => [grant(API)] };
  return {
    peer_tokens: { ...tokens, name: 'client_credentials', holds: '"access_token":"eyJ' },
    peer_introspection: {
      ...at,
      name: 'introspection',
      path: '/token/introspection',
      minted: { ...tokens, bodies: () => [grant(peer.opaqueResource)] },
      bodies: () => null,
      holds: '"active":true',
    },
  };
}

/// Lays ready what needs a token first: one to introspect at the peer, and many that ours will see once.
async function lay(works, peer) {
  const opaque = await tokenOf(works.peer_introspection.minted);
  works.peer_introspection.bodies = () => [form({ token: opaque })];
  const tokens = await mint(works.client_credentials, 24_000);
  works.unseen.laid = tokens.map((token) => form({ token }));
  works.unseen.rounds = [];
}

/// Many tokens, over a few connections kept open.
async function mint(work, count) {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 8, ca: work.ca });
  const [body] = work.bodies(1);
  const headers = {
    authorization: work.authorization,
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': Buffer.byteLength(body),
  };
  const one = () =>
    new Promise((resolve, reject) => {
      const request = https.request(`${work.origin}${work.path}`, { method: 'POST', agent, headers }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => resolve(JSON.parse(Buffer.concat(parts)).access_token));
      });
      request.on('error', reject);
      request.end(body);
    });
  const tokens = [];
  const worker = async () => {
    while (tokens.length < count) tokens.push(await one());
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  agent.destroy();
  return tokens;
}

async function startPeer() {
  const [port] = await freePorts(1);
  const at = (name) => join(bench.folder, name);
  const subject = '-subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 -nodes'.split(' ');
  const kind = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1'.split(' ');
  const certificate = at('peer.pem');
  const key = at('peer.key');
  execFileSync('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', certificate], { stdio: 'pipe' });
  const settings = {
    package: here('../interop/node_modules/oidc-provider/lib/index.js'),
    issuer: `https://localhost:${port}`,
    port,
    clientId: 'bench',
    clientSecret: randomBytes(32).toString('base64url'),
    opaqueResource: `${API}/opaque`,
    certificate,
    key,
    es256: at('es256.json'),
    rs256: at('rs256.json'),
  };
  const pairs = {
    es256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    rs256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  };
  for (const [name, pair] of Object.entries(pairs)) {
    const jwk = { ...pair.privateKey.export({ format: 'jwk' }), alg: name.toUpperCase(), use: 'sig', kid: name };
    writeFileSync(settings[name], JSON.stringify(jwk), { mode: 0o600 });
  }
  const environment = { NODE_ENV: 'production', PEER: JSON.stringify(settings) };
  const { process: running } = await bench.start([process.execPath, here('peers/oidc-provider.mjs')], environment, 'peer.log');
  return { ...settings, address: `127.0.0.1:${port}`, ca: readFileSync(certificate), process: running };
}

// What it comes to.

/// What signing and verifying cost on this core, by OpenSSL, and a plain answer of ours: per second.
function floors(works) {
  const words = ['-c', SERVER_CORE, 'openssl', 'speed', '-mr', '-seconds', '1', 'ecdsap256'];
  const said = execFileSync('taskset', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [, , , sign, verify] = /^\+F4:.*$/m.exec(said)[0].split(':').map(Number);
  return { sign, verify, answer: Math.round(of(works.answer, 'rate')) };
}

function rows(works) {
  const { sign, verify, answer } = floors(works);
  const rate = (work) => of(work, 'rate');
  const figures = (work, ...beside) => ({
    p50_ms: of(work, 'p50_ms'),
    p99_ms: of(work, 'p99_ms'),
    cpu_us: Math.round(of(work, 'cpu_us')),
    ...noiseOf(work, ...beside),
  });
  const beside = (work, peer) => ({ ...figures(work, peer), peer_cpu_us: Math.round(of(peer, 'cpu_us')) });
  const { client_credentials: tokens, opaque, seen, unseen, exchange, peer_tokens, peer_introspection } = works;
  const introspected = (work, paid) =>
    ratioRow(work.name, {
      ours: rate(work),
      peer: rate(peer_introspection),
      against: PEER,
      target: 5,
      paid,
      ...beside(work, peer_introspection),
    });
  const counted = exchange.rounds.map((round) => round.counted);
  const sum = (name) => counted.reduce((total, round) => total + round[name], 0);
  return [
    ratioRow(tokens.name, {
      ours: rate(tokens),
      peer: rate(peer_tokens),
      against: PEER,
      target: 6,
      paid: 'ES256 JWT, nothing stored on either side',
      ...beside(tokens, peer_tokens),
    }),
    boundRow('client_credentials p99', {
      ours: of(tokens, 'p99_ms'),
      unit: 'ms',
      atMost: 5,
      paid: `${CONNECTIONS} connections`,
      ...noiseOf(tokens),
    }),
    introspected(opaque, 'claims sealed in the token, nothing stored; theirs in memory'),
    introspected(seen, 'anchors looked up, signature not verified anew; theirs opaque, in memory'),
    ratioRow(unseen.name, {
      ours: rate(unseen),
      peer: 1 / (1 / rate(seen) + 1 / verify),
      against: 'a JWT seen before and one verification',
      target: 0.9,
      paid: 'signature verified, anchors looked up',
      ...figures(unseen, seen),
    }),
    ratioRow(exchange.name, {
      ours: rate(exchange),
      peer: 1 / (2 / verify + 1 / sign + 1 / answer),
      against: 'two verifications, one signature and one plain answer',
      target: 0.7,
      paid: `device-signed; jti and event on disk before the answer; ${DEVICE_CONNECTIONS} connections`,
      ...figures(exchange, works.answer),
    }),
    boundRow('fsync groups of 100 exchanges', {
      ours: (100 * sum('groups')) / sum('commits'),
      unit: 'groups',
      atMost: 5,
      paid: `${DEVICE_CONNECTIONS} connections`,
    }),
  ];
}

function form(values) {
  return new URLSearchParams(values).toString();
}
