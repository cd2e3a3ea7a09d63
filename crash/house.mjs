// The house under load: its people, clients, models, and what each client of the load does there.
//
// Owns: one deed at a time, and how its answer is read. Does not own: what must hold afterwards.

import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { basicOf, CALLBACK } from '../interop/support/app.mjs';
import { Registry } from '../interop/support/registry.mjs';
import { EXCHANGE, Speaker } from '../interop/support/speaker.mjs';
import { Visitor } from '../interop/support/visitor.mjs';
import { send } from '../interop/support/wire.mjs';

export const INGEST = 'https://ingest.example.com';
const API = 'https://api.example.com';
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const unique = () => randomBytes(6).toString('hex');

/// An answer that came whole: the server said yes, or said no.
export class No extends Error {
  constructor(answer) {
    super(`${answer.status} ${answer.text.slice(0, 300)}`);
    this.status = answer.status;
    this.text = answer.text;
  }

  get word() {
    try {
      return JSON.parse(this.text).error ?? JSON.parse(this.text).type;
    } catch {
      return undefined;
    }
  }
}

export class House {
  constructor(server) {
    this.server = server;
    this.registry = new Registry(server.data);
  }

  /// Made once, before anything is killed.
  async furnish(people) {
    const { registry } = this;
    this.model = (await registry.post('/products', {
      model: 'crash-speaker', name: 'Speaker', self_registration: true, pair_when_registered: true,
      scopes: ['telemetry:write'], audiences: [INGEST],
    })).model;
    this.app = await registry.post('/clients', {
      client_name: 'crash app', token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['authorization_code', 'refresh_token', EXCHANGE], redirect_uris: [CALLBACK],
      scope: 'openid offline_access device:register telemetry:write', audiences: [INGEST],
      rights: { asset_tokens: true, first_party: true },
    });
    this.service = await registry.post('/clients', {
      client_name: 'crash service', token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'], scope: 'telemetry:read tokens:introspect', audiences: [API],
    });
    this.firmware = await registry.post('/clients', {
      client_name: 'crash firmware', token_endpoint_auth_method: 'none',
      grant_types: [DEVICE_CODE, 'refresh_token'], scope: 'telemetry:write', audiences: [INGEST],
      dpop_bound_access_tokens: true,
    });
    this.visitors = [];
    for (let number = 0; number < people; number += 1) {
      const visitor = new Visitor(this.server.issuer, this.server.ca);
      const person = { name: `Person ${number}`, email: `person-${number}@example.com`, password: randomBytes(15).toString('base64url') };
      await visitor.signUp(person, join(this.server.data, 'mail'));
      visitor.customer = (await this.redeem(await this.code(visitor, 'openid device:register'))).access_token;
      this.visitors.push(visitor);
    }
  }

  /// The customers' own tokens live an hour; a long run outlives them.
  async renewCustomers() {
    if (Date.now() - (this.renewed ??= Date.now()) < 1_800_000) return;
    this.renewed = Date.now();
    for (const visitor of this.visitors) {
      visitor.customer = (await this.redeem(await this.code(visitor, 'openid device:register'))).access_token;
    }
  }

