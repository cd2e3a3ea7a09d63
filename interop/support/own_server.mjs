// A server of a test's own, with a configuration the shared one does not have: started on free
// ports of this machine, waited for, and stopped by its own process.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from './registry.mjs';
import { send } from './wire.mjs';

/// The longest a start may take, in milliseconds.
const HUNG = 60_000;

/// A port of loopback that nobody has.
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export class OwnServer {
  /// Starts `keyfob serve`; `settings(issuer, folder)` is what stands in its configuration beside
  /// the addresses.
  static async start(settings) {
    const [people, devices, health] = [await freePort(), await freePort(), await freePort()];
    const folder = mkdtempSync(join(tmpdir(), 'keyfob-own-'));
    const server = Object.assign(new OwnServer(), {
      folder,
      issuer: `https://localhost:${people}`,
      devicesUrl: `https://localhost:${devices}`,
      registry: new Registry(join(folder, 'data')),
    });
    const config = join(folder, 'keyfob.toml');
    writeFileSync(config, `
      [issuer]
      url = "${server.issuer}"
      devices_url = "${server.devicesUrl}"
      [data]
      folder = "${join(folder, 'data')}"
      [listeners.people]
      address = "127.0.0.1:${people}"
      [listeners.devices]
      address = "127.0.0.1:${devices}"
      [listeners.health]
      address = "127.0.0.1:${health}"
      ${settings(server.issuer, folder)}`);
    // Not the folder of the demo, which the clients are told of by the same name.
    const { KEYFOB_DATA, ...env } = process.env;
    server.process = spawn(process.env.KEYFOB_BIN, ['--config', config, 'serve'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    server.told = '';
    server.process.stderr.on('data', (part) => (server.told += part));
    await server.#ready();
    server.ca = readFileSync(join(folder, 'data', 'tls', 'ca.pem'));
    return server;
  }

  async #ready() {
    const until = Date.now() + HUNG;
    while (Date.now() < until && this.process.exitCode === null) {
      if (await this.registry.get('/products').then(() => true, () => false)) return;
    }
    throw new Error(`the server did not start:\n${this.told}`);
  }

  /// Posts a form to its token endpoint, or to the one of the listener for certificates.
  token(form, { cert, key } = {}) {
    const url = `${cert ? this.devicesUrl : this.issuer}/token`;
    return send(url, { method: 'POST', ca: this.ca, cert, key, form });
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.on('exit', resolve));
    if (this.process.exitCode === null && this.process.kill('SIGTERM')) await ended;
    rmSync(this.folder, { recursive: true });
  }
}
