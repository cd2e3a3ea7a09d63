// Everything essential works without script: signing up, recovery, consent, pairing, ending.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openBrowser, Person, SIZES } from '../support/browser.mjs';
import { newSpeaker, somebody } from '../support/house.mjs';

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

test('a browser without script signs up, pairs, removes and signs out', async () => {
  const eva = await Person.sitDown(browser, SIZES[0], somebody('Eva'), { javaScriptEnabled: false });
  await eva.signUp();
  const speaker = await newSpeaker();
  const begun = await speaker.begin();
  await eva.open('/pair');
  await eva.fill({ 'Code on the device': begun.user_code });
  await eva.press('Continue');
  await eva.press('Allow');
  const answer = await speaker.poll(begun);
  assert.equal(answer.status, 200, answer.text);
  await eva.open('/my');
  await Promise.all([eva.page.waitForEvent('load'), eva.page.locator('.things a').first().click()]);
  await eva.follow('Remove from my account');
  await Promise.all([eva.page.waitForEvent('load'), eva.page.getByRole('button', { name: /^Remove / }).click()]);
  assert.equal((await speaker.refresh(answer.json())).json().error, 'invalid_grant');
  await eva.signOut();
  assert.equal(await eva.heading(), 'You are signed out');
  await eva.open('/signin');
  assert.equal(await eva.page.getByRole('button', { name: 'Sign in with a passkey' }).count(), 0);
  await eva.leave();
});
