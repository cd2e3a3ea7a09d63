// The crash harness: starts the server, loads it from several clients at once, kills it without
// warning, starts it again, and holds what the clients were told against what is there. Again and
// again. `cargo xtask crash [ROUNDS] [--store sqlite|postgres] [--seed N] [--moments]`.
//
// Owns: rounds, moments of death, the log as a whole. Does not own: single deeds (deeds.mjs).

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { Chance } from './chance.mjs';
import { Broken, DEEDS } from './deeds.mjs';
import { House, No } from './house.mjs';
import { aim } from './moments.mjs';
import { Postgres } from './postgres.mjs';
import { freePorts, Left, Server } from './server.mjs';
import { SPOILT, Spoiler } from './spoiler.mjs';

const CLIENTS = 6;
const PEOPLE = 3;
const LOAD_AT_MOST = 4_000;
const ANNOUNCED_WITHIN = 3_000;
/// Of everything that may never work again, so many are tried in each round.
const TRIED_AGAIN = 4;
/// The whole log is read from its beginning every so many rounds, and at the end.
const WHOLE_LOG = 20;

function optionsOf(words) {
  const value = (name) => (words.includes(name) ? words[words.indexOf(name) + 1] : undefined);
  const rounds = Number(words.find((word, at) => /^\d+$/.test(word) && words[at - 1] !== '--seed') ?? 100);
  const seed = Number(value('--seed') ?? Math.floor(Math.random() * 2 ** 31));
  const store = value('--store') ?? 'sqlite';
  if (!['sqlite', 'postgres'].includes(store)) throw new Error(`--store is sqlite or postgres, not ${store}`);
  return { rounds, seed, store, spoilt: words.includes('--spoilt'), moments: words.includes('--moments') };
}

/// The check of the check: what is spoilt on purpose must be noticed.
async function checkTheCheck() {
  for (const [name, { told }] of Object.entries(SPOILT)) {
    const spoiler = new Spoiler(name);
    const noticed = await run({ rounds: 6, seed: 7, spoiler, quiet: true }).then(() => undefined, (error) => error);
    if (!(noticed instanceof Broken) || !told.test(noticed.message)) throw noticed ?? new Error(`${name}: nobody noticed`);
    console.log(`${name.padEnd(12)} noticed: ${noticed.message}`);
  }
}

async function run({ rounds, seed, store, spoiler, quiet }) {
  const tell = quiet ? () => {} : (line) => console.log(line);
  const folder = mkdtempSync(join(process.env.KEYFOB_TARGET, 'crash-'));
  chmodSync(folder, 0o755);
  const [port, ...ports] = await freePorts(4);
  const postgres = store === 'postgres' ? new Postgres(folder, port) : undefined;
  const server = new Server(process.env.KEYFOB_BIN, folder, ports, postgres?.section);
  const began = performance.now();
  const sums = { asked: 0, answered: 0, starts: [], killedStarting: 0, postgres };
  try {
    await postgres?.start();
    await server.start();
    const house = new House(server);
    house.numbersLate = Boolean(postgres);
    await house.furnish(PEOPLE);
    const memory = { items: [], spent: [], owned: [], families: [], log: new Log() };
    for (let round = 1; round <= rounds; round += 1) {
      try {
        await aRound(house, memory, new Chance(seed + round), sums, spoiler);
        await check(house, memory, new Chance(seed - round), round % WHOLE_LOG === 0 || round === rounds);
      } catch (error) {
        error.message = `round ${round}, seed ${seed}: ${error.message}`;
        throw error;
      }
      if (round % 10 === 0 || round === rounds) tell(`round ${round} of ${rounds}: ${told(sums, memory)}`);
    }
    await server.stop();
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
    const seconds = Math.round((performance.now() - began) / 1000);
    const [first, ...starts] = sums.starts.sort((a, b) => a - b);
    tell(`${rounds} kills and ${sums.killedStarting} more while starting, nothing lost, nothing half done; ` +
      `starts ${Math.round(first)} to ${Math.round(starts.at(-1) ?? first)} ms; ${seconds} s, seed ${seed}`);
  } catch (error) {
    await server.kill().catch(() => {});
    await postgres?.stop().catch(() => {});
    if (quiet && error instanceof Broken && SPOILT[spoiler.name].told.test(error.message)) rmSync(folder, { recursive: true, force: true });
    else console.error(`crash: the folder stays for you to look at: ${folder}`);
    throw error;
  }
}

