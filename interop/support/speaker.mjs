// A device that signs: its key, and the actor tokens and proofs it makes with it.

import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { send } from './wire.mjs';

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/// A JWT signed with ES256.
export function jwtOf(header, claims, key) {
  const text = `${part({ alg: 'ES256', ...header })}.${part(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/// Of a key on P-256 (RFC 7638 §3).
export function thumbprint({ crv, kty, x, y }) {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

export class Speaker {
  constructor({ model, serial }) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.key = privateKey;
    this.jwk = publicKey.export({ format: 'jwk' });
    this.model = model;
    this.serial = serial;
    this.did = `maker.${serial}`;
  }

  /// Says who it is and shows its key; good once, for five minutes.
  actorToken(issuer) {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: this.did, sub: this.did, did: this.did, aud: issuer, jti: randomUUID() };
    const told = { ...claims, iat: now, exp: now + 300, model: this.model, serial_number: this.serial };
    return jwtOf({ typ: 'actor+jwt' }, { ...told, cnf: { jwk: this.jwk } }, this.key);
  }

  /// A proof of the key for one POST (RFC 9449 §4.2).
  proof(url, nonce) {
    const claims = { htm: 'POST', htu: url, iat: Math.floor(Date.now() / 1000), jti: randomUUID(), nonce };
    return jwtOf({ typ: 'dpop+jwt', jwk: this.jwk }, claims, this.key);
  }

  /// Posts a form with a proof, again with the nonce if one is asked for.
  async post(url, ca, form) {
    let nonce;
    for (;;) {
      const answer = await send(url, { method: 'POST', ca, headers: { dpop: this.proof(url, nonce) }, form });
      if (nonce || answer.status === 200 || answer.json().error !== 'use_dpop_nonce') return answer;
      nonce = answer.headers['dpop-nonce'];
    }
  }

  /// The form of an exchange that registers it for the customer of a token.
  exchange(issuer, subjectToken, wishes) {
    return {
      grant_type: EXCHANGE,
      subject_token: subjectToken,
      subject_token_type: `${TOKEN_TYPE}:access_token`,
      actor_token: this.actorToken(issuer),
      actor_token_type: `${TOKEN_TYPE}:jwt`,
      ...wishes,
    };
  }
}
