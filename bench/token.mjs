// The token benchmark: starts our server and oidc-provider on one core and the load (wrk) on the
// other, three rounds of each work in turn, and tells medians and ratios. Everything on loopback,
// over TLS, on connections kept open.
//
// Owns: what is measured, how, and the targets. `cargo xtask bench token` builds what it needs and
// says where that is: KEYFOB_BIN, KEYFOB_TARGET (for folders of its own); `--json` as argument.

import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { basicOf, CALLBACK, codeFlow } from '../interop/support/app.mjs';
import { Registry } from '../interop/support/registry.mjs';
import { EXCHANGE, Speaker } from '../interop/support/speaker.mjs';
import { Visitor } from '../interop/support/visitor.mjs';
import { send } from '../interop/support/wire.mjs';

const ROUNDS = 3;
const SECONDS = 4;
const CONNECTIONS = 16;
const SERVER_CORE = '0';
const LOAD_CORE = '1';
const API = 'https://api.example.com';
const INGEST = 'https://ingest.example.com';
const MODEL = 'bench-speaker';
const SPEAKERS = 64;
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

const asJson = process.argv.includes('--json');
const tell = (line) => (asJson ? process.stderr : process.stdout).write(`${line}\n`);
const folder = mkdtempSync(join(process.env.KEYFOB_TARGET, 'bench-token-'));
const processes = [];

try {
  const [issuerPort, devicePort, healthPort, peerPort] = await freePorts(4);
  const ours = await startOurs(issuerPort, devicePort, healthPort);
  const peer = await startPeer(peerPort);
  const works = [...(await ourWorks(ours)), ...(await peerWorks(peer))];
  for (const work of works) await look(work);
  for (let round = 1; round <= ROUNDS; round += 1) {
    tell(`round ${round} of ${ROUNDS}, ${SECONDS} s each`);
    for (const work of works) work.rounds.push(await measure(work));
  }
  for (const work of works) await look(work);
  report(works, signatureCosts());
} finally {
  for (const child of processes) child.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}

// The two servers.

async function startOurs(issuerPort, devicePort, healthPort) {
  const issuer = `https://localhost:${issuerPort}`;
  const data = join(folder, 'data');
  const config = join(folder, 'keyfob.toml');
  writeFileSync(
    config,
    `[issuer]\nurl = "${issuer}"\ndevices_url = "https://localhost:${devicePort}"\n` +
      `[listeners.people]\naddress = "127.0.0.1:${issuerPort}"\n` +
      `[listeners.devices]\naddress = "127.0.0.1:${devicePort}"\n` +
      `[listeners.health]\naddress = "127.0.0.1:${healthPort}"\n`,
  );
  const words = [process.env.KEYFOB_BIN, 'serve', '--json', '--config', config, '--data', data];
  const ready = await start(words, {}, join(folder, 'keyfob.log'));
  const ca = readFileSync(ready.authority);
  return { issuer, address: ready.people, metrics: `http://${ready.health}/metrics`, data, ca };
}

async function startPeer(port) {
  const certificate = join(folder, 'peer.pem');
  const key = join(folder, 'peer.key');
  const subject = '-subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 -nodes'.split(' ');
  const kind = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1'.split(' ');
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
    es256: join(folder, 'es256.json'),
    rs256: join(folder, 'rs256.json'),
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
  await start([process.execPath, here('peers/oidc-provider.mjs')], environment, join(folder, 'peer.log'));
  return { ...settings, address: `127.0.0.1:${port}`, ca: readFileSync(certificate) };
}

/// Starts a server on its core and waits until it says that it is ready.
async function start(words, environment, log) {
  const child = spawn('taskset', ['-c', SERVER_CORE, ...words], {
    stdio: ['ignore', 'pipe', openSync(log, 'a')],
    env: { ...process.env, ...environment },
  });
  processes.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const said = line.startsWith('{') ? JSON.parse(line) : {};
    if (said.ready) return said;
  }
  throw new Error(`${words[0]} ended before it was ready:\n${readFileSync(log, 'utf8').slice(-2000)}`);
}

