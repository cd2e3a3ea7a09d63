// The registry benchmark: start, import, look-ups and tokens while the registry grows, its size on
// disk and in memory. Our server on one core, the load (wrk, and the client of the import) on the
// other; everything on loopback, over TLS but for the import, which comes through the local socket.
//
// Owns: what is measured and the targets. Arguments: `--devices N` (1,000,000 unless said), `--json`.

import { execFileSync } from 'node:child_process';
import { createECDH, createHash } from 'node:crypto';
import { appendFileSync, createReadStream, createWriteStream, existsSync, openSync, readSync, statSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';

import { basicOf } from '../interop/support/app.mjs';
import { Registry } from '../interop/support/registry.mjs';
import { boundRow, calibrate, look, measure, median, noiseOf, of, once, report, spread } from './support/load.mjs';
import { Bench, Keyfob } from './support/server.mjs';

const ROUNDS = 3;
const SECONDS = 2;
const SMALL = 10_000;
const STARTS = 5;
/// Devices of one file: what the limit of an upload takes.
const PIECE = 200_000;
const MODEL = 'bench-sensor';
/// Every so many devices, one has a MAC and an id of its maker beside serial number and key.
const NAMED = 10;
/// So many devices are asked for, spread over the whole registry.
const ASKED = 2_000;

const serial = (number) => `SN-${String(number).padStart(10, '0')}`;
const mac = (number) => `02:00:${number.toString(16).padStart(8, '0').replace(/(..)(?!$)/g, '$1:')}`;
const makersId = (number) => `maker.${number}`;

const asJson = process.argv.includes('--json');
const devices = Number(process.argv[process.argv.indexOf('--devices') + 1] || 1_000_000) || 1_000_000;
const tell = (line) => (asJson ? process.stderr : process.stdout).write(`${line}\n`);
const bench = new Bench('registry');

/// Numbers of devices to ask for, with the thumbprints of their keys.
const sample = {
  thumbprints: new Map(),
  wanted: (number) => number < SMALL || number % Math.max(NAMED, Math.floor(devices / ASKED / NAMED) * NAMED) === 0,
  put(number, thumbprint) {
    this.thumbprints.set(number, thumbprint);
  },
  /// Of a registry of so many, only those that have every name.
  of(count) {
    const known = [...this.thumbprints.keys()].filter((number) => number < count && number % NAMED === 0);
    const step = Math.max(1, Math.floor(known.length / ASKED));
    return known.filter((_, at) => at % step === 0).slice(-ASKED);
  },
};

try {
  const keys = makeKeys(devices);
  const server = new Keyfob(bench, 'data');
  const empty = await starts(server);
  await new Registry(server.data).post('/products', { model: MODEL, name: 'Bench sensor' });
  const client = await caller(server);
  tell(`${SMALL} devices`);
  await fill(server, keys, 0, SMALL);
  const small = await asked(server, client, SMALL);
  tell(`${devices} devices`);
  const filled = await fill(server, keys, SMALL, devices);
  const large = await asked(server, client, devices);
  await server.stop();
  const size = sizes(server);
  const full = await starts(server);
  await look(tokens(server, client));
  report(rows({ empty, small, filled, large, size, full }), asJson);
} finally {
  bench.end();
}

/// Starts several times; the last one stays. Memory is taken when it is ready and idle.
async function starts(server) {
  const times = [];
  for (let turn = 0; turn < STARTS; turn += 1) {
    if (turn > 0) await server.stop();
    times.push(await server.start());
  }
  return { ms: median(times), noise_percent: spread(times), memory: server.process.memory() };
}

/// A client that may look devices up and takes tokens.
async function caller(server) {
  return new Registry(server.data).post('/clients', {
    client_name: 'bench service',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    scope: 'devices:read',
    audiences: [server.issuer],
  });
}

// Filling.

/// Points of P-256, 64 bytes each, kept between runs: making a key takes longer than importing it.
/// A point and its negative are two keys.
function makeKeys(count) {
  const file = join(process.env.KEYFOB_TARGET, 'bench-keys.bin');
  const made = existsSync(file) ? statSync(file).size / 64 : 0;
  if (made < count) tell(`making ${count - made} keys`);
  const prime = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
  const ecdh = createECDH('prime256v1');
  for (let at = made; at < count; at += 20_000) {
    const parts = [];
    for (let pair = 0; pair < 10_000; pair += 1) {
      const point = ecdh.generateKeys().subarray(1);
      const negative = prime - BigInt(`0x${point.toString('hex', 32)}`);
      parts.push(point, point.subarray(0, 32), Buffer.from(negative.toString(16).padStart(64, '0'), 'hex'));
    }
    appendFileSync(file, Buffer.concat(parts));
  }
  return openSync(file);
}

/// The lines of devices, each with a key of its own: serial number and P-256 key, some with more.
function* lines(from, to, keys) {
  const block = Buffer.alloc(64 * 1000);
  for (let number = from; number < to; number += 1) {
    if (number === from || number % 1000 === 0) readSync(keys, block, 0, block.length, Math.floor(number / 1000) * block.length);
    const point = block.subarray((number % 1000) * 64, (number % 1000) * 64 + 64);
    const [x, y] = [point.toString('base64url', 0, 32), point.toString('base64url', 32)];
    const device = { model: MODEL, serial: serial(number), jwk: { kty: 'EC', crv: 'P-256', x, y } };
    if (number % NAMED === 0) Object.assign(device, { mac: mac(number), external_id: makersId(number) });
    if (sample.wanted(number)) sample.put(number, thumbprint(x, y));
    yield `${JSON.stringify(device)}\n`;
  }
}

/// RFC 7638.
function thumbprint(x, y) {
  return createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url');
}

async function fill(server, keys, from, to) {
  const file = join(bench.folder, 'devices.jsonl');
  const machine = [calibrate()];
  let [seconds, used] = [0, 0];
  for (let at = from; at < to; at += PIECE) {
    const end = Math.min(at + PIECE, to);
    await written(file, lines(at, end, keys));
    const cpu = server.process.cpu();
    const began = performance.now();
    const told = await send(server, file);
    seconds += (performance.now() - began) / 1000;
    used += server.process.cpu() - cpu;
    if (told.created !== end - at) throw new Error(`the import made ${told.created} of ${end - at}: ${JSON.stringify(told)}`);
    machine.push(calibrate());
  }
  tell(`  imported ${Math.round((to - from) / seconds)}/s, ${((used / (to - from)) * 1e6).toFixed(1)} us of processor each`);
  return { rate: (to - from) / seconds, cpu_us: (used / (to - from)) * 1e6, machine_percent: spread(machine) };
}

async function written(file, texts) {
  const out = createWriteStream(file);
  let part = '';
  for (const text of texts) {
    part += text;
    if (part.length < 1 << 20) continue;
    if (!out.write(part)) await new Promise((drained) => out.once('drain', drained));
    part = '';
  }
  await new Promise((ended) => out.end(part, ended));
}

/// Sends a file as an import; what the server told last. It tells of each batch, so that no limit on
/// the time to an answer ends it.
function send(server, file) {
  const headers = { 'content-type': 'application/jsonl', accept: 'application/jsonl', 'transfer-encoding': 'chunked' };
  const way = { socketPath: join(server.data, 'admin.sock'), method: 'POST', path: '/imports?source=devices.jsonl', headers };
  return new Promise((resolve, reject) => {
    const request = http.request(way, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString();
        if (answer.statusCode >= 300) reject(new Error(`import: ${answer.statusCode} ${text}`));
        else resolve(JSON.parse(text.trim().split('\n').at(-1)));
      });
    });
    request.on('error', reject);
    createReadStream(file, { highWaterMark: 1 << 18 }).pipe(request);
  });
}

