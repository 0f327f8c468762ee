/** Real hosts on 127.0.0.1 whose handlers record what they are told. */
import { randomBytes } from 'node:crypto';
import type { Bytes } from '../../agent/base/bytes.ts';
import { type ErrorCode, P2psyncError } from '../../agent/base/errors.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import type { Host, HostHandlers, HostOptions } from '../../agent/net/host.ts';
import { startHost } from '../../agent/net/host.ts';
import type { BlockAnswer, SharedRequest } from '../../agent/swarm/messages.ts';

export type Recorded =
  | {
      readonly kind: 'connected';
      readonly peer: PeerId;
      readonly direction: string;
      readonly address: string;
    }
  | { readonly kind: 'disconnected'; readonly peer: PeerId; readonly reason: string }
  | { readonly kind: 'control'; readonly peer: PeerId; readonly frame: Bytes }
  | { readonly kind: 'request'; readonly peer: PeerId; readonly request: SharedRequest }
  | { readonly kind: 'cancelled'; readonly peer: PeerId; readonly id: number }
  | { readonly kind: 'answer'; readonly peer: PeerId; readonly answer: BlockAnswer }
  | { readonly kind: 'lost'; readonly peer: PeerId }
  | { readonly kind: 'note'; readonly text: string; readonly fields: object };

export type TestHost = Host & {
  readonly events: Recorded[];
  /** The first event that fits, now or later; fails after 8 s. */
  until(fits: (event: Recorded) => boolean, extraMs?: number): Promise<Recorded>;
  count(kind: Recorded['kind'], peer?: PeerId): number;
};

export async function startTestHost(
  options: Partial<HostOptions> = {},
  handlers: Partial<HostHandlers> = {},
): Promise<TestHost> {
  const events: Recorded[] = [];
  const waiting = new Set<() => void>();
  function record(event: Recorded): void {
    events.push(event);
    for (const wake of waiting) wake();
  }
  const host = await startHost(
    {
      seed: randomBytes(32),
      listen: ['127.0.0.1:0'],
      announce: [],
      connectionsMax: 100,
      discovery: 'static',
      ...options,
    },
    {
      allow: () => true,
      allowAddress: () => true,
      connected: (connected) => record({ kind: 'connected', ...connected }),
      disconnected: (peer, reason) => record({ kind: 'disconnected', peer, reason }),
      control: (peer, frame) => record({ kind: 'control', peer, frame }),
      blockRequest: (peer, request) => record({ kind: 'request', peer, request }),
      blockCancelled: (peer, id) => record({ kind: 'cancelled', peer, id }),
      blockAnswer: (peer, answer) => record({ kind: 'answer', peer, answer }),
      requestsLost: (peer) => record({ kind: 'lost', peer }),
      note: (text, fields) => record({ kind: 'note', text, fields }),
      ...handlers,
    },
  );
  return {
    ...host,
    events,
    count: (kind, peer) =>
      events.filter(
        (event) => event.kind === kind && (peer === undefined || ('peer' in event && event.peer === peer)),
      ).length,
    async until(fits, extraMs = 0) {
      return await untilTrue(
        () => events.find(fits),
        (wake) => {
          waiting.add(wake);
          return () => waiting.delete(wake);
        },
        () => `saw only ${JSON.stringify(events.map((event) => event.kind))}`,
        8_000 + extraMs,
      );
    },
  };
}

/** Both dial nothing yet: `left` dials `right`; resolves when both ends say `connected`. */
export async function connect(left: TestHost, right: TestHost): Promise<void> {
  await left.dial(right.addresses(), { peer: right.peer, signal: AbortSignal.timeout(8_000) });
  await right.until((event) => event.kind === 'connected' && event.peer === left.peer);
}

/** Connected and admitted, both ways. */
export async function befriend(left: TestHost, right: TestHost): Promise<void> {
  left.admit(right.peer);
  right.admit(left.peer);
  await connect(left, right);
}

export async function closeAll(...hosts: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.all(hosts.map((host) => host.close()));
}

/** The code with which it fails; undefined where it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof P2psyncError) return error.code;
    throw error;
  }
}

export const ofKind =
  (kind: Recorded['kind'], peer?: PeerId) =>
  (event: Recorded): boolean =>
    event.kind === kind && (peer === undefined || ('peer' in event && event.peer === peer));

async function untilTrue<T>(
  look: () => T | undefined,
  subscribe: (wake: () => void) => () => void,
  describe: () => string,
  deadlineMs: number,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error(`did not happen in time; ${describe()}`)), deadlineMs);
  const check = () => {
    const found = look();
    if (found !== undefined) resolve(found);
  };
  const unsubscribe = subscribe(check);
  check();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    unsubscribe();
  }
}