function told(sums, memory) {
  return `${sums.answered} of ${sums.asked} deeds answered, ${memory.log.count} events, ${memory.spent.length} things spent`;
}

/// Load until the kill, then the start, which may be killed as well.
async function aRound(house, memory, chance, sums, spoiler) {
  const { server } = house;
  await house.renewCustomers();
  const load = new Load(house, memory, chance);
  const clients = Array.from({ length: CLIENTS }, () => load.run());
  clients.push(load.follow());
  await load.until(1 + chance.below(24));
  await passing(chance.below(60));
  load.dying = true;
  const both = sums.postgres && chance.below(2) === 0;
  if (both) await sums.postgres.kill();
  await server.kill();
  await Promise.all(clients);
  if (both) await sums.postgres.start();
  sums.asked += load.asked;
  sums.answered += load.answered;
  if (load.wrong) throw load.wrong;
  const left = sums.postgres ?? new Left(server);
  isWhole(left.look());
  spoiler?.spoil(left, memory);
  while (chance.below(3) === 0) {
    server.begin();
    await passing(chance.below(250));
    await server.kill();
    sums.killedStarting += 1;
  }
  sums.starts.push(await server.start());
}

const passing = (milliseconds) => new Promise((passed) => setTimeout(passed, milliseconds));

/// The clients of one round.
class Load {
  constructor(house, memory, chance) {
    Object.assign(this, { house, memory, chance, asked: 0, answered: 0, dying: false, wrong: undefined });
    const deeds = Object.entries(DEEDS);
    this.lots = deeds.flatMap(([name, deed]) => Array(deed.weight).fill(name));
  }

  /// One client: deed after deed until the server is gone.
  async run() {
    while (!this.dying && !this.wrong) {
      const name = this.chance.of(this.lots);
      const deed = DEEDS[name];
      let item;
      try {
        const asked = await deed.ask(this.house, this.chance, this.memory);
        if (!asked) continue;
        item = { name, asked };
        this.memory.items.push(item);
        this.asked += 1;
        const answer = await deed.run(this.house, asked);
        item.answer = answer;
        this.answered += 1;
        deed.done?.(asked, answer, this.memory);
        if (this.answered >= this.enough || this.wrong) this.reached?.();
      } catch (error) {
        // No answer is none, whatever the server did; what dies says anything.
        if (this.dying) return;
        // A refusal is an answer, and a wrong one.
        if (error instanceof No && error.status !== 429) this.wrong ??= new Broken(`${name} was refused under load: ${error.message}`);
        else if (!gone(error)) this.wrong ??= error;
        else this.wrong ??= new Error(`the server went away by itself: ${error.message}`);
        if (!(error instanceof No)) return;
      }
    }
  }

  /// Resolves once so many deeds were answered, on a slow machine after some seconds.
  until(answered) {
    this.enough = answered;
    return Promise.race([new Promise((reached) => (this.reached = reached)), passing(LOAD_AT_MOST)]);
  }

  /// One who follows the log while it grows: what was seen once stays.
  async follow() {
    try {
      while (!this.dying) this.memory.log.seen(await this.house.events(this.memory.log.cursor, 200));
    } catch (error) {
      if (error instanceof Broken) this.wrong ??= error;
    }
  }
}

const gone = (error) => ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT'].includes(error.code) || /hang up|aborted|closed|disconnected/.test(error.message);

/// The log as it was seen: each event once, in order, without a gap.
class Log {
  constructor() {
    this.ids = [];
    this.told = new Set();
    this.cursor = undefined;
  }

  get count() {
    return this.ids.length;
  }

  seen(page) {
    for (const event of page.events) this.#next(event);
    this.cursor = page.cursor;
    return page;
  }