  async #token(form, client) {
    const headers = client ? { authorization: basicOf(client) } : {};
    const answer = await send(`${this.server.issuer}/token`, { method: 'POST', ca: this.server.ca, headers, form });
    if (answer.status !== 200) throw new No(answer);
    return answer.json();
  }

  async #local(method, path, { json, body, headers } = {}) {
    const answer = await send(`http://localhost${path}`, { socket: this.registry.socket, method, json, body, headers });
    if (answer.status >= 300) throw new No(answer);
    return answer.text === '' ? null : answer.json();
  }

  // Devices, one by one and by file.

  provision({ key, serial }) {
    return this.#local('POST', '/devices', { json: { model: this.model, serial }, headers: { 'idempotency-key': key } });
  }

  async devices(serial) {
    return (await this.#local('GET', `/devices?serial=${serial}&model=${this.model}`)).items;
  }

  file(count) {
    const batch = unique();
    return Array.from({ length: count }, (_, line) => ({ model: this.model, serial: `I-${batch}-${line}` }));
  }

  import(lines) {
    const body = lines.map((line) => JSON.stringify(line)).join('\n');
    return this.#local('POST', '/imports?source=crash', { body, headers: { 'content-type': 'application/jsonl' } });
  }

  readImport(id) {
    return this.#local('GET', `/imports/${id}`);
  }

  // Registration of things by their owner's app.

  newSpeaker() {
    return new Speaker({ model: this.model, serial: `S-${unique()}` });
  }

  /// The form of one registration, which may be sent again as it is.
  registration(speaker, visitor) {
    return speaker.exchange(this.server.issuer, visitor.customer, { audience: INGEST, scope: 'telemetry:write' });
  }

  register(form) {
    return this.#token(form, this.app);
  }

  asset(id) {
    return this.#local('GET', `/assets/${id}`);
  }

  device(did) {
    return this.#local('GET', `/devices/${did}`);
  }

  async assetsOf(did) {
    return (await this.#local('GET', `/assets?filter=${encodeURIComponent(`device eq "${did}"`)}`)).items;
  }

  async bondsOn(asset) {
    return (await this.#local('GET', `/bonds?filter=${encodeURIComponent(`target.id eq "${asset}"`)}`)).items;
  }

  endBond({ bond, key }) {
    return this.#local('POST', `/bonds/${bond}/end`, { headers: { 'idempotency-key': key } });
  }

  // Codes and refresh tokens.

  /// A code nobody used yet, and all its redemption needs.
  async code(visitor, scope) {
    const verifier = randomBytes(32).toString('base64url');
    const asked = new URLSearchParams({
      response_type: 'code', client_id: this.app.client_id, redirect_uri: CALLBACK, scope, state: unique(),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
    });
    const page = await visitor.get(`/authorize?${asked}`);
    const code = new URL(page.url).searchParams.get('code');
    if (!code) throw new No(page);
    return { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
  }

  redeem(form) {
    return this.#token(form, this.app);
  }

  refresh(token) {
    return this.#token({ grant_type: 'refresh_token', refresh_token: token }, this.app);
  }

  // Pairing.

  async known(speaker) {
    return this.#local('POST', '/devices', { json: { model: this.model, serial: speaker.serial, jwk: speaker.jwk } });
  }

  async #byDevice(speaker, path, form) {
    const { issuer, ca } = this.server;
    const answer = await speaker.post(`${issuer}${path}`, ca, { client_id: this.firmware.client_id, ...form });
    if (answer.status !== 200) throw new No(answer);
    return answer.json();
  }

  beginPairing(speaker, did) {
    const details = JSON.stringify([{ type: 'device_pairing', did }]);
    return this.#byDevice(speaker, '/device_authorization', { authorization_details: details });
  }

  async approve(visitor, userCode) {
    const asked = await visitor.submit(await visitor.get('/pair'), '/pair', { user_code: userCode });
    const done = await visitor.submit(asked, '/pair/decision', { decision: 'allow' });
    if (done.status !== 200) throw new No(done);
  }

  poll(speaker, begun) {
    return this.#byDevice(speaker, '/token', { grant_type: DEVICE_CODE, device_code: begun.device_code });
  }

  refreshDevice(speaker, token) {
    return this.#byDevice(speaker, '/token', { grant_type: 'refresh_token', refresh_token: token });
  }

  // Tokens of a service, and their end.

  async serviceToken() {
    return (await this.#token({ grant_type: 'client_credentials', scope: 'telemetry:read' }, this.service)).access_token;
  }

  async revoke(token) {
    const { issuer, ca } = this.server;
    const headers = { authorization: basicOf(this.service) };
    const answer = await send(`${issuer}/revoke`, { method: 'POST', ca, headers, form: { token } });
    if (answer.status !== 200) throw new No(answer);
  }

  async introspect(token) {
    const { issuer, ca } = this.server;
    const headers = { authorization: basicOf(this.service) };
    const answer = await send(`${issuer}/introspect`, { method: 'POST', ca, headers, form: { token } });
    if (answer.status !== 200) throw new No(answer);
    return answer.json().active;
  }

  // The log.

  async events(after, limit = 1000) {
    const from = after ? `&after=${encodeURIComponent(after)}` : '';
    return this.#local('GET', `/events?limit=${limit}${from}`);
  }
}
