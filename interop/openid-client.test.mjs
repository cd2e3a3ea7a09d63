// `openid-client`, a certified relying party: what a maker's app and back office do with us.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose';
import * as client from 'openid-client';

import { allow, CALLBACK } from './support/app.mjs';
import { API, issuer, newClient, newcomer } from './support/house.mjs';

const server = new URL(issuer);
const service = { grant_types: ['client_credentials'], scope: 'telemetry:read telemetry:write' };
const app = {
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: [CALLBACK],
  scope: 'openid profile email telemetry:read',
  audiences: [API, issuer],
};
let eva;

before(async () => {
  eva = await newcomer('Eva');
});

/// A configuration by discovery, for a client made for this test.
async function discovered(members, authentication, metadata) {
  const made = await newClient(members);
  const known = { client_id: made.client_id, client_secret: made.client_secret, ...metadata };
  return client.discovery(server, made.client_id, known, authentication?.(made));
}

/// Sends Eva through the authorization endpoint; what the app gets back, and what it remembers.
async function authorize(config, wishes = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier: verifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid profile email',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...wishes,
  });
  return { back: new URL(await allow(eva.visitor, url.href)), checks };
}

/// The error as the standard names it.
const refusedAs = (error) => (thrown) => {
  assert.equal(thrown.error, error, String(thrown));
  return true;
};

/// A client that is not who it says: with Basic the library sees the challenge first (RFC 6749 §5.2).
const isNobody = (thrown) => {
  assert.equal(thrown.status, 401, String(thrown));
  assert.ok(thrown.error === 'invalid_client' || thrown.cause[0].scheme === 'basic', String(thrown));
  return true;
};

for (const [method, authentication] of [
  ['client_secret_basic', (made) => client.ClientSecretBasic(made.client_secret)],
  ['client_secret_post', (made) => client.ClientSecretPost(made.client_secret)],
]) {
  test(`a service gets a token with ${method}, and not with a wrong secret or the other method`, async () => {
    const config = await discovered({ ...service, token_endpoint_auth_method: method }, authentication);
    const tokens = await client.clientCredentialsGrant(config, { scope: 'telemetry:read' });
    assert.equal(tokens.token_type, 'bearer');
    assert.equal(tokens.scope, 'telemetry:read');
    assert.equal(tokens.refresh_token, undefined);
    const { client_id: id, client_secret: secret } = config.clientMetadata();
    const wrong = { client_secret: `${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}` };
    const other = method === 'client_secret_basic' ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret);
    for (const bad of [authentication(wrong), other]) {
      const config = await client.discovery(server, id, {}, bad);
      await assert.rejects(client.clientCredentialsGrant(config, {}), isNobody);
    }
  });
}

test('a service proves itself by a signed assertion, once per assertion', async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const members = { ...service, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } };
  const jtis = { next: undefined };
  const modify = { [client.modifyAssertion]: (_, payload) => { payload.jti = jtis.next ?? payload.jti; } };
  const config = await discovered(members, () => client.PrivateKeyJwt({ key: pair.privateKey, kid: 'one' }, modify));
  jtis.next = 'the-same-again-and-again';
  await client.clientCredentialsGrant(config, {});
  await assert.rejects(client.clientCredentialsGrant(config, {}), refusedAs('invalid_client'));
  jtis.next = undefined;
  await client.clientCredentialsGrant(config, {});

  const stranger = await generateKeyPair('ES256');
  const id = config.clientMetadata().client_id;
  const forged = await client.discovery(server, id, {}, client.PrivateKeyJwt({ key: stranger.privateKey, kid: 'one' }));
  await assert.rejects(client.clientCredentialsGrant(forged, {}), refusedAs('invalid_client'));
});

test('a service gets no scope and no audience it is not registered for', async () => {
  const config = await discovered(service, (made) => client.ClientSecretBasic(made.client_secret));
  await assert.rejects(client.clientCredentialsGrant(config, { scope: 'users:write' }), refusedAs('invalid_scope'));
  const elsewhere = { resource: 'https://elsewhere.example.com' };
  await assert.rejects(client.clientCredentialsGrant(config, elsewhere), refusedAs('invalid_target'));
});

