// Secrets as they pass over the wire, and the search for them: in clear, in every common encoding,
// and in their parts.

import { createHash } from 'node:crypto';

/// Fields of forms, queries and JSON that hold a secret, whoever sends them.
const SECRET_FIELDS = new Set([
  'access_token', 'actor_token', 'assertion', 'attestationObject', 'challenge', 'client_assertion', 'clientDataJSON',
  'client_secret', 'code', 'code_verifier', 'csrf', 'current', 'device_code', 'id_token', 'password', 'proof',
  'refresh_token', 'request', 'signature', 'subject_token', 'token', 'user_code',
]);
/// Fields of requests that say what a person or an app is about, and belong in no log.
const PRIVATE_FIELDS = new Set(['email', 'nonce', 'state', 'login_hint']);
/// Shorter ones could stand anywhere by chance.
const SHORTEST = 8;

export class Secrets {
  constructor() {
    /// Text of each secret and what it was.
    this.secrets = new Map();
    this.privates = new Map();
    /// Answers that are a refusal, with the secrets that came with the request.
    this.refusals = [];
  }

  add(value, kind) {
    if (value?.length >= SHORTEST && !this.secrets.has(value)) this.secrets.set(value, kind);
  }

  addPrivate(value, kind) {
    if (value?.length >= SHORTEST) this.privates.set(value, kind);
  }

  /// Takes all secrets out of one request and its answer.
  collect({ url, headers, body, answer }) {
    const presented = new Secrets();
    presented.#fields(url.searchParams, 'query');
    const { authorization, cookie, dpop } = headers;
    const [scheme, credential] = authorization?.split(' ') ?? [];
    if (scheme === 'Basic') presented.add(decodeURIComponent(Buffer.from(credential, 'base64').toString().split(':')[1]), 'basic');
    else presented.add(credential, `authorization ${scheme}`);
    for (const pair of cookie?.split('; ') ?? []) presented.add(pair.slice(pair.indexOf('=') + 1), 'cookie');
    presented.add(dpop, 'DPoP proof');
    if (body && headers['content-type'] === 'application/x-www-form-urlencoded') {
      presented.#fields(new URLSearchParams(body), 'form');
    } else if (headers['content-type'] === 'application/json') {
      presented.#json(JSON.parse(body), 'json');
    }
    if (answer.status >= 400) {
      const sent = new Map([...presented.secrets, ...presented.privates].filter(([, kind]) => !kind.endsWith(' csrf')));
      // A page shows its form again with what the person had typed, secrets aside.
      const text = answer.text.replace(/<input[^>]*name="(?:email|user_code|username)"[^>]*>/g, '');
      this.refusals.push({ url: url.pathname, text, headers: JSON.stringify(answer.headers), sent });
    }
    for (const [value, kind] of presented.secrets) this.add(value, kind);
    for (const [value, kind] of presented.privates) this.addPrivate(value, kind);
    this.#answer(url, answer);
  }

  #answer(url, { headers, text }) {
    for (const line of headers['set-cookie'] ?? []) this.add(/^[^=]+=([^;]*)/.exec(line)[1], 'set-cookie');
    if (headers.location) this.#fields(new URL(headers.location, url).searchParams, 'location');
    this.add(headers['dpop-nonce'], 'dpop-nonce');
    if (headers['content-type']?.startsWith('application/json')) this.#json(JSON.parse(text), `answer of ${url.pathname}`);
    for (const [, tag] of text.matchAll(/<input([^>]*)>/g)) {
      const name = /name="([^"]*)"/.exec(tag)?.[1];
      if (SECRET_FIELDS.has(name)) this.add(/value="([^"]*)"/.exec(tag)?.[1], `page ${name}`);
    }
  }

  #fields(fields, where) {
    for (const [name, value] of fields) {
      if (SECRET_FIELDS.has(name)) this.add(value, `${where} ${name}`);
      if (PRIVATE_FIELDS.has(name)) this.addPrivate(value, `${where} ${name}`);
    }
  }

  #json(value, where) {
    if (Array.isArray(value)) return value.forEach((item) => this.#json(item, where));
    if (value === null || typeof value !== 'object') return undefined;
    for (const [name, inner] of Object.entries(value)) {
      if (typeof inner === 'string' && SECRET_FIELDS.has(name)) this.add(inner, `${where} ${name}`);
      else this.#json(inner, where);
    }
    return undefined;
  }

  /// Where any of the secrets stands in these bytes: what it was, and in which form.
  foundIn(bytes, { andPrivate = false } = {}) {
    const all = andPrivate ? [...this.secrets, ...this.privates] : [...this.secrets];
    return found(all, bytes);
  }
}

/// Which of these secrets stand in the bytes, in any form.
export function found(secrets, bytes) {
  const hay = Buffer.from(bytes);
  // Letters of hexadecimal digits may be large or small.
  const small = Buffer.from(hay.toString('latin1').toLowerCase(), 'latin1');
  const hits = [];
  for (const [value, kind] of secrets) {
    for (const [form, needle] of formsOf(value)) {
      if ((form === 'hex' ? small : hay).includes(needle)) hits.push(`${kind} (${form}) ${fingerprint(value)}`);
    }
  }
  return hits;
}

/// A secret as it might be written down: itself, encoded, decoded, in part.
export function formsOf(value) {
  const forms = new Map([['clear', Buffer.from(value)]]);
  const encoded = encodeURIComponent(value);
  forms.set('url', Buffer.from(encoded)).set('form', Buffer.from(new URLSearchParams([['', value]]).toString().slice(1)));
  forms.set('json', Buffer.from(JSON.stringify(value).slice(1, -1)));
  if (/^[A-Z]{4}-[A-Z]{4}$/.test(value)) forms.set('without hyphen', Buffer.from(value.replace('-', '')));
  const raws = [['', Buffer.from(value)]];
  // A token's last part is its signature, or its secret.
  const last = value.split(/[.~]/).at(-1);
  if (last !== value && last.length >= SHORTEST) {
    forms.set('last part', Buffer.from(last));
    raws.push(['last part, ', Buffer.from(last, 'base64url')]);
  } else if (/^[A-Za-z0-9_-]{22,}$/.test(value)) {
    forms.set('decoded', Buffer.from(value, 'base64url'));
  }
  for (const [of, raw] of raws) {
    if (of) forms.set(`${of}decoded`, raw);
    forms.set(`${of}hex`, Buffer.from(raw.toString('hex')));
    // Within a longer text in base64 it may begin at each of three places.
    for (let shift = 0; shift < 3; shift += 1) {
      for (const alphabet of ['base64', 'base64url']) {
        const text = Buffer.concat([Buffer.alloc(shift), raw]).toString(alphabet).replace(/=+$/, '');
        const whole = text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + raw.length) * 8) / 6));
        forms.set(`${of}${alphabet} at ${shift}`, Buffer.from(whole));
      }
    }
  }
  return [...forms].map(([form, needle]) => [form.endsWith('hex') ? 'hex' : form, needle]);
}

/// Enough to find it again, not enough to use it.
function fingerprint(value) {
  return `#${createHash('sha256').update(value).digest('hex').slice(0, 8)}, ${value.length} signs`;
}
