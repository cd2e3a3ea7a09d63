// Chromium, as a person has it: trusting the demo's certificate, at the size of a phone or a desk.
// Every page a journey looks at is checked for accessibility and for what does not fit.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { chromium } from 'playwright-core';

import { ca, issuer, mailFolder } from './house.mjs';
import { mailedLink } from './visitor.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/// Pictures of every page looked at are kept here, if somebody wants to look at them too.
const pictures = process.env.KEYFOB_PICTURES;

export const SIZES = [
  { name: 'phone', viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
  { name: 'desk', viewport: { width: 1280, height: 800 } },
];

/// A browser that trusts the one key of the server: an error of the certificate would switch
/// passkeys off.
export async function openBrowser() {
  const pin = createHash('sha256').update(await keyOfServer()).digest('base64');
  return chromium.launch({
    executablePath: process.env.KEYFOB_CHROMIUM ?? '/usr/bin/chromium',
    args: [`--ignore-certificate-errors-spki-list=${pin}`, '--disable-gpu'],
  });
}

function keyOfServer() {
  const { hostname, port } = new URL(issuer);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port, servername: hostname, ca }, () => {
      resolve(socket.getPeerX509Certificate().publicKey.export({ type: 'spki', format: 'der' }));
      socket.end();
    });
    socket.on('error', reject);
  });
}

/// One person at one browser.
export class Person {
  constructor(context, page, size, { name, email, password }) {
    Object.assign(this, { context, page, size, name, email, password });
  }

  static async sitDown(browser, size, who, options = {}) {
    const { name, ...device } = size;
    const context = await browser.newContext({ ...device, ...options });
    const page = await context.newPage();
    const person = new Person(context, page, name, who);
    person.trouble = [];
    page.on('console', (message) => {
      const isTrouble = message.type() === 'error' || message.type() === 'warning';
      // What did not load is told with its address below; a page may say no.
      if (isTrouble && !message.text().startsWith('Failed to load')) person.trouble.push(message.text());
    });
    page.on('response', (answer) => {
      const isPage = answer.request().isNavigationRequest();
      if (answer.status() >= 400 && !isPage) person.trouble.push(`${answer.status()} ${answer.url()}`);
    });
    page.on('pageerror', (error) => person.trouble.push(String(error)));
    return person;
  }

  /// Leaves; nothing may have gone wrong behind the pages.
  async leave() {
    await this.context.close();
    assert.deepEqual(this.trouble, []);
  }

  open(path) {
    return this.page.goto(new URL(path, issuer).href);
  }

  path() {
    const url = new URL(this.page.url());
    return url.pathname;
  }

  heading() {
    return this.page.locator('main h1').textContent();
  }

  /// Presses what is called so, and waits for the page it leads to.
  async press(name, role = 'button') {
    const target = this.page.getByRole(role, { name, exact: true });
    await Promise.all([this.page.waitForEvent('load'), target.click()]);
  }

  follow(name) {
    return this.press(name, 'link');
  }

  async fill(fields) {
    for (const [label, text] of Object.entries(fields)) await this.page.getByLabel(label, { exact: true }).fill(text);
  }

  /// Looks at the page: nothing sticks out, nothing shuts anybody out, in light and dark.
  async look(name) {
    for (const colorScheme of ['light', 'dark']) {
      await this.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      if (pictures) {
        mkdirSync(pictures, { recursive: true });
        await this.page.screenshot({ path: join(pictures, `${name}-${this.size}-${colorScheme}.png`), fullPage: true });
      }
      await this.#fits(name);
      await this.#isOpenToAll(name, colorScheme);
    }
    await this.page.emulateMedia({ colorScheme: null, reducedMotion: null });
  }

  async #fits(name) {
    const [content, window] = await this.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${name} at the ${this.size} is ${content} wide, the window ${window}`);
  }

  async #isOpenToAll(name, colorScheme) {
    await this.page.evaluate(axe);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
    assert.deepEqual(told, [], `${name} at the ${this.size}, ${colorScheme}`);
  }

  /// Signs up, confirms the address from the mail, and is at home.
  async signUp({ looking = false } = {}) {
    await this.open('/signup');
    if (looking) await this.look('sign-up');
    await this.fill({ 'Your name': this.name, 'E-mail address': this.email, Password: this.password });
    await this.press('Create account');
    if (looking) await this.look('check-mail');
    assert.equal(await this.heading(), 'Look into your mail');
    await this.page.goto(await mailedLink(mailFolder, this.email, '/verify'));
    if (looking) await this.look('verify');
    await this.fill({ Password: this.password });
    await this.press('Confirm address');
    assert.equal(this.path(), '/my');
  }

  async signIn(password = this.password) {
    await this.fill({ 'E-mail address': this.email, Password: password });
    await this.press('Sign in');
  }

  async signOut() {
    await this.follow('Sign out');
    await this.press('Sign out');
  }
}
