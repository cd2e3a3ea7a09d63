// Whether two kinds of refusal take the same time: pairs in random order over one kept connection,
// and a statistic that a few slow answers do not move.

import { randomBytes, randomInt } from 'node:crypto';
import { Agent, request } from 'node:https';

import { basicOf, CALLBACK, codeFlow } from './app.mjs';
import { EXCHANGE, jwtOf, Speaker, thumbprint } from './speaker.mjs';
import { send } from './wire.mjs';

const form = (fields) => new URLSearchParams(fields).toString();
const secret = () => randomBytes(18).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);

/// One connection, kept, on which answers are timed.
class Clocked {
  constructor(ca) {
    this.agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  }

  /// Posts and reads the whole answer: its status, text and time in microseconds.
  post(url, body, headers = {}) {
    const given = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const asked = request(url, { method: 'POST', agent: this.agent, headers: { ...given, ...headers } });
      let began;
      asked.on('error', reject);
      asked.on('response', (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => {
          const micros = Number(process.hrtime.bigint() - began) / 1000;
          resolve({ status: answer.statusCode, text: Buffer.concat(parts).toString(), micros });
        });
      });
      began = process.hrtime.bigint();
      asked.end(body);
    });
  }

  close() {
    this.agent.destroy();
  }
}

/// The classes: what two kinds of trying must not be told apart by their time. Each gives one try of
/// either kind; `between` is done before a pair, unmeasured. `guessable` are those whose names somebody
/// can guess: addresses of people, serial numbers. The server must believe `X-Forwarded-For` from here:
/// brakes count by address.
export async function timingClasses(server, registry, visitorOf) {
  return [
    await passwords(server, visitorOf),
    await clients(server, registry),
    await assertions(server, registry),
    await callHomes(server, registry),
    await registrations(server, registry, visitorOf),
  ];
}

/// Another address for each try, so that no brake decides.
const elsewhere = () => ({ 'x-forwarded-for': `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}` });

async function passwords(server, visitorOf) {
  const { person, visitor } = await visitorOf();
  await visitor.submit(await visitor.get('/signout'), '/signout');
  const { fields } = (await visitor.get('/signin')).forms.find((it) => it.action === '/signin');
  const cookie = [...visitor.cookies].map((pair) => pair.join('=')).join('; ');
  const headers = () => ({ cookie, origin: server.issuer, 'sec-fetch-site': 'same-origin', ...elsewhere() });
  const signIn = (clock, email, password) => clock.post(`${server.issuer}/signin`, form({ ...fields, email, password }), headers());
  let tries = 0;
  return {
    name: 'sign_in',
    says: 'unknown person, wrong password',
    guessable: true,
    status: 422,
    async between(clock) {
      // The right one loosens the brake of the account.
      tries += 1;
      if (tries % 5 === 0) await signIn(clock, person.email, person.password);
    },
    unknown: (clock) => signIn(clock, `${secret().toLowerCase()}@example.com`, secret()),
    known: (clock) => signIn(clock, person.email, secret()),
  };
}

async function clients(server, registry) {
  const made = await registry.post('/clients', {
    client_name: 'Timed',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    scope: 'telemetry:read',
    audiences: ['https://api.example.com'],
  });
  const token = (clock, id) => {
    const authorization = basicOf({ client_id: id, client_secret: secret() });
    return clock.post(`${server.issuer}/token`, form({ grant_type: 'client_credentials' }), { authorization });
  };
  return {
    name: 'client_secret',
    says: 'unknown client, wrong secret',
    status: 401,
    unknown: (clock) => token(clock, another(made.client_id)),
    known: (clock) => token(clock, made.client_id),
  };
}

async function device(registry, serial) {
  const model = `timed-${serial}`;
  await registry.post('/products', { model, name: 'Timed', scopes: [], audiences: [] });
  const speaker = new Speaker({ model, serial });
  const { id } = await registry.post('/devices', { model, serial, name: 'Timed', jwk: speaker.jwk });
  return { id, speaker, stranger: new Speaker({ model, serial }) };
}

async function assertions(server, registry) {
  const { id, stranger } = await device(registry, 'A-1');
  const token = (clock, did) => {
    const claims = { iss: did, sub: did, aud: server.issuer, jti: secret(), iat: now(), exp: now() + 60 };
    const body = form({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: jwtOf({ typ: 'client-authentication+jwt' }, claims, stranger.key),
    });
    return clock.post(`${server.issuer}/token`, body);
  };
  return {
    name: 'device_assertion',
    says: 'unknown device, wrong key',
    status: 401,
    unknown: (clock) => token(clock, another(id)),
    known: (clock) => token(clock, id),
  };
}

