/** The thread of the TLS sockets: joins `tls-sockets.ts` to the main thread. Runs in a worker thread only. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { createPace } from './pace.ts';
import type { SocketMemory, ToSockets } from './tls-messages.ts';
import { createSockets } from './tls-sockets.ts';

const channel = parentPort;
assert(channel !== null, 'sockets are served in a worker thread');
const { upload, download }: SocketMemory = workerData;
const sockets = createSockets((message, transfer = []) => channel.postMessage(message, [...transfer]), {
  upload: createPace(upload),
  download: createPace(download),
});
channel.on('message', (messages: readonly ToSockets[]) => {
  for (const message of messages) sockets.handle(message);
});
