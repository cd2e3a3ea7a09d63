// Load on its own core, and how steady the machine was meanwhile.
//
// Owns: one measured round of one work; medians, spreads and rows. A work is a request, how its
// answer is known to be the right one, and its bodies.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { send } from '../../interop/support/wire.mjs';
import { LOAD_CORE, SERVER_CORE } from './server.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/// One request of a work; the text of its answer, if it is good.
export async function once({ origin, ca, path, authorization, bodies }) {
  const body = bodies?.(1)?.[0];
  const headers = authorization ? { authorization } : {};
  if (body) headers['content-type'] = 'application/x-www-form-urlencoded';
  const answer = await send(`${origin}${path}`, { method: body ? 'POST' : 'GET', ca, headers, body });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return answer.text;
}

/// The load does not read answers; this does, before and after.
export async function look(work) {
  work.rounds ??= [];
  const text = await once(work);
  if (!text.includes(work.holds)) throw new Error(`${work.side} ${work.name} is not what it should be: ${text}`);
}

/// Milliseconds that a fixed piece of work takes on the server's core right now.
export function calibrate() {
  return Number(execFileSync('taskset', ['-c', SERVER_CORE, process.execPath, here('calibrate.mjs')]));
}

/// One round: answers per second, latency, processor time of the server per answer, and the machine
/// before and after. `work.single` says that each body counts once.
export async function measure(folder, work, { seconds, connections }) {
  const count = work.single ? Math.ceil(enough(work) * seconds) : 1;
  const bodies = work.laid ?? work.bodies?.(count);
  const paths = work.paths?.();
  const file = bodies || paths ? join(folder, 'requests') : '-';
  if (file !== '-') writeFileSync(file, `${(bodies ?? paths).join('\n')}\n`, { mode: 0o600 });
  const words = ['-c', LOAD_CORE, 'wrk', '-t1', `-c${connections}`, `-d${seconds}`, '--latency'];
  const script = ['-s', here('load.lua'), `https://${work.address}`, '--', work.path, work.authorization ?? '-'];
  const before = calibrate();
  const counted = await work.counters?.();
  const cpu = work.process.cpu();
  const said = execFileSync('taskset', [...words, ...script, file, paths ? 'paths' : 'bodies'], { encoding: 'utf8' });
  const used = work.process.cpu() - cpu;
  const after = await work.counters?.();
  const result = JSON.parse(/^RESULT (.*)$/m.exec(said)[1]);
  if (result.refused > 0 || result.broken > 0) {
    throw new Error(`${work.side} ${work.name}: ${result.refused} refused, ${result.broken} broken: ${said}`);
  }
  if (work.single && result.answers > bodies.length) throw new Error(`${work.name}: out of bodies`);
  const round = {
    rate: result.answers / result.seconds,
    cpu_us: (used / result.answers) * 1e6,
    p50_ms: result.p50_us / 1000,
    p99_ms: result.p99_us / 1000,
    machine: [before, calibrate()],
  };
  if (counted) round.counted = subtract(after, counted);
  work.rounds.push(round);
  return round;
}

/// Bodies per second to lay ready: half as many again as the fastest round so far took.
function enough(work) {
  return Math.max(work.first ?? 8000, ...work.rounds.map((round) => round.rate * 1.5));
}

function subtract(after, before) {
  return Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]]));
}

export function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

/// The median of one figure over a work's rounds.
export function of(work, figure) {
  return median(work.rounds.map((round) => round[figure]));
}

/// How far values lie apart, in percent of their median.
export function spread(values) {
  return Math.round((100 * (Math.max(...values) - Math.min(...values))) / median(values));
}

/// What the same fixed work cost around these rounds, and how far their rates lie apart.
export function noiseOf(...works) {
  return {
    noise_percent: Math.max(...works.map((work) => spread(work.rounds.map((round) => round.rate)))),
    machine_percent: spread(works.flatMap((work) => work.rounds.flatMap((round) => round.machine))),
  };
}

const digits = (value) => Number(value.toPrecision(value >= 100 ? 4 : 3));

/// A row where more is better, as a ratio to what stands beside it.
export function ratioRow(work, { ours, peer, against, target, paid, ...rest }) {
  const ratio = ours / peer;
  const met = ratio >= target;
  return { work, ours: digits(ours), peer: digits(peer), ratio: digits(ratio), target, met, against, paid, ...rest };
}

/// A row that must not pass a bound, or must reach it.
export function boundRow(work, { ours, unit, atMost, atLeast, paid, ...rest }) {
  const target = atMost ?? atLeast;
  const met = atMost === undefined ? ours >= target : ours <= target;
  const bound = atMost === undefined ? 'at least' : 'at most';
  return { work, ours: digits(ours), peer: null, ratio: digits(ours / target), target, met, bound, unit, paid, ...rest };
}

export function machine() {
  return { cpu: cpus()[0].model, cores: cpus().length, load: Number(loadavg()[0].toFixed(1)) };
}

/// Rows on standard output: one object each, or a table.
export function report(rows, asJson, more = {}) {
  const told = machine();
  if (asJson) {
    for (const row of rows) console.log(JSON.stringify(row));
    console.log(JSON.stringify({ machine: told, ...more }));
    return;
  }
  const cells = (row) => [
    row.work,
    row.unit ? `${row.ours} ${row.unit}` : `${row.ours}/s`,
    row.peer === null ? `${row.bound} ${row.target}` : `${row.peer}/s`,
    row.peer === null ? '' : `${row.ratio} of ${row.target}`,
    row.met ? 'met' : 'missed',
    row.p99_ms === undefined ? '' : `${digits(row.p99_ms)} ms`,
    row.noise_percent === undefined ? '' : `${row.noise_percent} %, machine ${row.machine_percent} %`,
  ];
  const table = [['work', 'ours', 'beside', 'ratio', '', 'p99', 'noise'], ...rows.map(cells)];
  const widths = table[0].map((_, at) => Math.max(...table.map((line) => line[at].length)));
  for (const line of table) console.log(line.map((cell, at) => cell.padEnd(widths[at])).join('  ').trimEnd());
  console.log(`${told.cores} cores of ${told.cpu}; load ${told.load} (above 2: others were at work)`);
  for (const [name, value] of Object.entries(more)) console.log(`${name}: ${JSON.stringify(value)}`);
}