/// An id of the same form that nobody has: chance is in its middle.
function another(id) {
  const letters = [...id];
  const at = letters.length - 8;
  [letters[at], letters[at + 1]] = letters[at] === letters[at + 1] ? ['0', '1'] : [letters[at + 1], letters[at]];
  return letters.join('');
}

async function callHomes(server, registry) {
  const { id, speaker, stranger } = await device(registry, 'H-1');
  const other = new Speaker({ model: speaker.model, serial: speaker.serial });
  let nonces = [];
  const call = (clock, kid) => {
    const claims = { iss: id, aud: server.issuer, nonce: nonces.pop(), iat: now(), serial_number: speaker.serial };
    const proof = jwtOf({ typ: 'callhome+jwt', kid }, claims, stranger.key);
    const body = JSON.stringify({ proof, model: speaker.model });
    return clock.post(`${server.devicesUrl}/device/session`, body, { 'content-type': 'application/json', ...elsewhere() });
  };
  const challenge = () => send(`${server.devicesUrl}/device/challenge`, { method: 'POST', ca: server.ca, headers: elsewhere() });
  return {
    name: 'call_home',
    says: 'unknown key, wrong signature by a known one',
    status: 401,
    async between() {
      nonces = (await Promise.all([challenge(), challenge()])).map((answer) => answer.json().challenge);
    },
    unknown: (clock) => call(clock, thumbprint(other.jwk)),
    known: (clock) => call(clock, thumbprint(speaker.jwk)),
  };
}

/// An app of a customer's that tries serial numbers.
async function registrations(server, registry, visitorOf) {
  const { speaker } = await device(registry, 'R-1');
  const { visitor } = await visitorOf();
  const app = await registry.post('/clients', {
    client_name: 'Timed app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', EXCHANGE],
    redirect_uris: [CALLBACK],
    scope: 'openid device:register',
    audiences: ['https://ingest.example.com'],
    rights: { asset_tokens: true },
  });
  const { access_token: subject } = await codeFlow(visitor, app, 'openid device:register');
  const exchange = (clock, serial) => {
    const stranger = new Speaker({ model: speaker.model, serial });
    const fields = stranger.exchange(server.issuer, subject, { audience: 'https://ingest.example.com' });
    return clock.post(`${server.issuer}/token`, form(fields), { authorization: basicOf(app) });
  };
  return {
    name: 'registration',
    says: 'unknown device, a device of the registry by a wrong key',
    guessable: true,
    status: 400,
    unknown: (clock) => exchange(clock, `R-${randomInt(2, 1_000_000)}`),
    known: (clock) => exchange(clock, 'R-1'),
  };
}

/// Measures a class: as many pairs, in either order.
export async function measure(timed, server, pairs) {
  const clock = new Clocked(server.ca);
  const times = { unknown: [], known: [] };
  const texts = new Set();
  try {
    for (let pair = -WARM_UP; pair < pairs; pair += 1) {
      await timed.between?.(clock);
      for (const kind of randomInt(2) === 0 ? ['unknown', 'known'] : ['known', 'unknown']) {
        const { status, text, micros } = await timed[kind](clock);
        if (status !== timed.status) throw new Error(`${timed.name}, ${kind}: ${status} ${text.slice(0, 300)}`);
        if (text.startsWith('{')) texts.add(text);
        if (pair >= 0) times[kind].push(micros);
      }
    }
  } finally {
    clock.close();
  }
  if (texts.size > 1) throw new Error(`${timed.name}: the words differ: ${[...texts].join(' ')}`);
  return compare(times.unknown, times.known);
}

/// Before the first pair that counts.
const WARM_UP = 3;

/// Medians, their difference, and how often an answer of one kind was slower than one of the other
/// (Mann-Whitney): 0.5 tells nothing, 0 and 1 tell everything.
export function compare(unknown, known) {
  const [one, other] = [unknown, known].map(median);
  let slower = 0;
  for (const a of unknown) for (const b of known) slower += a > b ? 1 : a === b ? 0.5 : 0;
  return {
    pairs: unknown.length,
    unknown_us: Math.round(one),
    known_us: Math.round(other),
    difference_us: Math.round(one - other),
    ratio: Number((Math.max(one, other) / Math.min(one, other)).toFixed(3)),
    slower: Number((slower / (unknown.length * known.length)).toFixed(3)),
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
