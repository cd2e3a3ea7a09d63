// A browser without script: keeps cookies, follows redirects within the site, fills in forms.

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { send } from './wire.mjs';

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function plain(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name] ?? all;
  });
}

function attributes(tag) {
  const found = {};
  for (const [, name, value] of tag.matchAll(/([a-z-]+)(?:="([^"]*)")?/gi)) found[name.toLowerCase()] = plain(value ?? '');
  return found;
}

/// The forms of a page: where each goes and what it already says.
function formsOf(html) {
  return [...html.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)].map(([, head, inside]) => {
    const fields = {};
    for (const [, tag] of inside.matchAll(/<input([^>]*)>/g)) {
      const { name, value = '' } = attributes(tag);
      if (name) fields[name] = value;
    }
    return { ...attributes(head), fields };
  });
}

export class Visitor {
  constructor(origin, ca) {
    this.origin = origin;
    this.ca = ca;
    this.cookies = new Map();
  }

  async #request(url, options = {}) {
    const headers = { ...options.headers };
    if (this.cookies.size > 0) headers.cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ');
    const answer = await send(url, { ...options, headers, ca: this.ca });
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const next = answer.headers.location && new URL(answer.headers.location, url);
    if (next && next.origin === this.origin) return this.#request(next.href);
    // Elsewhere: where it leads is the answer.
    return { ...answer, url: next ? next.href : url, forms: formsOf(answer.text) };
  }

  get(path) {
    return this.#request(new URL(path, this.origin).href);
  }

  /// Fills in the form of a page that posts to `action` and sends it.
  submit(page, action, values = {}) {
    const form = page.forms.find((it) => it.action === action);
    if (!form) {
      const text = page.text.replace(/<(style|script|svg).*?<\/\1>/gs, '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
      throw new Error(`no form for ${action} at ${page.url} (${page.status}): ${text.slice(0, 400)}`);
    }
    return this.#request(new URL(action, this.origin).href, {
      method: 'POST',
      headers: { origin: this.origin, 'sec-fetch-site': 'same-origin' },
      form: { ...form.fields, ...values },
    });
  }

  /// Posts JSON as the script of a page does, with the token of its forms.
  script(page, path, json) {
    const csrf = page.forms.map((form) => form.fields.csrf).find(Boolean);
    return this.#request(new URL(path, this.origin).href, {
      method: 'POST',
      headers: { origin: this.origin, 'sec-fetch-site': 'same-origin', 'x-csrf': csrf },
      json,
    });
  }

  /// Signs up, opens the mail's link and verifies; signed in afterwards.
  async signUp({ name, email, password }, mailFolder) {
    await this.submit(await this.get('/signup'), '/signup', { name, email, password });
    const link = await mailedLink(mailFolder, email, '/verify');
    const page = await this.submit(await this.get(link), '/verify', { password });
    if (new URL(page.url).pathname !== '/my') throw new Error(`verifying led to ${page.url} (${page.status})`);
    return page;
  }

  async signIn({ email, password }) {
    return this.submit(await this.get('/signin'), '/signin', { email, password });
  }
}

/// Somebody new at a server of the test's own, signed up and in.
export async function newcomerAt({ issuer, ca, data }) {
  const person = { name: 'Eva', email: `eva-${randomBytes(6).toString('hex')}@example.com`, password: randomBytes(15).toString('base64url') };
  const visitor = new Visitor(issuer, ca);
  await visitor.signUp(person, join(data, 'mail'));
  return { person, visitor };
}

/// The link to `path` in the newest mail to an address. The mail is written after the answer, so
/// this waits for it.
export async function mailedLink(folder, email, path, within = 10_000) {
  const deadline = Date.now() + within;
  for (;;) {
    const link = linkIn(folder, email, path);
    if (link) return link;
    if (Date.now() > deadline) throw new Error(`no mail to ${email} with a link to ${path} in ${folder}`);
    await new Promise((again) => setTimeout(again, 20));
  }
}

function linkIn(folder, email, path) {
  const mails = readdirSync(folder).filter((name) => name.endsWith('.eml')).map((name) => join(folder, name));
  const age = new Map(mails.map((mail) => [mail, statSync(mail).mtimeMs]));
  for (const mail of mails.sort((a, b) => age.get(b) - age.get(a))) {
    const text = readFileSync(mail, 'utf8').replace(/=\r?\n/g, '').replace(/=3D/g, '=');
    if (!text.includes(`To: ${email}`) && !text.includes(`<${email}>`)) continue;
    const found = text.match(new RegExp(`https://\\S+${path}\\?token=[A-Za-z0-9_-]+`));
    if (found) return found[0];
  }
  return undefined;
}
