// The programs shown in docs/guide, as they stand there, and how each language runs one.

import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { caFile } from './house.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const guide = at('../../docs/guide');

/// Every program of the guide by its file name: the block that follows `<!-- run: NAME -->`.
export function programs() {
  const found = new Map();
  for (const page of readdirSync(guide).filter((name) => name.endsWith('.md'))) {
    const text = readFileSync(join(guide, page), 'utf8');
    for (const [, name, body] of text.matchAll(/<!-- run: (\S+) -->\n```\w+\n([^]*?)\n```/g)) {
      if (found.has(name)) throw new Error(`${name} stands twice in the guide`);
      found.set(name, `${body}\n`);
    }
  }
  return found;
}

/// One program laid into a folder of its own, with the libraries the guide tells to install.
export function lay(name) {
  const folder = mkdtempSync(join(tmpdir(), 'guide-'));
  const text = programs().get(name);
  if (!text) throw new Error(`the guide has no ${name}`);
  writeFileSync(join(folder, name), text);
  if (extname(name) === '.mjs') symlinkSync(at('../node_modules'), join(folder, 'node_modules'));
  if (extname(name) === '.go') for (const file of ['go.mod', 'go.sum']) copyFileSync(at(`../guide/${file}`), join(folder, file));
  return folder;
}

const LANGUAGES = {
  '.mjs': (name) => [process.execPath, [name]],
  '.py': (name) => [process.env.KEYFOB_PYTHON, [name]],
  '.go': () => ['./program', []],
  '.sh': (name) => ['sh', ['-eu', name]],
};

/// Starts a program; its lines come by `line()`, its end by `ended`.
export async function start(name, facts) {
  const folder = lay(name);
  if (extname(name) === '.go') await built(folder);
  const [program, words] = LANGUAGES[extname(name)](name);
  // What each language calls a file of authorities it shall trust beside its own.
  const trust = { NODE_EXTRA_CA_CERTS: caFile, SSL_CERT_FILE: caFile, REQUESTS_CA_BUNDLE: caFile, CURL_CA_BUNDLE: caFile };
  const child = spawn(program, words, { cwd: folder, env: { ...process.env, ...trust, ...facts }, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    line: async () => (await lines.next()).value,
    ended: new Promise((resolve, reject) => child.on('error', reject).on('exit', resolve)),
    stop: () => child.kill(),
  };
}

function built(folder) {
  const child = spawn(process.env.KEYFOB_GO, ['build', '-o', 'program', '.'], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`go build ended with ${code}`))));
  });
}

/// A port of loopback nobody listens at.
export function freePort() {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
