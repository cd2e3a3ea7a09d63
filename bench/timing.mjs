// The timing benchmark: whether two kinds of refusal take the same time, closely. One server, one
// connection, hundreds of pairs in random order, everything on loopback over TLS.
//
// Owns: how many pairs, and the bounds. What is compared stands in interop/support/timing.mjs, where
// the check looks at it coarsely. `cargo xtask bench timing` builds what it needs and says where that
// is: KEYFOB_BIN, KEYFOB_TARGET (for a folder of its own); `--json` as argument.

import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';

import { Registry } from '../interop/support/registry.mjs';
import { startServer } from '../interop/support/server.mjs';
import { measure, timingClasses } from '../interop/support/timing.mjs';
import { newcomerAt } from '../interop/support/visitor.mjs';

const PAIRS = 400;
/// Medians may differ by so much of the larger one, or by so many microseconds, whichever is more;
/// or else one answer may be the slower one in so many of all comparisons: near a half, chance.
const MOST_PART = 0.05;
const MOST_MICROS = 25;
const LIKE_CHANCE = [0.4, 0.6];

const asJson = process.argv.includes('--json');
const folder = mkdtempSync(join(process.env.KEYFOB_TARGET, 'bench-timing-'));
let server;
try {
  server = await startServer(folder, { log: 'error', believes: 'believe_x_forwarded_for_from = ["127.0.0.1"]' });
  const rows = [];
  for (const timed of await timingClasses(server, new Registry(server.data), () => newcomerAt(server))) {
    const told = await measure(timed, server, PAIRS);
    const row = { work: timed.name, says: timed.says, ...told };
    // A name that nobody can guess, or that is public, tells nothing by its time: measured, no target.
    rows.push(timed.guessable ? { ...row, ...judged(told) } : row);
  }
  for (const row of rows) console.log(asJson ? JSON.stringify(row) : line(row));
  if (!asJson) console.log(`\n${cpus().length} x ${cpus()[0].model}, load ${loadavg()[0].toFixed(1)}, ${PAIRS} pairs each`);
} finally {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
}

function judged({ unknown_us: one, known_us: other, difference_us: difference, slower }) {
  const most = Math.round(Math.max(MOST_MICROS, MOST_PART * Math.max(one, other)));
  const [least, greatest] = LIKE_CHANCE;
  return { target_us: most, met: Math.abs(difference) <= most || (slower >= least && slower <= greatest) };
}

function line(row) {
  const medians = `${row.unknown_us} us and ${row.known_us} us`;
  const slower = `slower in ${(row.slower * 100).toFixed(0)} % of all comparisons`;
  const verdict = row.met === undefined ? '' : `; ${row.met ? 'good' : 'NOT GOOD'}`;
  return `${row.work.padEnd(17)} ${row.says}: ${medians}, ${slower}${verdict}`;
}
