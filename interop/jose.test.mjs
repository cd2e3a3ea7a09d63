// Signed tokens and encrypted messages against `jose` of npm, both ways: what either writes, the
// other reads, for every algorithm, curve and form both know.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import {
  base64url, CompactEncrypt, compactDecrypt, CompactSign, compactVerify, exportJWK, GeneralEncrypt, generalDecrypt,
  generateKeyPair,
} from 'jose';

const SIGNATURES = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];
const CURVES = ['P-256', 'P-384', 'X25519'];
const AGREEMENTS = ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW'];
const CONTENTS = ['A128GCM', 'A256GCM'];
const utf8 = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);

let ours, answers;

before(() => {
  ours = spawn(process.env.KEYFOB_JOSE, { stdio: ['pipe', 'pipe', 'inherit'] });
  answers = createInterface({ input: ours.stdout })[Symbol.asyncIterator]();
});

after(async () => {
  ours.stdin.end();
  const [code] = await once(ours, 'exit');
  assert.equal(code, 0);
});

async function asked(request) {
  ours.stdin.write(`${JSON.stringify(request)}\n`);
  return JSON.parse((await answers.next()).value);
}

async function ask(request) {
  const answer = await asked(request);
  assert.ok('ok' in answer, answer.error);
  return answer.ok;
}

async function pair(alg, options) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true, ...options });
  const exported = await crypto.subtle.exportKey('pkcs8', privateKey);
  const bare = ({ key_ops: _, ext: __, ...jwk }) => jwk;
  return {
    publicKey,
    privateKey,
    pkcs8: base64url.encode(new Uint8Array(exported)),
    jwk: bare(await exportJWK(publicKey)),
    privateJwk: bare(await exportJWK(privateKey)),
  };
}

for (const alg of SIGNATURES) {
  test(`a signature with ${alg} is read on the other side, and an altered one is not`, async () => {
    const key = await pair(alg);
    const theirs = await new CompactSign(utf8('{"a":1}')).setProtectedHeader({ alg, typ: 'x+jwt' }).sign(key.privateKey);
    assert.equal(await ask({ do: 'verify', alg, jwk: key.jwk, token: theirs }), '{"a":1}');

    const mine = await ask({ do: 'sign', alg, key: key.pkcs8, typ: 'x+jwt', payload: '{"b":2}' });
    const { payload, protectedHeader } = await compactVerify(mine, key.publicKey, { algorithms: [alg] });
    assert.equal(text(payload), '{"b":2}');
    assert.equal(protectedHeader.typ, 'x+jwt');

    const altered = theirs.replace('.', '.A');
    assert.ok((await asked({ do: 'verify', alg, jwk: key.jwk, token: altered })).error);
    await assert.rejects(compactVerify(mine.replace('.', '.A'), key.publicKey));
  });
}

test('a tag with HS256 is read on the other side', async () => {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const key = base64url.encode(secret);
  const theirs = await new CompactSign(utf8('{}')).setProtectedHeader({ alg: 'HS256' }).sign(secret);
  assert.equal(await ask({ do: 'verify', alg: 'HS256', key, token: theirs }), '{}');
  const mine = await ask({ do: 'sign', alg: 'HS256', key, typ: 'x+jwt', payload: '{}' });
  assert.equal(text((await compactVerify(mine, secret)).payload), '{}');
});

for (const crv of CURVES) {
  for (const alg of AGREEMENTS) {
    test(`a message by ${alg} over ${crv} opens on the other side`, async () => {
      const key = await pair(alg, { crv });
      for (const enc of CONTENTS) {
        const mine = await ask({ do: 'encrypt', alg, enc, keys: [key.jwk], apu: 'sender', apv: 'dev_1', plaintext: 'hello' });
        const opened = await compactDecrypt(mine, key.privateKey, {
          keyManagementAlgorithms: [alg],
          contentEncryptionAlgorithms: [enc],
        });
        assert.equal(text(opened.plaintext), 'hello');
        assert.equal(opened.protectedHeader.apv, base64url.encode('dev_1'));

        const theirs = await new CompactEncrypt(utf8('welcome'))
          .setProtectedHeader({ alg, enc, kid: 'k' })
          .setKeyManagementParameters({ apu: utf8('backend'), apv: utf8('dev_1') })
          .encrypt(key.publicKey);
        const request = { do: 'decrypt', alg, jwk: key.privateJwk };
        assert.equal(await ask({ ...request, message: theirs }), 'welcome');
        assert.ok((await asked({ ...request, message: theirs.replace('..', '.AAAA.').replace(/.$/, '') })).error);
      }
    });
  }
}

test('one message in JSON form opens for each of its recipients on the other side', async () => {
  for (const alg of ['ECDH-ES+A128KW', 'ECDH-ES+A256KW']) {
    const keys = await Promise.all(CURVES.map((crv) => pair(alg, { crv })));
    const mine = JSON.parse(
      await ask({ do: 'encrypt', alg, enc: 'A256GCM', keys: keys.map((key) => key.jwk), apu: 'a', apv: 'b', plaintext: 'all' }),
    );
    const message = new GeneralEncrypt(utf8('everyone')).setProtectedHeader({ enc: 'A128GCM' });
    for (const key of keys) {
      message.addRecipient(key.publicKey).setUnprotectedHeader({ alg });
    }
    const theirs = await message.encrypt();
    for (const key of keys) {
      assert.equal(text((await generalDecrypt(mine, key.privateKey)).plaintext), 'all');
      assert.equal(await ask({ do: 'decrypt', alg, jwk: key.privateJwk, message: theirs }), 'everyone');
    }
  }
});

test('a signed token inside is found on both sides, and an unsigned one is refused', async () => {
  const signer = await pair('ES256');
  const recipient = await pair('ECDH-ES', { crv: 'P-256' });
  const token = await new CompactSign(utf8('{"cmd":"lock.open"}'))
    .setProtectedHeader({ alg: 'ES256', typ: 'cmd+jwt' })
    .sign(signer.privateKey);
  const sealed = await ask({ do: 'encrypt', alg: 'ECDH-ES', enc: 'A256GCM', keys: [recipient.jwk], token });
  const opened = await compactDecrypt(sealed, recipient.privateKey);
  assert.equal(opened.protectedHeader.cty, 'JWT');
  assert.equal(text((await compactVerify(opened.plaintext, signer.publicKey)).payload), '{"cmd":"lock.open"}');

  const theirs = (content, header) =>
    new CompactEncrypt(utf8(content)).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', ...header }).encrypt(recipient.publicKey);
  const inside = async (message) => asked({ do: 'decrypt', alg: 'ECDH-ES', jwk: recipient.privateJwk, inside: 'token', message });
  assert.equal((await inside(await theirs(token, { cty: 'JWT' }))).ok, token);
  assert.ok((await inside(await theirs(token, {}))).error, 'without cty');
  assert.ok((await inside(await theirs('{"cmd":"lock.open"}', { cty: 'JWT' }))).error, 'unsigned');
});
