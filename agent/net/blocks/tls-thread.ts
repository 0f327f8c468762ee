/** The worker thread of the TLS sockets, as the main thread holds it. Owns the thread; decides nothing. */
import { Worker } from 'node:worker_threads';
import type { FromSockets, SocketMemory, ToSockets } from './tls-messages.ts';

export type TlsThread = {
  post(message: ToSockets, transfer?: readonly ArrayBuffer[]): void;
  /** Ends the thread and every socket in it. Safe to call twice. */
  close(): Promise<void>;
};

/** @param ended the thread ended by itself: nothing more comes. */
export function startTlsThread(
  workerData: SocketMemory,
  receive: (message: FromSockets) => void,
  ended: (reason: string) => void,
): TlsThread {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const worker = new Worker(new URL(`./tls-worker${extension}`, import.meta.url), { workerData });
  // Changes while running.
  let over = false;
  let messages: ToSockets[] = [];
  let transfers: ArrayBuffer[] = [];
  /** All that is said in one turn goes as one: a message between threads costs as much as 4 KiB of block. */
  const flush = () => {
    if (!over) worker.postMessage(messages, transfers);
    messages = [];
    transfers = [];
  };
  const end = (reason: string) => {
    if (over) return;
    over = true;
    ended(reason);
  };
  worker.on('message', (message: FromSockets) => {
    if (!over) receive(message);
  });
  worker.on('error', (error: unknown) => end(error instanceof Error ? error.message : String(error)));
  worker.on('exit', (code) => end(`exit code ${code}`));
  return {
    post(message, transfer = []) {
      if (over) return;
      if (messages.length === 0) setImmediate(flush);
      messages.push(message);
      transfers.push(...transfer);
    },
    async close() {
      over = true;
      await worker.terminate();
    },
  };
}
