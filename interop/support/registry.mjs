// The REST API over the local socket of a data folder: what the operator of the machine may do.

import { join } from 'node:path';
import { send } from './wire.mjs';

export class Registry {
  constructor(dataFolder) {
    this.socket = join(dataFolder, 'admin.sock');
  }

  /// A request that must succeed; its JSON.
  async call(method, path, { json, body, headers } = {}) {
    const answer = await send(`http://localhost${path}`, { socket: this.socket, method, json, body, headers });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.text === '' ? null : answer.json();
  }

  get(path) {
    return this.call('GET', path);
  }

  post(path, json) {
    return this.call('POST', path, { json });
  }
}
