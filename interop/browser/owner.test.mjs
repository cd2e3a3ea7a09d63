// An owner's way through the pages: from signing up to ending a device's access, at the size of a
// phone and of a desk.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openBrowser, Person, SIZES } from '../support/browser.mjs';
import { newSpeaker, somebody } from '../support/house.mjs';

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

for (const size of SIZES) {
  test(`at the ${size.name}: sign up, pair a speaker, end its access, sign out`, async () => {
    const adam = await Person.sitDown(browser, size, somebody('Adam'));
    await adam.signUp({ looking: true });
    assert.equal(await adam.heading(), 'My things');
    await adam.look('home-empty');

    const speaker = await newSpeaker();
    const tokens = await pair(adam, speaker);
    await adam.open('/my');
    await adam.look('home');
    assert.match(await adam.page.locator('.things').innerText(), /Only you/);
    await Promise.all([adam.page.waitForEvent('load'), adam.page.locator('.things a').first().click()]);
    await adam.look('thing');

    await endAccess(adam);
    assert.equal((await speaker.refresh(tokens)).json().error, 'invalid_grant');

    await adam.open('/my/people');
    await adam.look('people');
    await adam.open('/my/security');
    await adam.look('security');
    await adam.follow('Sign out');
    await adam.look('sign-out');
    await adam.press('Sign out');
    assert.equal(await adam.heading(), 'You are signed out');
    await adam.look('signed-out');
    await adam.open('/my');
    assert.equal(adam.path(), '/signin');
    await adam.look('sign-in');
    await adam.signIn();
    assert.equal(adam.path(), '/my');
    await adam.leave();
  });
}

/// Types the code, sees the very speaker, allows it. The tokens the speaker then fetches.
async function pair(adam, speaker) {
  const begun = await speaker.begin();
  await adam.page.getByRole('link', { name: 'Add a thing' }).first().click();
  await adam.page.waitForURL('**/pair');
  await adam.look('pair');
  await adam.fill({ 'Code on the device': begun.user_code.toLowerCase().replace('-', ' ') });
  await adam.press('Continue');
  const question = await adam.page.locator('main').innerText();
  assert.ok(question.includes(begun.user_code), question);
  assert.ok(question.includes(speaker.device.serial.slice(-4)), question);
  assert.ok(question.includes('send its measurements'), question);
  await adam.look('pair-confirm');
  await adam.press('Allow');
  await adam.look('pair-done');
  const answer = await speaker.poll(begun);
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

/// Ends the device's access from its page; removing the thing ends everything.
async function endAccess(adam) {
  await adam.follow('Remove from my account');
  await adam.look('remove-thing');
  const again = adam.path() === '/signin/again';
  if (again) {
    await adam.fill({ Password: adam.password });
    await adam.press('Go on');
  }
  await adam.page.getByRole('button', { name: /^Remove / }).click();
  await adam.page.waitForURL('**/my');
  assert.match(await adam.page.getByRole('status').innerText(), /no longer in your account/);
  await adam.look('removed');
}
