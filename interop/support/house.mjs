// The server under test, as the runner describes it, and what a test makes there for itself.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Registry } from './registry.mjs';
import { Speaker } from './speaker.mjs';
import { Visitor } from './visitor.mjs';

function fact(name) {
  const value = process.env[`KEYFOB_${name}`];
  if (!value) throw new Error(`KEYFOB_${name} is missing: run this by \`cargo xtask interop\``);
  return value;
}

export const issuer = fact('ISSUER');
export const devicesUrl = fact('DEVICES');
export const dataFolder = fact('DATA');
export const caFile = fact('CA');
export const ca = readFileSync(caFile);
export const registry = new Registry(dataFolder);
export const mailFolder = fact('MAIL');

export const API = 'https://api.example.com';
export const INGEST = 'https://ingest.example.com';

/// A short text nobody else uses.
export const unique = () => randomBytes(6).toString('hex');

/// Somebody new, not signed up yet.
export function somebody(name = 'Eva') {
  return { name, email: `${name.toLowerCase()}-${unique()}@example.com`, password: randomBytes(15).toString('base64url') };
}

/// Somebody who has signed up and is signed in.
export async function newcomer(name) {
  const person = somebody(name);
  const visitor = new Visitor(issuer, ca);
  await visitor.signUp(person, mailFolder);
  return { person, visitor };
}

/// A client of one's own; the record with its secret, if it has one.
export function newClient(members) {
  return registry.post('/clients', { client_name: `Test ${unique()}`, audiences: [API], ...members });
}

/// A model whose devices anybody may register.
export async function newProduct(members = {}) {
  const product = { model: `model-${unique()}`, name: 'Test speaker', self_registration: true };
  return registry.post('/products', { ...product, scopes: ['telemetry:write'], audiences: [INGEST], ...members });
}

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

/// A speaker of the factory's, known with its key, and the client its software is.
export async function newSpeaker(name = 'Kitchen speaker') {
  const product = await newProduct({ name: 'Test speaker', icon: 'speaker', pair_when_registered: true });
  const speaker = new Speaker({ model: product.model, serial: `S-${unique()}` });
  const device = await registry.post('/devices', { model: product.model, serial: speaker.serial, name, jwk: speaker.jwk });
  const client = await newClient({
    client_name: 'Acme firmware',
    token_endpoint_auth_method: 'none',
    grant_types: [DEVICE_CODE, 'refresh_token'],
    scope: 'telemetry:write',
    audiences: [INGEST],
    dpop_bound_access_tokens: true,
  });
  const details = JSON.stringify([{ type: 'device_pairing', did: device.id }]);
  const ask = (path, form) => speaker.post(`${issuer}${path}`, ca, { client_id: client.client_id, ...form });
  return {
    device,
    speaker,
    /// Shows a code: the answer with `user_code`.
    begin: async () => (await ask('/device_authorization', { authorization_details: details })).json(),
    /// Asks for its tokens: status and answer.
    poll: (begun) => ask('/token', { grant_type: DEVICE_CODE, device_code: begun.device_code }),
    refresh: (tokens) => ask('/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }),
  };
}
