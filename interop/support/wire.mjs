// One HTTP request: over TLS to a given authority, with or without a client certificate, or over
// a local socket. Redirects are answers here, not followed.

import http from 'node:http';
import https from 'node:https';

/// Called with every request and its answer, where a test wants to know all that was said.
export const witness = { sees: () => {} };

/// Sends and reads the whole answer: `{status, headers, text, json()}`.
export function send(url, { method = 'GET', headers = {}, form, json, body, ca, cert, key, socket } = {}) {
  const given = { ...headers };
  let bytes = body;
  if (form) {
    given['content-type'] = 'application/x-www-form-urlencoded';
    bytes = new URLSearchParams(form).toString();
  } else if (json !== undefined) {
    given['content-type'] ??= 'application/json';
    bytes = JSON.stringify(json);
  }
  if (bytes !== undefined) given['content-length'] = Buffer.byteLength(bytes);
  const target = new URL(url);
  const way = socket
    ? { socketPath: socket, path: target.pathname + target.search }
    : { hostname: target.hostname, port: target.port, path: target.pathname + target.search, ca, cert, key };
  return new Promise((resolve, reject) => {
    const request = (socket ? http : https).request({ ...way, method, headers: given, agent: false }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        const told = { status: answer.statusCode, headers: answer.headers, text, json: () => JSON.parse(text) };
        witness.sees({ url: target, headers: given, body: bytes, answer: told });
        resolve(told);
      });
    });
    request.on('error', reject);
    request.end(bytes);
  });
}
