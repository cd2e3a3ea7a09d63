// A server of a test's own, in a folder of its own: where it is, what it wrote, and its end.

import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/// Starts `keyfob serve` with a data folder under `folder`. `log` is how much it tells; `believes` are
/// settings of both TLS listeners, `more` whole sections; `as` another server whose issuer it shares.
export async function startServer(folder, { log: level = 'info', believes = '', more = '', as = undefined } = {}) {
  const [people, devices, health] = await freePorts(3);
  const [own, ownDevices] = [people, devices].map((port) => `https://localhost:${port}`);
  const { issuer, devicesUrl } = as ?? { issuer: own, devicesUrl: ownDevices };
  const address = (name, port, lines = '') => `[listeners.${name}]\naddress = "127.0.0.1:${port}"\n${lines}\n`;
  const config = join(folder, 'keyfob.toml');
  writeFileSync(
    config,
    `[issuer]\nurl = "${issuer}"\ndevices_url = "${devicesUrl}"\n` +
      address('people', people, believes) + address('devices', devices, believes) + address('health', health) +
      `[log]\nlevel = "${level}"\n${more}`,
  );
  const data = join(folder, 'data');
  const log = join(folder, 'log');
  const words = ['serve', '--json', '--config', config, '--data', data];
  const child = spawn(process.env.KEYFOB_BIN, words, { stdio: ['ignore', 'pipe', openSync(log, 'a')] });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = JSON.parse(line);
    return {
      issuer,
      /// Where this very server is reached.
      own,
      devicesUrl,
      config,
      data,
      log,
      ca: readFileSync(ready.authority),
      setup: ready.first_administrator,
      metrics: `http://${ready.health}/metrics`,
      /// Ends it as an operator does, and waits.
      async stop() {
        child.kill('SIGTERM');
        return gone;
      },
    };
  }
  throw new Error(`the server ended before it was ready:\n${readFileSync(log, 'utf8').slice(-2000)}`);
}

export async function freePorts(count) {
  const held = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(held.map((server) => new Promise((listening) => server.once('listening', listening))));
  const ports = held.map((server) => server.address().port);
  await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
