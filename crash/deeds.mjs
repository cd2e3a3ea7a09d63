// What the load does, and what must hold of it after a crash: one deed after another, each with
// what was asked, what was answered, and how its traces are read.
//
// Owns: single deeds. Does not own: when the server dies, and the log as a whole.

import { randomBytes, randomUUID } from 'node:crypto';
import { No } from './house.mjs';

/// The record on the client's side and the server's state do not agree.
export class Broken extends Error {}

function must(holds, what) {
  if (!holds) throw new Broken(what);
}

const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/// Whether a request is refused; anything but a clear no or yes goes on as an error.
async function refused(request) {
  try {
    await request();
    return false;
  } catch (no) {
    if (no instanceof No && no.status >= 400 && no.status < 500 && no.status !== 429) return true;
    throw no;
  }
}

/// Sent again after a crash: the answer, or nothing where it was consumed before.
async function again(request) {
  try {
    return await request();
  } catch (no) {
    if (no instanceof No && no.status === 400) return undefined;
    throw no;
  }
}

// Each deed: `ask` says what will be asked and returns the item, `run` asks and returns the answer,
// `check` holds item and answer (undefined where none came) against the server, and returns the
// events that must stand in the log exactly once. What may never work again goes to `spent`.

const provision = {
  weight: 5,
  ask: () => ({ key: randomUUID(), serial: `P-${randomBytes(6).toString('hex')}` }),
  run: (house, item) => house.provision(item),
  async check(house, item, answer) {
    const found = await house.devices(item.serial);
    must(found.length <= 1, `${item.serial} stands ${found.length} times in the registry`);
    must(!answer || found[0]?.id === answer.id, `device ${answer?.id} was acknowledged and is lost`);
    const repeated = await house.provision(item);
    must(!found[0] || repeated.id === found[0].id, `the key of ${found[0]?.id} made another device`);
    must((await house.devices(item.serial)).length === 1, `${item.serial} was made twice`);
    return [['device.provisioned', repeated.id]];
  },
};

const files = {
  weight: 1,
  ask: (house, chance) => ({ lines: house.file(chance.of([20, 60, 200])) }),
  run: (house, item) => house.import(item.lines),
  async check(house, item, answer) {
    const { lines } = item;
    const count = lines.length;
    const samples = [lines[0], lines[count >> 1], lines[count - 1]];
    const there = (await Promise.all(samples.map((line) => house.devices(line.serial)))).flat().length;
    must(there === 0 || there === samples.length, 'a batch of an import is half there');
    if (answer) {
      must(answer.created === count && there > 0, `import ${answer.id} was acknowledged and is lost`);
      must((await house.readImport(answer.id)).created === count, `import ${answer.id} is told otherwise`);
    }
    const repeated = await house.import(lines);
    const wanted = there > 0 ? [0, count] : [count, 0];
    must(repeated.created === wanted[0] && repeated.unchanged === wanted[1] && repeated.failed === 0,
      `the file of ${count} sent again: ${JSON.stringify(repeated)}`);
    const devices = (await Promise.all(samples.map((line) => house.devices(line.serial)))).flat();
    return devices.map((device) => ['device.provisioned', device.id]);
  },
};

/// Title, bond and device stand together or not at all.
async function titleOf(house, serial) {
  const [device, second] = await house.devices(serial);
  must(!second, `${serial} stands twice in the registry`);
  if (!device) return undefined;
  const titles = await house.assetsOf(device.id);
  const bonds = (await Promise.all(titles.map((title) => house.bondsOn(title.id)))).flat();
  // These are two readings, and another item may have ended the bond between them.
  const still = await house.assetsOf(device.id);
  if (JSON.stringify(still) !== JSON.stringify(titles)) return titleOf(house, serial);
  const open = titles.filter((title) => !title.closed_at);
  must(open.length <= 1, `${device.id} has ${open.length} open titles`);
  const live = bonds.filter((bond) => bond.state !== 'ended');
  must((open.length === 1) === (live.length > 0), `${device.id}: ${open.length} open titles, ${live.length} live bonds`);
  return { device, titles, open: open[0], bonds, live: live[0] };
}

const register = {
  weight: 8,
  ask: (house, chance) => {
    const speaker = house.newSpeaker();
    return { serial: speaker.serial, form: house.registration(speaker, chance.of(house.visitors)) };
  },
  run: (house, item) => house.register(item.form),
  done: (item, answer, memory) => {
    const { asset_id: asset, did } = claimsOf(answer.access_token);
    memory.owned.push({ asset, did, serial: item.serial, token: answer.access_token });
  },
  async check(house, item, answer, spent) {
    const before = await titleOf(house, item.serial);
    must(!before || before.titles.length > 0, `${item.serial} was made without a title`);
    let told = answer;
    if (!told) {
      told = await again(() => house.register(item.form));
      must(!before === Boolean(told), before ? 'a registration was done twice' : 'an actor token is spent without effect');
    } else {
      must(before, `asset ${claimsOf(told.access_token).asset_id} was acknowledged and is lost`);
    }
    must(await refused(() => house.register(item.form)), 'an actor token worked twice');
    spent.push(['an actor token', () => refused(() => house.register(item.form))]);
    const { titles, device } = await titleOf(house, item.serial);
    must(titles.length === 1, `${device.id} has ${titles.length} titles`);
    if (told) {
      const claims = claimsOf(told.access_token);
      must(claims.asset_id === titles[0].id && claims.did === device.id, 'an asset token speaks of another title');
    }
    return [['asset.registered', titles[0].id]];
  },
};

