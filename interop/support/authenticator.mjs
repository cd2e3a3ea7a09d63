// A passkey's authenticator as software: one ES256 key for one site, no attestation (Web
// Authentication Level 3 §6).

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const PRESENT_AND_VERIFIED = 0x05;
const ATTESTED = 0x40;

const sha256 = (data) => createHash('sha256').update(data).digest();
const number = (value, bytes) => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
};
/// A CBOR byte string.
const bytesOf = (data) => Buffer.concat([Buffer.from([0x59]), number(data.length, 2), data]);

export class Authenticator {
  constructor(origin) {
    this.origin = origin;
    this.key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.id = randomBytes(32);
    this.counter = 1;
  }

  #client(type, challenge) {
    return Buffer.from(JSON.stringify({ type, challenge, origin: this.origin, crossOrigin: false }));
  }

  #data(flags) {
    return Buffer.concat([sha256(new URL(this.origin).hostname), Buffer.from([flags]), number(this.counter, 4)]);
  }

  #answer(response) {
    const id = this.id.toString('base64url');
    return { id, rawId: id, type: 'public-key', extensions: {}, response };
  }

  /// What `navigator.credentials.create` gives for these options.
  make({ user, challenge }) {
    this.handle = user.id;
    const { x, y } = this.key.publicKey.export({ format: 'jwk' });
    // {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
    const cose = Buffer.concat([
      Buffer.from([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21]), bytesOf(Buffer.from(x, 'base64url')),
      Buffer.from([0x22]), bytesOf(Buffer.from(y, 'base64url')),
    ]);
    const data = Buffer.concat([this.#data(PRESENT_AND_VERIFIED | ATTESTED), Buffer.alloc(16), number(this.id.length, 2), this.id, cose]);
    const object = Buffer.concat([Buffer.from('\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData', 'latin1'), bytesOf(data)]);
    return this.#answer({
      attestationObject: object.toString('base64url'),
      clientDataJSON: this.#client('webauthn.create', challenge).toString('base64url'),
      transports: ['internal'],
    });
  }

  /// What `navigator.credentials.get` gives for these options.
  use({ challenge }) {
    this.counter += 1;
    const client = this.#client('webauthn.get', challenge);
    const data = this.#data(PRESENT_AND_VERIFIED);
    return this.#answer({
      authenticatorData: data.toString('base64url'),
      clientDataJSON: client.toString('base64url'),
      signature: sign('sha256', Buffer.concat([data, sha256(client)]), this.key.privateKey).toString('base64url'),
      userHandle: this.handle,
    });
  }
}
