/** The thread of the TLS sockets: joins `tls-sockets.ts` to the main thread. Runs in a worker thread only. */
import { parentPort } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import type { ToSockets } from './tls-messages.ts';
import { createSockets } from './tls-sockets.ts';

const channel = parentPort;
assert(channel !== null, 'sockets are served in a worker thread');
const sockets = createSockets((message, transfer = []) => channel.postMessage(message, [...transfer]));
channel.on('message', (messages: readonly ToSockets[]) => {
  for (const message of messages) sockets.handle(message);
});
