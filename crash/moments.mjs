// Kills aimed at what runs seldom, and must be whole before or whole after: a migration, the round
// in which things are forgotten, a backup, a restore.
//
// Owns: how each is brought about, and what it must have left. Does not own: processes (server.mjs).

import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { Chance } from './chance.mjs';
import { Broken } from './deeds.mjs';
import { House } from './house.mjs';
import { Postgres } from './postgres.mjs';
import { freePorts, Left, Server } from './server.mjs';

const KEPT = new URL('../store-sqlite/tests/kept/0001/', import.meta.url).pathname;
const DEVICES = 1_500;
const DAY = 86_400;

const passing = (milliseconds) => new Promise((passed) => setTimeout(passed, milliseconds));

function must(holds, what) {
  if (!holds) throw new Broken(what);
}

/// A command of the program, which may be killed; its exit code, nothing where it was.
class Command {
  constructor(server, words) {
    const all = [...words, '--json', '--config', server.config, '--data', server.data];
    const log = openSync(join(server.folder, 'keyfob.log'), 'a');
    this.child = spawn(server.program, all, { stdio: ['ignore', log, log] });
    this.ended = new Promise((ended) => this.child.once('exit', ended));
  }

  kill() {
    this.child.kill('SIGKILL');
    return this.ended;
  }
}

async function succeeds(server, words) {
  const began = performance.now();
  const code = await new Command(server, words).ended;
  must(code === 0, `keyfob ${words[0]} ended with ${code}: ${readFileSync(join(server.folder, 'keyfob.log'), 'utf8').slice(-2000)}`);
  return performance.now() - began;
}

function empty(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
}

/// A start that migrates the store of the first release, grown so that it takes a while.
class Migration {
  constructor({ server }) {
    this.server = server;
    this.old = join(server.folder, 'old.db');
    const grown = `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${DEVICES})`;
    const text = `${readFileSync(join(KEPT, 'store.sql'), 'utf8')}
      INSERT INTO device (id, body) ${grown}
        SELECT printf('dev_%020d', n), json_remove(json_set(body, '$.serial', 'OLD-' || n), '$.mac') FROM n,
        (SELECT body FROM device ORDER BY id LIMIT 1);
      INSERT INTO event ${grown} SELECT number + n, 'evt_' || substr(generation, 1, 10) || (number + n), 'device.provisioned',
        printf('dev_%020d', n), time, 0, '{}' FROM n, head;
      UPDATE head SET number = number + ${DEVICES};`;
    execFileSync('sqlite3', [this.old], { input: text });
    this.before = this.#facts();
  }

  /// What every layout must hold alike.
  #facts() {
    const [facts] = new Left(this.server).of(this.old, `SELECT (SELECT count(*) FROM device) AS devices, (SELECT count(*) FROM event) AS events,
      (SELECT number FROM head) AS head, (SELECT count(*) FROM bond) AS bonds, (SELECT count(*) FROM raised) AS raised`);
    return facts;
  }

  lie() {
    empty(this.server.data);
    copyFileSync(this.old, join(this.server.data, 'keyfob.db'));
    copyFileSync(join(KEPT, 'master.key'), join(this.server.data, 'master.key'));
    chmodSync(join(this.server.data, 'master.key'), 0o600);
  }

  begin() {
    this.server.begin();
  }

  kill() {
    return this.server.kill();
  }

  /// Every step is there or not; nothing of one is.
  look() {
    const [left] = new Left(this.server).ask(`SELECT (SELECT integrity_check FROM pragma_integrity_check) AS integrity,
      (SELECT user_version FROM pragma_user_version) AS layout,
      (SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('device_1', 'event_1', 'credential_1')) AS halves,
      (SELECT count(*) FROM sqlite_schema WHERE name = 'word') AS second,
      (SELECT count(*) FROM sqlite_schema WHERE name = 'tenant_secret') AS third,
      (SELECT count(*) FROM device) AS devices, (SELECT count(*) FROM event WHERE number <= ${this.before.head}) AS events`);
    must(left.integrity === 'ok' && left.halves === 0, `a migration is half there: ${JSON.stringify(left)}`);
    const { devices, events } = this.before;
    must(left.devices === devices && left.events === events, `a migration lost rows: ${JSON.stringify(left)}`);
    must(left.second === Number(left.layout >= 2) && left.third === Number(left.layout >= 3), `no layout: ${JSON.stringify(left)}`);
    return `layout ${left.layout}`;
  }

  async goOn() {
    await this.server.start();
    const registry = new House(this.server).registry;
    for (const number of [1, DEVICES]) {
      const found = (await registry.get(`/devices?serial=OLD-${number}`)).items;
      must(found.length === 1, `device ${number} of the old store is lost`);
    }
    await this.server.stop();
    must(this.look() === 'layout 3', 'the store is not of the newest layout');
  }
}

