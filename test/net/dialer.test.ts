import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PeerId } from '../../agent/core/keys.ts';
import { createDialer, type Dialer } from '../../agent/net/dialer.ts';
import type { HostHandlers } from '../../agent/net/host.ts';
import { closeAll, startTestHost, type TestHost } from './hosts.ts';

type Agent = {
  readonly host: TestHost;
  readonly dialer: Dialer;
  readonly linked: Set<PeerId>;
  until(count: number): Promise<void>;
};

/** A host with its dialer, joined as the daemon joins them. */
async function startAgent(
  bootstrap: readonly string[] = [],
  listen = '127.0.0.1:0',
  seed?: Uint8Array,
): Promise<Agent> {
  const linked = new Set<PeerId>();
  const waiting = new Set<() => void>();
  const changed = () => {
    for (const wake of waiting) wake();
  };
  const joined: { dialer?: Dialer } = {};
  const handlers: Partial<HostHandlers> = {
    connected(connected) {
      linked.add(connected.peer);
      joined.dialer?.connected(connected);
      changed();
    },
    disconnected(peer) {
      linked.delete(peer);
      joined.dialer?.disconnected(peer);
      changed();
    },
  };
  const host = await startTestHost({ listen: [listen], ...(seed === undefined ? {} : { seed }) }, handlers);
  const dialer = createDialer(host, { bootstrap, note: () => {} });
  joined.dialer = dialer;
  return {
    host,
    dialer,
    linked,
    async until(count) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(() => reject(new Error(`${linked.size} links, not ${count}`)), 10_000);
      const check = () => linked.size === count && resolve();
      waiting.add(check);
      check();
      await promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(check);
      });
    },
  };
}

async function stop(...agents: readonly Agent[]): Promise<void> {
  await Promise.all(agents.map((agent) => agent.dialer.close()));
  await closeAll(...agents.map((agent) => agent.host));
}

const candidates = (agents: readonly Agent[]) =>
  agents.map(({ host }) => ({ peer: host.peer, addresses: host.addresses() }));

test('members that learn of each other at once become a full mesh', async () => {
  const agents = await Promise.all(Array.from({ length: 6 }, () => startAgent()));
  for (const agent of agents) agent.dialer.members(candidates(agents));
  await Promise.all(agents.map((agent) => agent.until(5)));
  await stop(...agents);
});

test('a static address is dialed though nobody knows who is there, and again after a loss', async () => {
  const seed = new Uint8Array(32).fill(5);
  const first = await startAgent([], '127.0.0.1:0', seed);
  const port = /tcp\/(\d+)/.exec(first.host.addresses()[0] ?? '')?.[1];
  const newcomer = await startAgent([`127.0.0.1:${port}`]);
  await newcomer.until(1);
  assert.ok(newcomer.linked.has(first.host.peer));
  await stop(first);
  await newcomer.until(0);
  const again = await startAgent([], `127.0.0.1:${port}`, seed);
  await newcomer.until(1);
  await stop(newcomer, again);
});

test('close ends a dial in progress', async () => {
  // Nobody answers there, and nobody refuses either.
  const host = await startTestHost();
  const dials: AbortSignal[] = [];
  const silent = {
    peer: host.peer,
    dial: (_addresses: readonly string[], { signal }: { readonly signal: AbortSignal }) => {
      dials.push(signal);
      return new Promise<PeerId>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    },
  };
  const dialer = createDialer(silent, { bootstrap: ['192.0.2.1:1'], note: () => assert.unreachable() });
  dialer.members([]);
  assert.is(dials.length, 1);
  await dialer.close();
  assert.ok(dials[0]?.aborted);
  dialer.members([{ peer: 'x' as PeerId, addresses: ['192.0.2.1:1'] }]);
  assert.is(dials.length, 1, 'nothing is dialed after close');
  await host.close();
});

test.run();
