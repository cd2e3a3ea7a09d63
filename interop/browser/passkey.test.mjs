// A passkey from the virtual authenticator of Chromium: added under Security, then the way in.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openBrowser, Person, SIZES } from '../support/browser.mjs';
import { somebody } from '../support/house.mjs';

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

/// A phone's own authenticator that recognises its owner.
async function authenticator(person) {
  const session = await person.context.newCDPSession(person.page);
  await session.send('WebAuthn.enable');
  const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true };
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...options, isUserVerified: true, automaticPresenceSimulation: true },
  });
  return {
    credentials: async () => (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    recognise: (isUserVerified) => session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
  };
}

for (const size of SIZES) {
  test(`at the ${size.name}: add a passkey, sign in with it, take it away`, async () => {
    const dora = await Person.sitDown(browser, size, somebody('Dora'));
    const phone = await authenticator(dora);
    await dora.signUp();
    await dora.open('/my/security');
    await dora.fill({ 'Name of this passkey': 'Phone' });
    await dora.press('Add a passkey');
    assert.match(await dora.page.getByRole('status').innerText(), /new passkey works/);
    await dora.look('passkey-added');
    const [credential] = await phone.credentials();
    assert.equal(credential.rpId, 'localhost');
    assert.equal(credential.isResidentCredential, true);

    await dora.signOut();
    await dora.open('/signin');
    await dora.look('sign-in-passkey');
    await dora.press('Sign in with a passkey');
    assert.equal(dora.path(), '/my');

    await dora.signOut();
    await dora.open('/signin');
    await phone.recognise(false);
    await dora.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await dora.page.getByText('The passkey did not work. Try again.').waitFor();
    await dora.look('passkey-failed');
    assert.equal(dora.path(), '/signin');
    await phone.recognise(true);
    await dora.press('Sign in with a passkey');

    await dora.open('/my/security');
    await dora.page.getByRole('link', { name: 'Remove Phone' }).click();
    await dora.page.waitForURL('**/remove');
    await dora.look('passkey-remove');
    await dora.press('Remove “Phone”');
    assert.match(await dora.page.getByRole('status').innerText(), /no longer signs anybody in/);
    await dora.signOut();
    await dora.open('/signin');
    await dora.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await dora.page.getByText('The passkey did not work. Try again.').waitFor();
    assert.equal(dora.path(), '/signin');
    await dora.context.close();
  });
}