/// The first start on an empty database, which makes its tables; the database is killed as well.
class FirstStart {
  constructor({ server, postgres }) {
    Object.assign(this, { server, postgres });
    empty(server.data);
  }

  lie() {
    this.postgres.psql('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  }

  begin() {
    this.server.begin();
  }

  async kill(chance) {
    const both = chance.below(2) === 0;
    if (both) await this.postgres.kill();
    await this.server.kill();
    if (both) await this.postgres.start();
  }

  look() {
    const count = (where) => Number(this.postgres.psql(`SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND ${where}`));
    const tables = count('true');
    if (tables === 0) return 'nothing yet';
    must(count("tablename = 'layout'") === 1, `${tables} tables, and none says of which layout`);
    const layout = Number(this.postgres.psql('SELECT coalesce(max(number), -1) FROM layout'));
    must(layout >= 0, 'the table of the layout is empty');
    must((layout === 0) === (tables === 1), `layout ${layout} has ${tables} tables`);
    must(layout === 0 || this.postgres.psql('SELECT count(*) FROM head') === '1', 'the database has no one head');
    must(count("tablename = 'tenant_secret'") === Number(layout >= 3), `layout ${layout} is half there`);
    return `layout ${layout}`;
  }

  async goOn() {
    await this.server.start();
    const registry = new House(this.server).registry;
    await registry.post('/products', { model: 'first', name: 'First' });
    await registry.post('/devices', { model: 'first', serial: 'F-1' });
    await this.server.stop();
    must(this.look() === 'layout 3', 'the database is not of the newest layout');
  }
}

/// The round in which a store forgets: raises, answers that were kept. Its rows are aged, for nobody
/// waits a month; the embedded store begins the round with the first token after that.
class Forgetting {
  constructor({ server }) {
    this.server = server;
    this.house = new House(server);
    this.made = 0;
  }

  async furnish() {
    empty(this.server.data);
    await this.server.start();
    await this.house.furnish(0);
    await this.server.stop();
  }

  async lie() {
    await this.server.start();
    for (let number = 0; number < 20; number += 1) {
      await this.house.revoke(await this.house.serviceToken());
      this.made += 1;
      await this.house.provision({ key: `forgotten-${this.made}`, serial: `F-${this.made}` });
    }
    await this.server.stop();
    new Left(this.server).spoil(`UPDATE raised SET at = at - ${40 * DAY}, token_expires = token_expires - ${40 * DAY};
      UPDATE idempotent SET until = until - ${40 * DAY}; UPDATE head SET time = time - 300`);
    this.before = this.#facts();
    must(this.before.raised >= 20 && this.before.kept >= 20, `there is nothing to forget: ${JSON.stringify(this.before)}`);
    await this.server.start();
  }

  #facts() {
    return new Left(this.server).ask(`SELECT (SELECT integrity_check FROM pragma_integrity_check) AS integrity,
      (SELECT count(*) FROM raised WHERE kind = 'j') AS raised, (SELECT count(*) FROM idempotent) AS kept,
      (SELECT horizon FROM head) AS horizon, (SELECT max(at) FROM raised WHERE kind = 'j') AS last`)[0];
  }

  begin() {
    this.house.serviceToken().catch(() => undefined);
  }

  kill() {
    return this.server.kill();
  }

  look() {
    const left = this.#facts();
    const [all, none] = [left.raised === this.before.raised, left.raised === 0];
    must(left.integrity === 'ok' && (all || none), `a round of forgetting is half there: ${JSON.stringify([this.before, left])}`);
    must(left.kept === (all ? this.before.kept : 0), `raises and answers are not forgotten together: ${JSON.stringify(left)}`);
    const horizon = all ? this.before.horizon : this.before.last;
    must(left.horizon === horizon, `the horizon is ${left.horizon}, not ${horizon}`);
    return all ? 'not forgotten' : 'forgotten';
  }

  async goOn() {
    if (this.look() === 'not forgotten') new Left(this.server).spoil('UPDATE head SET time = time - 300');
    await this.server.start();
    must(await this.house.introspect(await this.house.serviceToken()), 'a fresh token is dead');
    await this.server.stop();
    must(this.look() === 'forgotten', 'the round was not made up for');
  }
}

/// A store with some thousand devices, and how many are in it.
async function stocked(server) {
  empty(server.data);
  await server.start();
  const house = new House(server);
  await house.furnish(0);
  const made = await house.import(house.file(DEVICES));
  must(made.created === DEVICES, `the import made ${made.created}`);
}

/// `keyfob backup`, killed, or the server under it.
class Backing {
  constructor({ server }) {
    this.server = server;
    this.file = join(server.folder, 'backup.jsonl');
  }

