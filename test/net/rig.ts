/** The sockets of the bulk plane in this thread, and what they say. */
import { randomBytes } from 'node:crypto';
import { toHex } from '../../agent/base/bytes.ts';
import { createPace } from '../../agent/net/blocks/pace.ts';
import type { FromSockets, Psk, ToSockets } from '../../agent/net/blocks/tls-messages.ts';
import { createSockets, type SocketPaces } from '../../agent/net/blocks/tls-sockets.ts';

export type Rig = {
  readonly port: number;
  readonly said: FromSockets[];
  tell(message: ToSockets): void;
  until(fits: (message: FromSockets) => boolean): Promise<FromSockets>;
  close(): void;
};

/** Listens on a port of 127.0.0.1. @param allow of each `IP:PORT` that knocks. */
export async function startRig(
  allow: (address: string) => boolean = () => true,
  paces: SocketPaces = { upload: createPace(), download: createPace() },
): Promise<Rig> {
  const said: FromSockets[] = [];
  const waiting = new Set<() => void>();
  const sockets = createSockets((message) => {
    said.push(message);
    // As the main thread answers: in a turn of its own.
    if (message.kind === 'knock') {
      const { knock, address } = message;
      setImmediate(() => sockets.handle({ kind: 'knockAnswer', knock, allowed: allow(address) }));
    }
    for (const wake of waiting) wake();
  }, paces);
  async function until(fits: (message: FromSockets) => boolean): Promise<FromSockets> {
    const { promise, resolve, reject } = Promise.withResolvers<FromSockets>();
    const kinds = () => JSON.stringify(said.map(({ kind }) => kind));
    const timer = setTimeout(() => reject(new Error(`did not happen: ${kinds()}`)), 8_000);
    const look = () => {
      const found = said.find(fits);
      if (found !== undefined) resolve(found);
    };
    waiting.add(look);
    look();
    return await promise.finally(() => {
      clearTimeout(timer);
      waiting.delete(look);
    });
  }
  sockets.handle({ kind: 'listen', hosts: ['127.0.0.1'], port: 0 });
  const listening = await until(({ kind }) => kind === 'listening');
  return {
    port: listening.kind === 'listening' ? listening.port : 0,
    said,
    tell: (message) => sockets.handle(message),
    until,
    close: () => sockets.close(),
  };
}

export function freshPsk(): Psk {
  return { identity: toHex(new Uint8Array(randomBytes(16))), key: new Uint8Array(randomBytes(32)) };
}

export const ofLink = (kind: FromSockets['kind'], link: number) => (message: FromSockets) =>
  message.kind === kind && 'link' in message && message.link === link;
