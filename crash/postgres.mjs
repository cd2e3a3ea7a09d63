// A PostgreSQL of its own for the harness, which is killed as well, and for others who want one: Debian's programs, a folder that
// goes with the run, a free port.
//
// Owns: the cluster's processes and how it is asked. Does not own: what must hold in it.

import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PROGRAMS = '/usr/lib/postgresql';
const ANSWERS_WITHIN = 60_000;

/// The newest that Debian keeps here.
function programs() {
  const versions = existsSync(PROGRAMS) ? readdirSync(PROGRAMS).map(Number).sort((a, b) => a - b) : [];
  const newest = versions.findLast((version) => existsSync(join(PROGRAMS, String(version), 'bin', 'initdb')));
  if (!newest) throw new Error('no PostgreSQL on this machine; install it with: cargo xtask check tools');
  return join(PROGRAMS, String(newest), 'bin');
}

const passing = (milliseconds) => new Promise((passed) => setTimeout(passed, milliseconds));

export class Postgres {
  constructor(folder, port) {
    this.programs = programs();
    this.folder = join(folder, 'postgres');
    this.data = join(this.folder, 'data');
    this.port = port;
    mkdirSync(this.folder, { mode: 0o700 });
    // It refuses root; its own user must reach its folder.
    this.asUser = process.getuid() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', '--'] : [];
    if (this.asUser.length > 0) {
      const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
      chownSync(this.folder, id('-u'), id('-g'));
      // Through it, but no look into it.
      chmodSync(folder, 0o711);
    }
    this.#run('initdb', ['--no-sync', '--encoding=UTF8', '--locale=C.UTF-8', '--auth=trust', '-U', 'keyfob', '-D', this.data]);
  }

  /// What goes into the configuration of a server that uses it.
  get section() {
    return `[store]\nurl = "postgres://keyfob@127.0.0.1:${this.port}/postgres"\n`;
  }

  #words(program, words) {
    return [...this.asUser, join(this.programs, program), ...words];
  }

  #run(program, words) {
    const [first, ...rest] = this.#words(program, words);
    return execFileSync(first, rest, { encoding: 'utf8', cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
  }

  /// Starts it and waits until it answers, also after a recovery.
  async start() {
    const settings = ['listen_addresses=127.0.0.1', 'shared_buffers=64MB', 'max_connections=60', 'log_min_messages=warning'];
    const words = ['-D', this.data, '-p', String(this.port), '-k', this.folder, ...settings.flatMap((it) => ['-c', it])];
    const [first, ...rest] = this.#words('postgres', words);
    this.child = spawn(first, rest, { cwd: this.folder, stdio: ['ignore', 'ignore', openSync(join(this.folder, '..', 'postgres.log'), 'a')] });
    this.ended = new Promise((ended) => this.child.once('exit', ended));
    const deadline = Date.now() + ANSWERS_WITHIN;
    while (Date.now() < deadline) {
      try {
        this.#run('pg_isready', ['-q', '-h', this.folder, '-p', String(this.port)]);
        return;
      } catch {
        await passing(30);
      }
    }
    throw new Error('PostgreSQL does not answer');
  }

  /// `kill -9` for all of it: what it acknowledged is in its log of writes, and nowhere else.
  async kill() {
    const pid = this.child.pid;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
    for (const victim of [pid, ...children]) {
      try {
        process.kill(victim, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
    await this.ended;
    // Its memory is shared: it starts again once the last of its children is gone.
    while (children.some((child) => existsSync(`/proc/${child}`))) await passing(5);
  }

  async stop() {
    this.child.kill('SIGINT');
    await this.ended;
  }

  /// Rows of a question, as objects.
  ask(question) {
    const text = this.psql(`SELECT coalesce(json_agg(answer), '[]') FROM (${question}) AS answer`);
    return JSON.parse(text);
  }

  psql(text) {
    const words = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-U', 'keyfob', '-d', 'postgres', '-h', this.folder];
    return this.#run('psql', [...words, '-p', String(this.port), '-c', text]).trim();
  }

  /// Everything it holds, as text.
  dump() {
    return this.#run('pg_dump', ['-U', 'keyfob', '-h', this.folder, '-p', String(this.port), 'postgres']);
  }

  /// As `Left.look` of the embedded store.
  look() {
    return this.ask(`SELECT 'ok' AS integrity,
      (SELECT count(*) FROM event) AS events, (SELECT coalesce(max(number), 0) FROM event) AS last, (SELECT number FROM head) AS head,
      (SELECT count(*) FROM asset WHERE body ->> 'closed_at' IS NULL AND NOT EXISTS
        (SELECT 1 FROM bond WHERE bond.body #>> '{target,id}' = asset.id AND bond.body ->> 'state' <> 'ended')) AS orphans,
      (SELECT count(*) FROM raised JOIN bond ON bond.id = raised.id WHERE raised.kind = 'b' AND bond.epoch <> raised.epoch) AS epochs`)[0];
  }
}
