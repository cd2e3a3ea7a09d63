// An app that asks a person for access by code, without a library: the page's answer, then the token.

import { createHash, randomBytes } from 'node:crypto';
import { send } from './wire.mjs';

/// Nobody listens there: the visitor stops at the redirect.
export const CALLBACK = 'http://127.0.0.1:9/callback';

/// The field `Authorization` of a client with a secret (RFC 6749 §2.3.1).
export function basicOf({ client_id: id, client_secret: secret }) {
  return `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;
}

/// Leads a signed-in visitor through the authorization endpoint, allowing what is asked, and
/// redeems the code.
export async function codeFlow(visitor, client, scope) {
  const verifier = randomBytes(32).toString('base64url');
  const asked = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: CALLBACK,
    scope,
    state: randomBytes(16).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const back = new URL(await allow(visitor, `/authorize?${asked}`));
  const code = back.searchParams.get('code');
  if (!code) throw new Error(`no code came back: ${back}`);
  const answer = await send(`${visitor.origin}/token`, {
    method: 'POST',
    ca: visitor.ca,
    headers: { authorization: basicOf(client) },
    form: { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier },
  });
  if (answer.status !== 200) throw new Error(`the code was refused: ${answer.text}`);
  return answer.json();
}

/// Opens an authorization request, says yes if asked, and returns where it leads.
export async function allow(visitor, url) {
  let page = await visitor.get(url);
  if (page.forms.some((form) => form.action === '/consent')) {
    page = await visitor.submit(page, '/consent', { decision: 'allow' });
  }
  return page.url;
}