  #next(event) {
    const number = Number(event.sequence);
    if (number !== this.ids.length + 1) throw new Broken(`event ${number} came after ${this.ids.length}`);
    this.ids.push(event.id);
    const once = `${event.type} ${event.subject}`;
    if (ONCE.has(event.type) && this.told.has(once)) throw new Broken(`${once} was announced twice`);
    this.told.add(once);
  }

  /// Reads on to the head.
  async readOn(house) {
    for (;;) {
      const page = this.seen(await house.events(this.cursor));
      if (page.cursor === page.head) return;
    }
  }

  /// Reads all again: the same events in the same places.
  async readAll(house) {
    const again = new Log();
    await again.readOn(house);
    const differs = this.ids.findIndex((id, at) => again.ids[at] !== id);
    if (differs >= 0) throw new Broken(`event ${differs + 1} is another than it was`);
  }
}

const ONCE = new Set(['device.provisioned', 'asset.registered', 'asset.released', 'bond.created', 'bond.ended', 'account.created', 'client.created']);

/// What was left must be whole in itself.
function isWhole(found) {
  if (found.integrity !== 'ok') throw new Broken(`the file is broken: ${found.integrity}`);
  if (found.events !== found.last || found.last !== found.head) throw new Broken(`the log has a gap: ${JSON.stringify(found)}`);
  if (found.orphans + found.epochs > 0) throw new Broken(`a commit is half there: ${JSON.stringify(found)}`);
}

/// Everything asked since the last kill, some of what was spent before, and the log.
async function check(house, memory, chance, wholeLog) {
  const items = memory.items.splice(0);
  const expected = [];
  // Families whose last request has no answer are settled first: a lost reply is only kept for seconds.
  items.sort((a, b) => (b.name === 'refresh') - (a.name === 'refresh'));
  const queue = [...items];
  const spent = [];
  const worker = async () => {
    for (let item = queue.shift(); item; item = queue.shift()) {
      const { name, asked, answer } = item;
      try {
        expected.push(...(await DEEDS[name].check(house, asked, answer, spent)));
      } catch (error) {
        error.message = `${name}: ${error.message}`;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, worker));
  await checkFamilies(house, memory, chance);
  for (let times = 0; times < TRIED_AGAIN && memory.spent.length > 0; times += 1) {
    const [what, holds] = chance.of(memory.spent);
    if (!(await holds())) throw new Broken(`${what} of an earlier round works again`);
  }
  memory.spent.push(...spent);
  const missing = () => expected.find(([type, subject]) => !memory.log.told.has(`${type} ${subject}`));
  // Where numbers are given after the commit, an event may be some rounds of the log late.
  for (const deadline = Date.now() + ANNOUNCED_WITHIN; ; ) {
    await memory.log.readOn(house);
    if (!missing() || !house.numbersLate || Date.now() > deadline) break;
  }
  const silent = missing();
  if (silent) throw new Broken(`${silent.join(' ')} was never announced`);
  if (wholeLog) await memory.log.readAll(house);
}

/// A family goes on by its last token; one that was replayed is over and stays so.
async function checkFamilies(house, memory, chance) {
  const free = memory.families.filter((family) => !family.busy && !family.dead);
  if (free.length === 0) return;
  const [goesOn, replayed] = [chance.of(free), chance.of(free)];
  const told = await house.refresh(goesOn.token).catch((no) => {
    throw new Broken(`a family does not go on after the crash: ${no.message}`);
  });
  goesOn.spent.push(goesOn.token);
  goesOn.token = told.refresh_token;
  if (replayed === goesOn || replayed.spent.length < 2) return;
  const works = (token) => house.refresh(token).then(() => true, () => false);
  if (await works(replayed.spent[0])) throw new Broken('a spent refresh token worked');
  if (await works(replayed.token)) throw new Broken('a family outlived the replay of its token');
  replayed.dead = true;
  memory.spent.push(['a family that was ended', async () => !(await works(replayed.token))]);
}

const options = optionsOf(process.argv.slice(2));

try {
  if (options.spoilt) await checkTheCheck();
  else if (options.moments) await aim(options);
  else await run(options);
} catch (error) {
  console.error(`crash: ${error instanceof Broken ? error.message : error.stack}`);
  process.exitCode = 1;
}