test('an app signs a person in by code: the ID token holds, and UserInfo is of the same person', async () => {
  const config = await discovered(app, (made) => client.ClientSecretBasic(made.client_secret));
  const { back, checks } = await authorize(config);
  assert.equal(back.searchParams.get('iss'), issuer);
  const tokens = await client.authorizationCodeGrant(config, back, { ...checks, idTokenExpected: true });
  const claims = tokens.claims();
  assert.equal(decodeProtectedHeader(tokens.id_token).alg, 'RS256');
  assert.equal(claims.email, undefined, 'in the code flow, claims of a scope stand in UserInfo');
  const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  assert.equal(info.sub, claims.sub);
  assert.equal(info.email, eva.person.email);
  assert.equal(info.email_verified, true);
  assert.equal(info.name, eva.person.name);
});

test('the app checks every signature too, also where the standard lets it trust TLS', async () => {
  const config = await discovered(app, (made) => client.ClientSecretBasic(made.client_secret));
  client.enableNonRepudiationChecks(config);
  const { back, checks } = await authorize(config);
  const tokens = await client.authorizationCodeGrant(config, back, checks);
  assert.ok(tokens.claims().sub);
});

test('ID tokens are ES256 for an app that registered so', async () => {
  const es256 = { id_token_signed_response_alg: 'ES256' };
  const config = await discovered({ ...app, ...es256 }, (made) => client.ClientSecretBasic(made.client_secret), es256);
  client.enableNonRepudiationChecks(config);
  const { back, checks } = await authorize(config);
  const tokens = await client.authorizationCodeGrant(config, back, checks);
  assert.equal(decodeProtectedHeader(tokens.id_token).alg, 'ES256');
});

test('a public app needs its PKCE verifier, and the code is for it alone', async () => {
  const spa = { ...app, token_endpoint_auth_method: 'none' };
  const [config, other] = [await discovered(spa, () => client.None()), await discovered(spa, () => client.None())];
  for (const [by, change] of [
    [config, (checks) => ({ ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() })],
    [other, (checks) => checks],
  ]) {
    const { back, checks } = await authorize(config);
    await assert.rejects(client.authorizationCodeGrant(by, back, change(checks)), refusedAs('invalid_grant'));
  }
  const { back, checks } = await authorize(config);
  assert.ok((await client.authorizationCodeGrant(config, back, checks)).access_token);
});

test('a code used twice is refused, and what came of it falls', async () => {
  const config = await discovered(app, (made) => client.ClientSecretBasic(made.client_secret));
  const { back, checks } = await authorize(config);
  const tokens = await client.authorizationCodeGrant(config, back, checks);
  await assert.rejects(client.authorizationCodeGrant(config, back, checks), refusedAs('invalid_grant'));
  assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), refusedAs('invalid_grant'));
});

test('a request without PKCE comes back as an error with state and iss, and the app sees it', async () => {
  const config = await discovered(app, (made) => client.ClientSecretBasic(made.client_secret));
  const state = client.randomState();
  const url = client.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: 'openid', state });
  const back = new URL(await allow(eva.visitor, url.href));
  assert.equal(back.searchParams.get('error'), 'invalid_request');
  assert.equal(back.searchParams.get('iss'), issuer);
  await assert.rejects(client.authorizationCodeGrant(config, back, { expectedState: state }), refusedAs('invalid_request'));
});

test('a foreign redirect URI is a page, not a redirect', async () => {
  const config = await discovered(app, (made) => client.ClientSecretBasic(made.client_secret));
  const evil = { redirect_uri: 'https://evil.example.com/callback', scope: 'openid', response_type: 'code' };
  const page = await eva.visitor.get(client.buildAuthorizationUrl(config, evil).href);
  assert.equal(page.status, 400);
  assert.ok(page.url.startsWith(issuer));
});

test('prompt=none does not ask: it says what would have to be asked', async () => {
  const config = await discovered(app, (made) => client.ClientSecretBasic(made.client_secret));
  const first = await authorize(config, { prompt: 'none' });
  assert.equal(first.back.searchParams.get('error'), 'consent_required');
  await authorize(config);
  const { back, checks } = await authorize(config, { prompt: 'none' });
  assert.ok((await client.authorizationCodeGrant(config, back, checks)).id_token, 'consent is remembered');
});