const redeem = {
  weight: 4,
  ask: async (house, chance) => ({ form: await house.code(chance.of(house.visitors), 'openid offline_access') }),
  run: (house, item) => house.redeem(item.form),
  done: (item, answer, memory) => {
    item.family = { token: answer.refresh_token, spent: [] };
    memory.families.push(item.family);
  },
  async check(house, item, answer, spent) {
    // The family of an answered code goes on in the deed `refresh`; reuse of the code would end it.
    if (answer) {
      spent.push(['a code', () => {
        item.family.dead = true;
        return refused(() => house.redeem(item.form));
      }]);
      return [];
    }
    const told = await again(() => house.redeem(item.form));
    must(await refused(() => house.redeem(item.form)), 'a code worked twice');
    if (told) must(await refused(() => house.refresh(told.refresh_token)), 'a reused code left its family alive');
    return [];
  },
};

const refresh = {
  weight: 6,
  ask: (_house, chance, memory) => {
    const free = memory.families.filter((family) => !family.busy && !family.dead);
    if (free.length === 0) return undefined;
    const family = chance.of(free);
    family.busy = true;
    return { family, token: family.token, asked: Date.now() };
  },
  run: (house, item) => house.refresh(item.token),
  done: (item, answer) => {
    item.family.spent.push(item.token);
    item.family.token = answer.refresh_token;
    item.family.busy = false;
  },
  async check(house, item, answer) {
    if (answer) return [];
    // A lost reply is answered once more within ten seconds.
    const told = await again(() => house.refresh(item.token));
    must(told || Date.now() - item.asked > 9_000, 'a refresh token was spent without an answer');
    if (told) refresh.done(item, told);
    else item.family.dead = true;
    return [];
  },
};

const pair = {
  weight: 2,
  ask: async (house, chance) => {
    const speaker = house.newSpeaker();
    const device = await house.known(speaker);
    const begun = await house.beginPairing(speaker, device.id);
    await house.approve(chance.of(house.visitors), begun.user_code);
    return { speaker, serial: speaker.serial, begun };
  },
  run: (house, item) => house.poll(item.speaker, item.begun),
  async check(house, item, answer) {
    const before = await titleOf(house, item.serial);
    if (answer) {
      must(before?.open, `the pairing of ${item.serial} was acknowledged and is lost`);
      must(await refused(() => house.poll(item.speaker, item.begun)), 'a device code worked twice');
    }
    return [];
  },
};

const end = {
  weight: 3,
  ask: async (house, chance, memory) => {
    const owned = memory.owned.splice(chance.below(memory.owned.length), 1)[0];
    if (!owned) return undefined;
    const [bond] = await house.bondsOn(owned.asset);
    return { ...owned, bond: bond.id, key: randomUUID() };
  },
  run: (house, item) => house.endBond(item),
  async check(house, item, answer, spent) {
    const states = async () => {
      const [bond, asset, device] = await Promise.all([
        house.bondsOn(item.asset).then((bonds) => bonds.find((it) => it.id === item.bond)),
        house.asset(item.asset),
        house.device(item.did),
      ]);
      must(bond, `bond ${item.bond} is lost`);
      const ended = [bond.state === 'ended', Boolean(asset.closed_at), device.state !== 'active'];
      must(ended.every((it) => it === ended[0]), `the end of ${item.bond} is half done: ${ended}`);
      return ended[0];
    };
    const before = await states();
    must(before || !answer, `the end of ${item.bond} was acknowledged and is lost`);
    must((await house.introspect(item.token)) === !before, `the asset token of ${item.asset} does not follow its bond`);
    await house.endBond(item);
    must(await states(), `bond ${item.bond} does not end`);
    must((await house.introspect(item.token)) === false, `the asset token of ${item.asset} outlives its bond`);
    spent.push(['a token of an ended bond', async () => !(await house.introspect(item.token))]);
    return [['bond.ended', item.bond], ['asset.released', item.asset]];
  },
};

const revoke = {
  weight: 5,
  ask: async (house) => ({ token: await house.serviceToken() }),
  run: async (house, item) => {
    await house.revoke(item.token);
    return true;
  },
  async check(house, item, answer, spent) {
    const active = await house.introspect(item.token);
    must(!answer || !active, 'a revoked token came back');
    await house.revoke(item.token);
    must(!(await house.introspect(item.token)), 'a token cannot be revoked');
    spent.push(['a revoked token', async () => !(await house.introspect(item.token))]);
    return [];
  },
};

const token = {
  weight: 1,
  ask: () => ({}),
  run: (house) => house.serviceToken(),
  async check(house, _item, answer) {
    must(!answer || (await house.introspect(answer)), 'a token died by the crash');
    return [];
  },
};

export const DEEDS = { provision, files, register, redeem, refresh, pair, end, revoke, token };
