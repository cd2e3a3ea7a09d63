// An identity provider of somebody else's (`oidc-provider`), as a maker keeps their customers in,
// and a customer who signs in there.

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import http from 'node:http';
import Provider from 'oidc-provider';
import { CALLBACK } from './app.mjs';

export class ForeignProvider {
  /// Starts one on a port of this machine; its JWT access tokens are for `audience`.
  static async start(audience, clients = ['speaker-app']) {
    const foreign = Object.assign(new ForeignProvider(), { asked: [] });
    foreign.server = http.createServer((request, answer) => {
      foreign.asked.push(request.url);
      foreign.callback(request, answer);
    });
    await new Promise((resolve) => foreign.server.listen(0, '127.0.0.1', resolve));
    foreign.issuer = `http://127.0.0.1:${foreign.server.address().port}`;
    const app = { token_endpoint_auth_method: 'none', application_type: 'native', redirect_uris: [CALLBACK] };
    const server = { scope: 'openid', audience, accessTokenFormat: 'jwt', accessTokenTTL: 300 };
    const provider = new Provider(foreign.issuer, {
      clients: clients.map((client_id) => ({ ...app, client_id, grant_types: ['authorization_code'] })),
      jwks: { keys: [{ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), kid: 'sig-1', use: 'sig', alg: 'RS256' }] },
      cookies: { keys: [randomBytes(16).toString('hex')] },
      features: {
        devInteractions: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => audience,
          useGrantedResource: () => true,
          getResourceServerInfo: () => server,
        },
      },
      findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId, name: 'Adam' }) }),
    });
    foreign.callback = provider.callback();
    return foreign;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  /// A customer signs in and allows what the app asks: its tokens.
  async signIn(login, client_id = 'speaker-app') {
    const verifier = randomBytes(32).toString('base64url');
    const asked = new URLSearchParams({
      response_type: 'code',
      client_id,
      redirect_uri: CALLBACK,
      scope: 'openid',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const browser = new Browser(this.issuer);
    let place = await browser.go(`/auth?${asked}`);
    for (const form of [{ prompt: 'login', login, password: 'x' }, { prompt: 'consent' }]) {
      place = await browser.go(place, form);
    }
    const code = new URL(place).searchParams.get('code');
    if (!code) throw new Error(`no code came back: ${place}`);
    const form = { grant_type: 'authorization_code', client_id, code, redirect_uri: CALLBACK, code_verifier: verifier };
    const answer = await fetch(`${this.issuer}/token`, { method: 'POST', body: new URLSearchParams(form) });
    const tokens = await answer.json();
    if (!answer.ok) throw new Error(`the code was refused: ${JSON.stringify(tokens)}`);
    return tokens;
  }
}

/// Cookies and redirects, no more; stops at a page, and where the app is called back.
class Browser {
  constructor(origin) {
    this.origin = origin;
    this.cookies = new Map();
  }

  async go(place, form) {
    let url = new URL(place, this.origin);
    let body = form && new URLSearchParams(form);
    for (let steps = 0; steps < 10; steps += 1) {
      if (url.origin !== this.origin) return url.href;
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const method = body ? 'POST' : 'GET';
      const answer = await fetch(url, { method, headers: { cookie }, body, redirect: 'manual' });
      body = undefined;
      for (const field of answer.headers.getSetCookie()) {
        const [pair] = field.split(';');
        this.cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
      }
      const next = answer.headers.get('location');
      await answer.arrayBuffer();
      if (!next) return url.href;
      url = new URL(next, url);
    }
    throw new Error(`it leads nowhere: ${url}`);
  }
}