test('a refresh token is good once; used again, the whole family falls', async () => {
  const config = await discovered(app, (made) => client.ClientSecretBasic(made.client_secret));
  const { back, checks } = await authorize(config);
  const first = await client.authorizationCodeGrant(config, back, checks);
  const second = await client.refreshTokenGrant(config, first.refresh_token);
  assert.notEqual(second.refresh_token, first.refresh_token);
  const third = await client.refreshTokenGrant(config, second.refresh_token);
  assert.equal((await client.tokenIntrospection(config, third.access_token)).active, true);
  // Two behind: no lost answer explains it.
  await assert.rejects(client.refreshTokenGrant(config, first.refresh_token), refusedAs('invalid_grant'));
  await assert.rejects(client.refreshTokenGrant(config, third.refresh_token), refusedAs('invalid_grant'));
  assert.equal((await client.tokenIntrospection(config, third.access_token)).active, false);
});

test('a refresh narrows scope if asked, and never widens it', async () => {
  const config = await discovered(app, (made) => client.ClientSecretBasic(made.client_secret));
  const { back, checks } = await authorize(config);
  const first = await client.authorizationCodeGrant(config, back, checks);
  const second = await client.refreshTokenGrant(config, first.refresh_token, { scope: 'openid' });
  assert.equal(decodeJwt(second.access_token).scope, 'openid');
  const wider = { scope: 'openid telemetry:read' };
  await assert.rejects(client.refreshTokenGrant(config, second.refresh_token, wider), refusedAs('invalid_scope'));
});

test('introspection tells the entitled; to others, and of what is unknown, it tells nothing', async () => {
  const basic = (made) => client.ClientSecretBasic(made.client_secret);
  const [config, resource, foreign] = [
    await discovered(service, basic),
    await discovered({ ...service, scope: '' }, basic),
    await discovered({ ...service, audiences: ['https://foreign.example.com'] }, basic),
  ];
  const { access_token: token } = await client.clientCredentialsGrant(config, { scope: 'telemetry:read' });
  const told = await client.tokenIntrospection(resource, token);
  assert.equal(told.active, true);
  assert.equal(told.client_id, config.clientMetadata().client_id);
  assert.equal(told.scope, 'telemetry:read');
  assert.equal(told.iss, issuer);
  assert.equal(told.anc, undefined);
  assert.deepEqual(await client.tokenIntrospection(foreign, token), { active: false });
  assert.deepEqual(await client.tokenIntrospection(resource, 'no-token-of-anybody'), { active: false });
  assert.deepEqual(await client.tokenIntrospection(resource, `${token.slice(0, -4)}AAAA`), { active: false });
});

test('revoking ends a token at once, unknown ones are fine, and another’s stays alive', async () => {
  const basic = (made) => client.ClientSecretBasic(made.client_secret);
  const [config, stranger] = [await discovered(service, basic), await discovered(service, basic)];
  const { access_token: token } = await client.clientCredentialsGrant(config, {});
  await client.tokenRevocation(config, 'no-token-of-anybody');
  await assert.rejects(client.tokenRevocation(stranger, token), refusedAs('unauthorized_client'));
  assert.equal((await client.tokenIntrospection(config, token)).active, true);
  await client.tokenRevocation(config, token);
  assert.deepEqual(await client.tokenIntrospection(config, token), { active: false });
});

test('revoking a refresh token ends its access token too', async () => {
  const config = await discovered(app, (made) => client.ClientSecretBasic(made.client_secret));
  const { back, checks } = await authorize(config);
  const tokens = await client.authorizationCodeGrant(config, back, checks);
  await client.tokenRevocation(config, tokens.refresh_token);
  assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false });
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), refusedAs('invalid_grant'));
});

test('DPoP: the token is bound to the key, from the code to UserInfo and through refresh', async () => {
  const config = await discovered({ ...app, token_endpoint_auth_method: 'none' }, () => client.None());
  const pair = await client.randomDPoPKeyPair('ES256', { extractable: true });
  const DPoP = client.getDPoPHandle(config, pair);
  const jkt = await calculateJwkThumbprint(await exportJWK(pair.publicKey));
  const { back, checks } = await authorize(config, { dpop_jkt: jkt });
  const tokens = await client.authorizationCodeGrant(config, back, checks, undefined, { DPoP });
  assert.equal(tokens.token_type, 'dpop');
  assert.equal(decodeJwt(tokens.access_token).cnf.jkt, jkt);
  const { sub } = tokens.claims();
  assert.equal((await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).sub, sub);

  const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, sub, { DPoP: thief }));
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, sub));
  const stolen = client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: thief });
  await assert.rejects(stolen, refusedAs('invalid_grant'));
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
  assert.equal(decodeJwt(renewed.access_token).cnf.jkt, jkt);
});
