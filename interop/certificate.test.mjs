// Clients with a certificate (RFC 8705), by what every system has: openssl makes it, Node and curl
// show it. The token is bound to it, and worth nothing without.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';

import { API, ca, devicesUrl, issuer, newClient } from './support/house.mjs';
import { send } from './support/wire.mjs';

const folder = mkdtempSync(join(tmpdir(), 'keyfob-certificate-'));
let metadata, service, own, stranger;

before(async () => {
  metadata = (await send(`${issuer}/.well-known/openid-configuration`, { ca })).json();
  [own, stranger] = [selfSigned('own'), selfSigned('stranger')];
  service = await newClient({
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    grant_types: ['client_credentials'],
    scope: 'telemetry:read',
    jwks: { keys: [{ ...own.x509.publicKey.export({ format: 'jwk' }), x5c: [own.x509.raw.toString('base64')] }] },
    tls_client_certificate_bound_access_tokens: true,
  });
});

after(() => rmSync(folder, { recursive: true }));

function selfSigned(name) {
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...words, '-subj', `/CN=${name}`, '-keyout', files.key, '-out', files.certificate], { stdio: 'pipe' });
  const cert = readFileSync(files.certificate);
  return { files, cert, key: readFileSync(files.key), x509: new X509Certificate(cert) };
}

function token(pair, url = metadata.mtls_endpoint_aliases.token_endpoint) {
  const form = { grant_type: 'client_credentials', client_id: service.client_id, scope: 'telemetry:read' };
  return send(url, { method: 'POST', ca, cert: pair?.cert, key: pair?.key, form });
}

test('the endpoints for certificates are at the listener that asks for them', () => {
  for (const url of Object.values(metadata.mtls_endpoint_aliases)) assert.ok(url.startsWith(`${devicesUrl}/`), url);
  assert.equal(metadata.tls_client_certificate_bound_access_tokens, true);
});

test('a service proves itself by its certificate, and the token is bound to it', async () => {
  const answer = await token(own);
  assert.equal(answer.status, 200, answer.text);
  const claims = decodeJwt(answer.json().access_token);
  const thumbprint = createHash('sha256').update(own.x509.raw).digest('base64url');
  assert.deepEqual(claims.cnf, { 'x5t#S256': thumbprint });
  assert.equal(answer.json().token_type, 'Bearer');
});

test('no certificate, another certificate and the listener without certificates are refused', async () => {
  for (const answer of [await token(undefined), await token(stranger), await token(own, metadata.token_endpoint)]) {
    assert.deepEqual([answer.status, answer.json().error], [401, 'invalid_client']);
  }
});

test('introspection tells the thumbprint, so that a resource can compare it', async () => {
  const { access_token } = (await token(own)).json();
  const url = metadata.mtls_endpoint_aliases.introspection_endpoint;
  const form = { token: access_token, client_id: service.client_id };
  const told = (await send(url, { method: 'POST', ca, cert: own.cert, key: own.key, form })).json();
  assert.equal(told.active, true);
  assert.equal(told.cnf['x5t#S256'], createHash('sha256').update(own.x509.raw).digest('base64url'));
  assert.deepEqual([told.aud].flat(), [API]);
});

test('the API takes a bound token where the certificate can be shown, and nowhere without it', async () => {
  const reader = await newClient({
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    grant_types: ['client_credentials'],
    scope: 'products:read',
    audiences: [issuer],
    jwks: { keys: [{ ...own.x509.publicKey.export({ format: 'jwk' }), x5c: [own.x509.raw.toString('base64')] }] },
    tls_client_certificate_bound_access_tokens: true,
  });
  const form = { grant_type: 'client_credentials', client_id: reader.client_id, scope: 'products:read' };
  const shown = { ca, cert: own.cert, key: own.key };
  const { access_token } = (await send(`${devicesUrl}/token`, { method: 'POST', ...shown, form })).json();
  const headers = { authorization: `Bearer ${access_token}` };
  const asked = (origin, pair) => send(`${origin}/products`, { headers, ca, cert: pair?.cert, key: pair?.key });
  assert.equal((await asked(devicesUrl, own)).status, 200);
  for (const answer of [await asked(devicesUrl), await asked(devicesUrl, stranger), await asked(issuer, own)]) {
    assert.equal(answer.status, 401);
  }
});

test('curl gets its token the same way, and none with a stranger’s certificate', () => {
  const curl = (pair) =>
    spawnSync('curl', [
      ...['--silent', '--show-error', '--fail', '--cacert', process.env.KEYFOB_CA],
      ...['--cert', pair.files.certificate, '--key', pair.files.key],
      ...['--data', `grant_type=client_credentials&client_id=${service.client_id}`],
      metadata.mtls_endpoint_aliases.token_endpoint,
    ], { encoding: 'utf8' });
  const good = curl(own);
  assert.equal(good.status, 0, good.stderr);
  assert.ok(JSON.parse(good.stdout).access_token);
  assert.equal(curl(stranger).status, 22, 'an answer of 400 and above');
});
