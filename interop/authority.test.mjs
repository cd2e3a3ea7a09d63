// Clients by the name in a certificate of a trusted authority (`tls_client_auth`, RFC 8705 §2.1), over
// real connections to a server that trusts one authority; openssl makes it, and the impostors.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Registry } from './support/registry.mjs';
import { startServer } from './support/server.mjs';
import { send } from './support/wire.mjs';

const NAME = 'reporting.example.com';
const folder = mkdtempSync(join(tmpdir(), 'keyfob-authority-'));
const openssl = (...words) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
let server, client;

before(async () => {
  authority('trusted');
  authority('trusted-line', 'trusted');
  authority('stranger');
  server = await startServer(folder, { more: `[clients]\nauthorities_file = "${join(folder, 'trusted.pem')}"\n` });
  client = await new Registry(server.data).post('/clients', {
    client_name: 'Reporting',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_san_dns: NAME,
    grant_types: ['client_credentials'],
    scope: 'products:read',
    audiences: [server.issuer],
    tls_client_certificate_bound_access_tokens: true,
  });
});

after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/// A certificate for `subject` with these extensions, by an authority or by itself.
function certificate(name, subject, extensions, by = name, days = 2) {
  writeFileSync(join(folder, `${name}.ext`), extensions.join('\n'));
  openssl('req', ...NEW_KEY, '-subj', `/CN=${subject}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  const signer = by === name ? ['-signkey', `${name}.key`] : ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signer, '-days', `${days}`, '-extfile', `${name}.ext`, '-out', `${name}.pem`);
}

function authority(name, by = name) {
  certificate(name, name, ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'], by);
}

/// What a client shows: its own certificate, and what stands above it.
function shown(name, by, { san = `DNS:${NAME}`, above = [], use = 'clientAuth', days } = {}) {
  certificate(name, NAME, ['keyUsage=critical,digitalSignature', `extendedKeyUsage=${use}`, `subjectAltName=${san}`], by, days);
  const chain = [name, ...above].map((file) => readFileSync(join(folder, `${file}.pem`), 'utf8'));
  return { cert: chain.join(''), key: readFileSync(join(folder, `${name}.key`)) };
}

function token(pair) {
  const form = { grant_type: 'client_credentials', client_id: client.client_id, scope: 'products:read' };
  return send(`${server.devicesUrl}/token`, { method: 'POST', ca: server.ca, ...pair, form });
}

test('the registered name in a certificate of the trusted authority is the client', async () => {
  const own = shown('own', 'trusted');
  // The registered name is one of its entries (RFC 8705 §2.1.2), beside others.
  const below = shown('below', 'trusted-line', { above: ['trusted-line'], san: `DNS:other.example.com,DNS:${NAME}` });
  for (const pair of [own, below]) {
    const answer = await token(pair);
    assert.equal(answer.status, 200, answer.text);
    const headers = { authorization: `Bearer ${answer.json().access_token}` };
    assert.equal((await send(`${server.devicesUrl}/products`, { ca: server.ca, ...pair, headers })).status, 200);
    const other = pair === own ? below : own;
    const refused = await send(`${server.devicesUrl}/products`, { ca: server.ca, ...other, headers });
    assert.equal(refused.status, 401, 'a token belongs to one certificate, not to a name');
  }
});

test('every other certificate is refused, in one word', async () => {
  const pairs = {
    none: {},
    'of another authority': shown('foreign', 'stranger'),
    'signed by itself': shown('self', 'self'),
    'for another name': shown('another', 'trusted', { san: 'DNS:other.example.com' }),
    'for a name below': shown('sub', 'trusted', { san: `DNS:a.${NAME}` }),
    'for every name': shown('every', 'trusted', { san: 'DNS:*.example.com' }),
    'by a name of another kind': shown('kind', 'trusted', { san: `URI:https://${NAME}` }),
    'of a server': shown('server', 'trusted', { use: 'serverAuth' }),
    'with its line missing': shown('torn', 'trusted-line'),
    'by a leaf': shown('leaf', 'own', { above: ['own'] }),
  };
  for (const [what, pair] of Object.entries(pairs)) {
    const answer = await token(pair);
    assert.deepEqual([answer.status, answer.json().error], [401, 'invalid_client'], what);
  }
});

test('at the listener that asks for no certificate nobody is known by one', async () => {
  const form = { grant_type: 'client_credentials', client_id: client.client_id };
  const answer = await send(`${server.issuer}/token`, { method: 'POST', ca: server.ca, ...shown('again', 'trusted'), form });
  assert.deepEqual([answer.status, answer.json().error], [401, 'invalid_client']);
});
