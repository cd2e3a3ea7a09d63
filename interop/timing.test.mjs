// What nobody may learn from how long an answer takes: whether a person, client or device exists. Here
// coarsely, so that a busy machine passes and a missing step does not; `cargo xtask bench timing` looks
// closely.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Registry } from './support/registry.mjs';
import { startServer } from './support/server.mjs';
import { compare, measure, timingClasses } from './support/timing.mjs';
import { newcomerAt } from './support/visitor.mjs';

const PAIRS = 40;
/// Without its password hash an answer takes a tenth.
const MOST = 1.6;
const folder = mkdtempSync(join(tmpdir(), 'keyfob-timing-'));
let server, classes;

before(async () => {
  server = await startServer(folder, { log: 'error', believes: 'believe_x_forwarded_for_from = ["127.0.0.1"]' });
  classes = await timingClasses(server, new Registry(server.data), () => newcomerAt(server));
});

after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

test('the comparison tells apart what differs, and nothing else', () => {
  const noise = (base) => Array.from({ length: 300 }, (_, at) => base + ((at * 7919) % 101) + (at % 50 === 0 ? 90_000 : 0));
  assert.deepEqual([compare(noise(1000), noise(1000)).ratio, compare(noise(1000), noise(1000)).slower], [1, 0.5]);
  assert.ok(compare(noise(1000), noise(9000)).ratio > 8);
  assert.ok(compare(noise(1000), noise(1020)).slower < 0.35);
});

for (const name of ['sign_in', 'client_secret', 'device_assertion', 'call_home', 'registration']) {
  test(`the time of a refusal does not tell which kind it is: ${name}`, async () => {
    const timed = classes.find((it) => it.name === name);
    let told;
    // A neighbour's load may slow one kind by chance, three times in a row it does not.
    for (let tries = 0; tries < 3; tries += 1) {
      told = await measure(timed, server, PAIRS);
      if (told.ratio <= MOST) return;
    }
    assert.fail(`${timed.says}: ${JSON.stringify(told)}`);
  });
}
