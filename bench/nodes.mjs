// The nodes benchmark: how long a revocation at one node takes to act on the other. Two servers on one
// PostgreSQL of their own, everything on loopback; what is asked again and again is introspection.
//
// Owns: how many, and the bound. `cargo xtask bench nodes` builds what it needs and says where that
// is: KEYFOB_BIN, KEYFOB_TARGET (for a folder of its own); `--json` as argument.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';

import { Postgres } from '../crash/postgres.mjs';
import { basicOf } from '../interop/support/app.mjs';
import { Registry } from '../interop/support/registry.mjs';
import { freePorts, startServer } from '../interop/support/server.mjs';
import { send } from '../interop/support/wire.mjs';

const REVOCATIONS = 500;
/// From the answer of one node to the answer of the other.
const TARGET_MS = 1_000;

const asJson = process.argv.includes('--json');
const folder = mkdtempSync(join(process.env.KEYFOB_TARGET, 'bench-nodes-'));
const nodes = [];
let database;
try {
  const [port] = await freePorts(1);
  database = new Postgres(folder, port);
  await database.start();
  for (const name of ['one', 'two']) nodes.push(await node(name));
  const client = await new Registry(nodes[0].data).post('/clients', {
    client_name: 'Bench',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    scope: 'devices:read',
  });
  const times = [];
  for (let round = 0; round < REVOCATIONS; round += 1) times.push(await revoked(nodes[round % 2], nodes[1 - (round % 2)], basicOf(client)));
  times.sort((a, b) => a - b);
  const of = (part) => Math.round(times[Math.ceil(times.length * part) - 1] * 10) / 10;
  const [p50, p99] = [of(0.5), of(0.99)];
  const row = { work: 'revocation, one node to the other', ours: p99, p50, unit: 'ms at p99', target: TARGET_MS, met: p99 < TARGET_MS };
  const load = loadavg()[0].toFixed(1);
  if (asJson) console.log(JSON.stringify(row));
  else console.log(`${row.work}: p50 ${p50} ms, p99 ${p99} ms of ${REVOCATIONS}; ${row.met ? 'good' : 'NOT GOOD'}\n\n${cpus().length} x ${cpus()[0].model}, load ${load}`);
} finally {
  await Promise.all(nodes.map((server) => server.stop()));
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
}

/// A node; every one after the first is given its master key and its issuer.
async function node(name) {
  const own = join(folder, name);
  mkdirSync(join(own, 'data'), { recursive: true, mode: 0o700 });
  if (nodes.length > 0) copyFileSync(join(nodes[0].data, 'master.key'), join(own, 'data', 'master.key'));
  return startServer(own, { log: 'error', more: database.section, as: nodes[0] });
}

async function asked(server, path, authorization, form) {
  const answer = await send(`${server.own}${path}`, { method: 'POST', ca: server.ca, headers: { authorization }, form });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return answer.text && JSON.parse(answer.text);
}

/// Milliseconds from the revocation's answer here to the first answer there that knows of it.
async function revoked(here, there, login) {
  const { access_token: token } = await asked(here, '/token', login, { grant_type: 'client_credentials' });
  const isActive = async () => (await asked(there, '/introspect', login, { token })).active;
  if (!(await isActive())) throw new Error('a token that was just made is dead');
  await asked(here, '/revoke', login, { token });
  const began = performance.now();
  while (await isActive());
  return performance.now() - began;
}
