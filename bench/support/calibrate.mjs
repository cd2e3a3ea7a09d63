// A fixed piece of work, to see what the core gives right now: its milliseconds on standard output.

import { createHash } from 'node:crypto';

const block = Buffer.alloc(64 * 1024, 7);
const began = performance.now();
for (let turn = 0; turn < 800; turn += 1) createHash('sha256').update(block).digest();
console.log((performance.now() - began).toFixed(2));