  furnish() {
    return stocked(this.server);
  }

  lie() {
    rmSync(this.file, { force: true });
  }

  begin() {
    this.command = new Command(this.server, ['backup', this.file]);
  }

  async kill(chance) {
    this.half = chance.below(2) === 0;
    if (!this.half) return this.command.kill();
    await this.server.kill();
    await this.command.ended;
  }

  /// What bears the name is whole: it has the last line that says so.
  look() {
    if (!existsSync(this.file)) return 'none';
    const lines = readFileSync(this.file, 'utf8').trimEnd().split('\n');
    must(lines.filter((line) => line.includes('"F-') || line.includes('I-')).length >= DEVICES, 'a backup that is not whole bears its name');
    return 'whole';
  }

  async goOn() {
    if (this.half) await this.server.start();
    // What was begun and not ended stands in nobody's way.
    if (!existsSync(this.file)) await succeeds(this.server, ['backup', this.file]);
    must(this.look() === 'whole', 'no backup');
  }

  async end() {
    await this.server.stop();
  }
}

/// `keyfob restore`, killed, or the database under it.
class Restoring {
  constructor({ server, postgres }) {
    Object.assign(this, { source: server, postgres });
    this.file = join(server.folder, 'backup.jsonl');
    this.key = join(server.folder, 'master.key');
    this.server = server;
  }

  async furnish() {
    await stocked(this.source);
    rmSync(this.file, { force: true });
    await succeeds(this.source, ['backup', this.file]);
    await this.source.stop();
    copyFileSync(join(this.source.data, 'master.key'), this.key);
    chmodSync(this.key, 0o600);
  }

