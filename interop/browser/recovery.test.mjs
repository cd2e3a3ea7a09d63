// Somebody who forgot the password: a link by mail, a new password, every other browser signed out.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openBrowser, Person, SIZES } from '../support/browser.mjs';
import { mailFolder, somebody } from '../support/house.mjs';
import { mailedLink } from '../support/visitor.mjs';

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

for (const size of SIZES) {
  test(`at the ${size.name}: a new password by mail, and the old one and the old browser are out`, async () => {
    const who = somebody('Bianca');
    const before = await Person.sitDown(browser, size, who);
    await before.signUp();
    const bianca = await Person.sitDown(browser, size, who);
    await bianca.open('/signin');
    await bianca.signIn('not the right words');
    assert.match(await bianca.page.getByRole('alert').first().innerText(), /do not fit together/);
    await bianca.look('sign-in-wrong');

    await bianca.follow('Forgotten your password?');
    await bianca.look('recover');
    await bianca.fill({ 'E-mail address': who.email });
    await bianca.press('Send me a link');
    await bianca.look('recover-mail');
    const link = await mailedLink(mailFolder, who.email, '/recover/password');
    await bianca.page.goto(link);
    await bianca.look('recover-password');
    const password = `${who.password}-new`;
    await bianca.fill({ 'New password': password });
    await bianca.press('Set new password');
    assert.equal(await bianca.heading(), 'Your new password is set');
    await bianca.look('password-set');

    await before.open('/my');
    assert.equal(before.path(), '/signin', 'the browser of before is signed out');
    await before.signIn(who.password);
    assert.match(await before.page.getByRole('alert').first().innerText(), /do not fit together/);
    await bianca.open('/signin');
    await bianca.signIn(password);
    assert.equal(bianca.path(), '/my');

    await bianca.page.goto(link);
    assert.equal(await bianca.heading(), 'This link was used already');
    await bianca.look('recover-used');
    await Promise.all([bianca.leave(), before.leave()]);
  });
}

test('nothing on the pages tells whether an address has an account', async () => {
  const known = somebody('Carla');
  const carla = await Person.sitDown(browser, SIZES[0], known);
  await carla.signUp();
  const said = async (email, path, fields, button) => {
    const visitor = await Person.sitDown(browser, SIZES[0], known);
    await visitor.open(path);
    await visitor.fill({ ...fields, 'E-mail address': email });
    await visitor.press(button);
    const text = (await visitor.page.locator('main').innerText()).replaceAll(email, 'the address');
    await visitor.leave();
    return text;
  };
  const stranger = somebody('Nobody').email;
  for (const [path, fields, button] of [
    ['/signin', { Password: 'a guess of four words' }, 'Sign in'],
    ['/recover', {}, 'Send me a link'],
    ['/signup', { 'Your name': 'Carla', Password: 'a guess of four words' }, 'Create account'],
  ]) {
    assert.equal(await said(known.email, path, fields, button), await said(stranger, path, fields, button), path);
  }
  await carla.leave();
});