// Asking.

function tokens(server, client) {
  const at = { side: 'ours', origin: server.issuer, address: server.address, ca: server.ca, process: server.process };
  const body = new URLSearchParams({ grant_type: 'client_credentials', scope: 'devices:read' }).toString();
  return { ...at, name: 'token', path: '/token', authorization: basicOf(client), bodies: () => [body], holds: 'access_token' };
}

/// Look-ups by every identifier and tokens, against a registry of so many.
async function asked(server, client, count) {
  const work = tokens(server, client);
  const authorization = `Bearer ${JSON.parse(await once(work)).access_token}`;
  const numbers = sample.of(count);
  const at = (name, paths) => ({ ...work, name, authorization, bodies: undefined, path: paths[0], paths: () => paths, holds: '"serial"' });
  const by = (name, query) => at(name, numbers.map((number) => `/devices?${query(number)}`));
  const dids = [];
  for (const number of numbers.filter((_, place) => place % 4 === 0)) {
    const { items } = await new Registry(server.data).get(`/devices?serial=${serial(number)}`);
    dids.push(items[0].id);
  }
  const works = [
    at('did', dids.map((did) => `/devices/${did}`)),
    by('serial', (number) => `model=${MODEL}&serial=${serial(number)}`),
    by('external_id', (number) => `external_id=${makersId(number)}`),
    by('mac', (number) => `mac=${encodeURIComponent(mac(number))}`),
    by('key_thumbprint', (number) => `key_thumbprint=${sample.thumbprints.get(number)}`),
    work,
  ];
  for (const each of works) await look(each);
  for (let round = 1; round <= ROUNDS; round += 1) {
    // One connection for look-ups: their latency is measured, not their queue.
    for (const each of works) await measure(bench.folder, each, { seconds: SECONDS, connections: each === work ? 16 : 1 });
  }
  for (const each of works) tell(`  ${each.name}: ${Math.round(of(each, 'rate'))}/s, p99 ${of(each, 'p99_ms').toFixed(2)} ms, ${of(each, 'cpu_us').toFixed(0)} us of processor each`);
  return { works, memory: server.process.memory() };
}