  lie() {
    empty(this.server.data);
    this.postgres?.psql('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  }

  get #words() {
    return ['restore', this.file, '--master-key', this.key, '--accept-lost-revocations'];
  }

  begin() {
    this.command = new Command(this.server, this.#words);
  }

  async kill(chance) {
    const both = this.postgres && chance.below(2) === 0;
    if (both) await this.postgres.kill();
    await this.command.kill();
    if (both) await this.postgres.start();
  }

  look() {
    const devices = this.postgres ? this.#inDatabase() : this.#inFile();
    must(devices === 0 || devices === DEVICES, `a restored store has ${devices} of ${DEVICES} devices`);
    return devices === 0 ? 'nothing' : 'whole';
  }

  #inFile() {
    if (!existsSync(join(this.server.data, 'keyfob.db'))) return 0;
    const [left] = new Left(this.server).ask(`SELECT (SELECT integrity_check FROM pragma_integrity_check) AS integrity,
      (SELECT count(*) FROM device) AS devices`);
    must(left.integrity === 'ok' && left.devices > 0, `a restored store is half there: ${JSON.stringify(left)}`);
    return left.devices;
  }

  #inDatabase() {
    const made = this.postgres.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = 'device'");
    return made === '0' ? 0 : Number(this.postgres.psql('SELECT count(*) FROM device'));
  }

  async goOn() {
    const code = await new Command(this.server, this.#words).ended;
    must(this.look() === 'whole' && [0, 4].includes(code), `restoring again ended with ${code}`);
    await this.server.start();
    const found = (await new House(this.server).registry.get('/devices?limit=1')).items;
    must(found.length === 1, 'the restored store answers nothing');
    await this.server.stop();
  }
}

const OF = {
  sqlite: { migration: Migration, forgetting: Forgetting, backup: Backing, restore: Restoring },
  postgres: { migration: FirstStart, backup: Backing, restore: Restoring },
};

/// How long it takes when nobody is in its way, milliseconds.
async function undisturbed(moment) {
  await moment.lie();
  const began = performance.now();
  moment.begin();
  await (moment.command ? moment.command.ended : isReady(moment));
  const took = performance.now() - began;
  if (!moment.command) await moment.server.kill();
  return took;
}

/// A server that migrates answers when it is done; forgetting takes a moment.
async function isReady(moment) {
  if (moment instanceof Forgetting) return passing(60);
  for await (const line of moment.server.child.stdout) if (String(line).includes('"ready"')) return undefined;
  return undefined;
}

export async function aim({ rounds, seed, store }) {
  for (const [name, Moment] of Object.entries(OF[store])) {
    const folder = mkdtempSync(join(process.env.KEYFOB_TARGET, 'crash-'));
    chmodSync(folder, 0o755);
    const [port, ...ports] = await freePorts(4);
    const postgres = store === 'postgres' ? new Postgres(folder, port) : undefined;
    const server = new Server(process.env.KEYFOB_BIN, folder, ports, postgres?.section);
    const began = performance.now();
    try {
      await postgres?.start();
      const moment = new Moment({ server, postgres });
      await moment.furnish?.();
      const took = await undisturbed(moment);
      if (moment instanceof Forgetting || moment.look() !== 'none') await moment.goOn();
      const found = {};
      for (let round = 1; round <= rounds; round += 1) {
        const chance = new Chance(seed + round);
        try {
          await moment.lie();
          moment.begin();
          await passing(chance.below(Math.ceil(took * 1.1)));
          await moment.kill(chance);
          const left = moment.look();
          found[left] = (found[left] ?? 0) + 1;
          await moment.goOn();
        } catch (error) {
          error.message = `${name}, round ${round}, seed ${seed}: ${error.message}`;
          throw error;
        }
      }
      await moment.end?.();
      await postgres?.stop();
      rmSync(folder, { recursive: true, force: true });
      const told = Object.entries(found).map(([left, times]) => `${times} times ${left}`).join(', ');
      console.log(`${name.padEnd(11)} takes ${Math.round(took)} ms, killed ${rounds} times in it: ${told}; ${Math.round((performance.now() - began) / 1000)} s`);
    } catch (error) {
      await server.kill?.().catch(() => {});
      await postgres?.stop().catch(() => {});
      console.error(`crash: the folder stays for you to look at: ${folder}`);
      throw error;
    }
  }
}