async function freePorts(count) {
  const held = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = [];
  for (const server of held) {
    await new Promise((listening) => server.listening ? listening() : server.once('listening', listening));
    ports.push(server.address().port);
  }
  for (const server of held) await new Promise((closed) => server.close(closed));
  return ports;
}

// What is measured: a request, how its answer is known to be the right one, and its bodies.

async function ourWorks(server) {
  const registry = new Registry(server.data);
  const service = await registry.post('/clients', {
    client_name: 'bench service',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    scope: 'telemetry:read',
    audiences: [API],
  });
  const basic = basicOf(service);
  const at = { side: 'ours', origin: server.issuer, address: server.address, ca: server.ca };
  const grant = form({ grant_type: 'client_credentials', scope: 'telemetry:read' });
  const seen = await once({ ...at, path: '/token', basic, bodies: () => [grant] });
  return [
    { ...at, name: 'client_credentials', path: '/token', basic, bodies: () => [grant], holds: '"access_token":"eyJ' },
    {
      ...at,
      name: 'introspection',
      path: '/introspect',
      basic,
      bodies: () => [form({ token: JSON.parse(seen).access_token })],
      holds: '"active":true',
    },
    await exchangeWork(server, registry, at),
    { ...at, name: 'answer', path: '/.well-known/openid-configuration', bodies: () => null, holds: '"issuer"' },
  ];
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
  const work = { ...at, name: 'asset_token_exchange', path: '/token', basic: basicOf(app), holds: '"issued_token_type"' };
  for (const body of bodies(SPEAKERS)) await once({ ...work, bodies: () => [body] });
  return { ...work, bodies, single: true };
}

async function peerWorks(peer) {
  const basic = basicOf({ client_id: peer.clientId, client_secret: peer.clientSecret });
  const at = { side: 'peer', origin: peer.issuer, address: peer.address, ca: peer.ca, basic };
  const grant = (resource) => form({ grant_type: 'client_credentials', scope: 'telemetry:read', resource });
  const opaque = await once({ ...at, path: '/token', bodies: () => [grant(peer.opaqueResource)] });
  return [
    { ...at, name: 'client_credentials', path: '/token', bodies: () => [grant(API)], holds: '"access_token":"eyJ' },
    {
      ...at,
      name: 'introspection',
      path: '/token/introspection',
      bodies: () => [form({ token: JSON.parse(opaque).access_token })],
      holds: '"active":true',
    },
  ].map((work) => ({ ...work, rounds: [] }));
}

// Measuring.

/// One request of a work; its body, if the answer is good.
async function once({ origin, ca, path, basic, bodies }) {
  const body = bodies(1)?.[0];
  const headers = basic ? { authorization: basic } : {};
  if (body) headers['content-type'] = 'application/x-www-form-urlencoded';
  const answer = await send(`${origin}${path}`, { method: body ? 'POST' : 'GET', ca, headers, body });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return answer.text;
}

/// The load does not read answers; this does, before and after.
async function look(work) {
  work.rounds ??= [];
  const text = await once(work);
  if (!text.includes(work.holds)) throw new Error(`${work.side} ${work.name} is not what it should be: ${text}`);
}

async function measure(work) {
  let file = '-';
  // A body that counts once must not be sent twice: enough for a fast run, counted below.
  const seconds = work.single ? Math.min(SECONDS, 3) : SECONDS;
  const bodies = work.bodies(work.single ? Math.ceil(enough(work) * seconds) : 1);
  if (bodies) {
    file = join(folder, 'bodies');
    writeFileSync(file, `${bodies.join('\n')}\n`, { mode: 0o600 });
  }
  const words = ['-c', LOAD_CORE, 'wrk', '-t1', `-c${CONNECTIONS}`, `-d${seconds}`, '-s', here('load.lua')];
  const target = [`https://${work.address}`, '--', work.path, work.basic ?? '-', file];
  const said = execFileSync('taskset', [...words, ...target], { encoding: 'utf8' });
  const result = JSON.parse(/^RESULT (.*)$/m.exec(said)[1]);
  if (result.refused > 0 || result.broken > 0) {
    throw new Error(`${work.side} ${work.name}: ${result.refused} refused, ${result.broken} broken: ${said}`);
  }
  if (work.single && result.answers > bodies.length) throw new Error(`${work.name}: out of bodies`);
  return { rate: result.answers / result.seconds, p99: result.p99_us };
}