// What it comes to.

/// Bytes of the file per device: of the registry's rows and indexes, and of the log of events.
function sizes(server) {
  const file = join(server.data, 'keyfob.db');
  const query = "SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE";
  const said = execFileSync('sqlite3', ['-json', file, query], { encoding: 'utf8', maxBuffer: 1 << 24 });
  const tables = JSON.parse(said);
  const sum = (wanted) => tables.filter(({ name }) => wanted(name)).reduce((total, { pgsize }) => total + pgsize, 0);
  const registry = (name) => /^(sqlite_autoindex_)?(device|credential)(_|$)/.test(name) && !/device_session/.test(name);
  const log = (name) => /^(sqlite_autoindex_)?event(_|$)/.test(name);
  return { registry: sum(registry) / devices, log: sum(log) / devices };
}

function rows({ empty, small, filled, large, size, full }) {
  const growth = (name) => {
    const [before, after] = [small, large].map(({ works }) => works.find((work) => work.name === name));
    // By processor time: it does not hang from what else the machine does.
    return boundRow(`${name} at ${devices} against ${SMALL}`, {
      ours: of(after, 'cpu_us') / of(before, 'cpu_us'),
      unit: 'times the processor time',
      atMost: 1.3,
      paid: `${of(before, 'cpu_us').toFixed(0)} us, then ${of(after, 'cpu_us').toFixed(0)} us each`,
      ...noiseOf(before, after),
    });
  };
  const lookUps = large.works.filter(({ name }) => name !== 'token');
  return [
    boundRow('import', {
      ours: filled.rate,
      unit: 'devices/s',
      atLeast: 30_000,
      paid: 'serial number and P-256 key each, checked, with events; 500 to a commit on disk',
      cpu_us: filled.cpu_us,
      machine_percent: filled.machine_percent,
    }),
    ...lookUps.map((work) =>
      boundRow(`look-up by ${work.name}, p99`, {
        ours: of(work, 'p99_ms'),
        unit: 'ms',
        atMost: 1,
        paid: `of ${devices} devices, over HTTPS, one connection, authorized by scope`,
        p50_ms: of(work, 'p50_ms'),
        ...noiseOf(work),
      }),
    ),
    growth('token'),
    ...lookUps.map(({ name }) => growth(name)),
    boundRow('registry on disk', {
      ours: size.registry,
      unit: 'bytes/device',
      atMost: 450,
      paid: `devices and credentials with all indexes; the log of events, two per device, takes ${Math.round(size.log)} more`,
    }),
    boundRow('start, empty', { ours: empty.ms, unit: 'ms', atMost: 200, paid: 'from the command to answering', noise_percent: empty.noise_percent, machine_percent: 0 }),
    boundRow('start, full', { ours: full.ms, unit: 'ms', atMost: 1000, paid: `${devices} devices`, noise_percent: full.noise_percent, machine_percent: 0 }),
    boundRow('memory, idle', { ours: empty.memory, unit: 'MB', atMost: 40, paid: 'resident, empty store' }),
    boundRow('memory, full', { ours: large.memory, unit: 'MB', atMost: 300, paid: `resident after import and look-ups of ${devices} devices` }),
    boundRow('binary', { ours: statSync(process.env.KEYFOB_BIN).size / 1e6, unit: 'MB', atMost: 46, paid: 'as it is handed out' }),
  ];
}
