// The server that is killed: started on its folder, killed without warning, started again.
//
// Owns: the process, its ports and files. Does not own: what is asked of it.

import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/// Longer than any start; a debug build makes an RSA key at its first.
const READY_WITHIN = 60_000;

export class Server {
  constructor(program, folder, ports, store = '') {
    const [people, devices, health] = ports;
    this.program = program;
    this.folder = folder;
    this.issuer = `https://localhost:${people}`;
    this.data = join(folder, 'data');
    this.config = join(folder, 'keyfob.toml');
    mkdirSync(folder, { recursive: true });
    const address = (name, port) => `[listeners.${name}]\naddress = "127.0.0.1:${port}"\n`;
    const issuer = `[issuer]\nurl = "${this.issuer}"\ndevices_url = "https://localhost:${devices}"\n`;
    const listeners = address('people', people) + address('devices', devices) + address('health', health);
    writeFileSync(this.config, issuer + listeners + store);
  }

  /// Begins a start without waiting for it.
  begin() {
    const words = ['serve', '--json', '--config', this.config, '--data', this.data];
    const log = openSync(join(this.folder, 'keyfob.log'), 'a');
    this.child = spawn(this.program, words, { stdio: ['ignore', 'pipe', log] });
    this.ended = new Promise((ended) => this.child.once('exit', (code, signal) => ended({ code, signal })));
  }

  /// Starts and waits until it answers; how long that took, in milliseconds.
  async start() {
    const began = performance.now();
    this.begin();
    const late = setTimeout(() => this.child.kill('SIGKILL'), READY_WITHIN);
    try {
      for await (const line of createInterface({ input: this.child.stdout })) {
        const said = line.startsWith('{') ? JSON.parse(line) : {};
        if (!said.ready) continue;
        this.ca = readFileSync(said.authority);
        return performance.now() - began;
      }
    } finally {
      clearTimeout(late);
    }
    throw new Error(`the server did not start: ${readFileSync(join(this.folder, 'keyfob.log'), 'utf8').slice(-3000)}`);
  }

  /// `kill -9`: nothing is finished, nothing is flushed.
  async kill() {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  async stop() {
    this.child.kill('SIGTERM');
    await this.ended;
  }
}

/// Ports nobody listens on now.
export async function freePorts(count) {
  const held = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(held.map((server) => server.listening || new Promise((on) => server.once('listening', on))));
  const ports = held.map((server) => server.address().port);
  await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

/// The embedded store as the killed process left it, before anybody repairs anything.
export class Left {
  constructor(server) {
    this.file = join(server.data, 'keyfob.db');
    this.copy = join(server.folder, 'left.db');
  }

  /// Asks a copy, file and log, so that the next start finds everything as it was left.
  ask(question) {
    return this.of(this.file, question);
  }

  /// The same of another file.
  of(file, question) {
    for (const tail of ['', '-wal', '-shm']) rmSync(this.copy + tail, { force: true });
    copyFileSync(file, this.copy);
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${this.copy}-wal`);
    return sqlite(this.copy, question);
  }

  /// What of it can be told without knowing what was asked: the file is whole, the log has no gap,
  /// no title is without a bond, and the table of raises agrees with the records.
  look() {
    return this.ask(`SELECT
      (SELECT integrity_check FROM pragma_integrity_check) AS integrity,
      (SELECT count(*) FROM event) AS events, (SELECT ifnull(max(number), 0) FROM event) AS last, (SELECT number FROM head) AS head,
      (SELECT count(*) FROM asset WHERE closed_at IS NULL AND NOT EXISTS
        (SELECT 1 FROM bond WHERE target = asset.id AND state <> 'ended')) AS orphans,
      (SELECT count(*) FROM raised JOIN bond ON bond.id = raised.id WHERE raised.kind = 'b' AND bond.epoch <> raised.epoch) AS epochs`)[0];
  }

  /// Changes the store itself: only to see that it is noticed.
  spoil(statement) {
    return sqlite(this.file, `${statement}; SELECT changes() AS changed;`);
  }
}

function sqlite(file, text) {
  const said = execFileSync('sqlite3', ['-json', '-cmd', '.timeout 5000', file, text], { encoding: 'utf8' });
  return said.trim() === '' ? [] : said.trim().split(/\n(?=\[)/).flatMap((part) => JSON.parse(part));
}