/// Bodies per second to lay ready: twice what the fastest round so far took.
function enough(work) {
  return Math.max(8000, ...work.rounds.map((round) => round.rate * 2));
}

/// What signing and verifying cost on this core, by OpenSSL: one part of the floor of an exchange.
function signatureCosts() {
  const words = ['-c', SERVER_CORE, 'openssl', 'speed', '-mr', '-seconds', '2', 'ecdsap256'];
  const said = execFileSync('taskset', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [, , , sign, verify] = /^\+F4:.*$/m.exec(said)[0].split(':').map(Number);
  return { sign, verify };
}

// Telling.

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function report(works, costs) {
  const found = (side, name) => works.find((work) => work.side === side && work.name === name);
  const rate = (work) => median(work.rounds.map((round) => round.rate));
  const noise = (work) => {
    const rates = work.rounds.map((round) => round.rate);
    return Math.round((100 * (Math.max(...rates) - Math.min(...rates))) / rate(work));
  };
  const row = (work, peer, target, paid) => {
    const [ours, beside] = [rate(work), peer.rate];
    const ratio = ours / beside;
    return {
      work: work.name,
      ours: Math.round(ours),
      peer: Math.round(beside),
      ratio: Number(ratio.toFixed(2)),
      target,
      met: ratio >= target,
      p99_ms: Number((median(work.rounds.map((round) => round.p99)) / 1000).toFixed(1)),
      noise_percent: Math.max(noise(work), peer.noise),
      against: peer.name,
      paid,
    };
  };
  const beside = (name) => ({ name: 'oidc-provider', rate: rate(found('peer', name)), noise: noise(found('peer', name)) });
  const answer = found('ours', 'answer');
  const floor = 1 / (2 / costs.verify + 1 / costs.sign + 1 / rate(answer));
  const rows = [
    row(found('ours', 'client_credentials'), beside('client_credentials'), 6, 'ES256 JWT, nothing stored on either side'),
    row(found('ours', 'introspection'), beside('introspection'), 5, 'ours a JWT seen before, theirs opaque in memory'),
    row(
      found('ours', 'asset_token_exchange'),
      { name: 'its own floor', rate: floor, noise: noise(answer) },
      0.7,
      'device-signed, jti and event durable before the answer',
    ),
  ];
  const machine = { cpu: cpus()[0].model, cores: cpus().length, load: Number(loadavg()[0].toFixed(1)) };
  if (asJson) {
    for (const it of rows) console.log(JSON.stringify(it));
    console.log(JSON.stringify({ machine, floor: { ...costs, answer: Math.round(rate(answer)) } }));
    return;
  }
  console.log(`\n${'work'.padEnd(22)}${'ours'.padStart(8)}${'beside'.padStart(8)}${'ratio'.padStart(7)}${'target'.padStart(8)}${'p99'.padStart(9)}${'noise'.padStart(7)}  against`);
  for (const it of rows) {
    console.log(
      `${it.work.padEnd(22)}${String(it.ours).padStart(8)}${String(it.peer).padStart(8)}${it.ratio.toFixed(2).padStart(7)}` +
        `${String(it.target).padStart(6)} ${it.met ? '✓' : '✗'}${`${it.p99_ms} ms`.padStart(9)}${`${it.noise_percent} %`.padStart(7)}  ${it.against}`,
    );
  }
  console.log(
    `answers per second, medians of ${ROUNDS}; noise is the widest spread between rounds\n` +
      `floor: ${Math.round(costs.sign)} signatures, ${Math.round(costs.verify)} verifications, ${Math.round(rate(answer))} plain answers per second\n` +
      `${machine.cores} cores of ${machine.cpu}; load ${machine.load} (above 2: others were at work, read the ratios with care)`,
  );
}

function form(values) {
  return new URLSearchParams(values).toString();
}
