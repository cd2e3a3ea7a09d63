// Servers of a benchmark: our own and others', on the server's core, each with a folder of its own.
//
// Owns: starting, stopping, what a process used. `cargo xtask bench` builds what is started and says
// where it is: KEYFOB_BIN, KEYFOB_TARGET (for folders).

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const SERVER_CORE = '0';
export const LOAD_CORE = '1';

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/// A folder for this run, and the processes that end with it.
export class Bench {
  constructor(name) {
    this.folder = mkdtempSync(join(process.env.KEYFOB_TARGET, `bench-${name}-`));
    this.processes = new Set();
  }

  /// Starts a server on its core and waits until it says that it is ready.
  async start(words, environment, log) {
    const began = performance.now();
    const child = spawn('taskset', ['-c', SERVER_CORE, ...words], {
      stdio: ['ignore', 'pipe', openSync(join(this.folder, log), 'a')],
      env: { ...process.env, ...environment },
    });
    this.processes.add(child);
    for await (const line of createInterface({ input: child.stdout })) {
      const said = line.startsWith('{') ? JSON.parse(line) : {};
      if (said.ready) return { said, process: new Running(child), ms: performance.now() - began };
    }
    throw new Error(`${words[0]} ended before it was ready:\n${this.log(log).slice(-2000)}`);
  }

  /// Stops a server and waits for its end.
  async stop({ child }) {
    this.processes.delete(child);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  log(name) {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  end() {
    for (const child of this.processes) child.kill('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/// A started process and what it used.
class Running {
  constructor(child) {
    this.child = child;
  }

  /// Seconds of processor time so far, all threads, in the program and for it in the kernel.
  cpu() {
    const fields = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }

  /// Memory that is its own, in megabytes: resident without pages of files.
  memory() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) / 1000;
  }
}

/// Our server, by the data it stands on.
export class Keyfob {
  constructor(bench, name) {
    this.bench = bench;
    this.data = join(bench.folder, name);
    this.config = join(bench.folder, `${name}.toml`);
  }

  async start() {
    if (!this.issuer) {
      const [people, devices, health] = await freePorts(3);
      this.issuer = `https://localhost:${people}`;
      writeFileSync(
        this.config,
        `[issuer]\nurl = "${this.issuer}"\ndevices_url = "https://localhost:${devices}"\n` +
          `[listeners.people]\naddress = "127.0.0.1:${people}"\n` +
          `[listeners.devices]\naddress = "127.0.0.1:${devices}"\n` +
          `[listeners.health]\naddress = "127.0.0.1:${health}"\n`,
      );
    }
    const words = [process.env.KEYFOB_BIN, 'serve', '--json', '--config', this.config, '--data', this.data];
    const { said, process: running, ms } = await this.bench.start(words, {}, 'keyfob.log');
    this.process = running;
    this.address = said.people;
    this.metrics = `http://${said.health}/metrics`;
    this.ca = readFileSync(said.authority);
    return ms;
  }

  async stop() {
    await this.bench.stop(this.process);
  }

  /// What the store counted so far: fsync groups and commits.
  async groups() {
    const text = await (await fetch(this.metrics, { headers: { connection: 'close' } })).text();
    const count = (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    return { groups: count('keyfob_store_groups_total'), commits: count('keyfob_store_commits_total') };
  }
}

export async function freePorts(count) {
  const held = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = [];
  for (const server of held) {
    await new Promise((listening) => (server.listening ? listening() : server.once('listening', listening)));
    ports.push(server.address().port);
  }
  for (const server of held) await new Promise((closed) => server.close(closed));
  return ports;
}
