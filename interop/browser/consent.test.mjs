// An app asks in a real browser: `openid-client` sends the person here, the person signs in and
// answers, and the app gets what it is told at its own address.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';

import { openBrowser, Person, SIZES } from '../support/browser.mjs';
import { issuer, newClient, newcomer } from '../support/house.mjs';

let browser, app, config, callback;

before(async () => {
  browser = await openBrowser();
  app = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<title>App</title><p>Back at the app'));
  await new Promise((listening) => app.listen(0, '127.0.0.1', listening));
  callback = `http://127.0.0.1:${app.address().port}/callback`;
  const made = await newClient({
    client_name: 'Acme music',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [callback],
    scope: 'openid profile email cloud:stream',
    audiences: [issuer],
  });
  config = await client.discovery(new URL(issuer), made.client_id, {}, client.ClientSecretBasic(made.client_secret));
});

after(async () => {
  await browser?.close();
  app?.close();
});

/// Opens the app's request in the person's browser; what the app remembers of it.
async function ask(person, wishes = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: 'openid profile cloud:stream',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...wishes,
  });
  await person.page.goto(url.href);
  return checks;
}

/// Waits until the browser is back at the app; the address it came with.
async function back(person) {
  await person.page.waitForURL(`${callback}?**`);
  return new URL(person.page.url());
}

for (const size of SIZES) {
  test(`at the ${size.name}: sign in for an app, see what it asks, allow it`, async () => {
    const { person: who } = await newcomer('Frida');
    const frida = await Person.sitDown(browser, size, who);
    const checks = await ask(frida);
    assert.match(await frida.page.locator('main').innerText(), /Acme music/);
    await frida.look('sign-in-for-app');
    await frida.signIn();
    assert.equal(await frida.heading(), 'Acme music asks for access');
    const asked = await frida.page.locator('main').innerText();
    assert.match(asked, /play music and other streams for you/);
    assert.match(asked, /127\.0\.0\.1/);
    await frida.look('consent');
    await frida.page.getByRole('button', { name: 'Allow', exact: true }).click();
    const tokens = await client.authorizationCodeGrant(config, await back(frida), { ...checks, idTokenExpected: true });
    const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
    assert.equal(info.name, who.name);

    const again = await ask(frida);
    await client.authorizationCodeGrant(config, await back(frida), again);
    await frida.open('/my/security');
    await frida.look('security-app');
    await frida.page.getByRole('link', { name: 'End access: Acme music' }).click();
    await frida.page.waitForURL('**/end');
    await frida.look('end-app');
    await frida.press('End Acme music’s access');
    assert.match(await frida.page.getByRole('status').innerText(), /no longer has access/);
    await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' });
    await frida.leave();
  });
}

test('not allowed, the app is told so and gets nothing', async () => {
  const { person: who } = await newcomer('Greta');
  const greta = await Person.sitDown(browser, SIZES[0], who);
  const checks = await ask(greta);
  await greta.signIn();
  await greta.page.getByRole('button', { name: 'Don’t allow' }).click();
  const answer = await back(greta);
  assert.equal(answer.searchParams.get('error'), 'access_denied');
  assert.equal(answer.searchParams.get('iss'), issuer);
  await assert.rejects(client.authorizationCodeGrant(config, answer, checks), { error: 'access_denied' });
  await greta.leave();
});

test('an answer by form post arrives as one, without a code in any address', async () => {
  const { person: who } = await newcomer('Hanna');
  const hanna = await Person.sitDown(browser, SIZES[0], who);
  await ask(hanna, { response_mode: 'form_post' });
  await hanna.signIn();
  const [posted] = await Promise.all([
    hanna.page.waitForRequest((request) => request.url() === callback && request.method() === 'POST'),
    hanna.page.getByRole('button', { name: 'Allow', exact: true }).click(),
  ]);
  const answer = new URLSearchParams(posted.postData());
  assert.ok(answer.get('code'));
  assert.equal(answer.get('iss'), issuer);
  await hanna.context.close();
});
