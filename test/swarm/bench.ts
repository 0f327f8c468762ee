/**
 * One replica on a bench: events go in by short names, effects come out as short lines, so that a test reads as
 * before, events, expected. Pages and blocks are the simulator's.
 */
import * as assert from 'uvu/assert';
import type { Digest } from '../../agent/core/digest.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import { formatVersion, type Version } from '../../agent/core/version.ts';
import type { Effect, Event } from '../../agent/swarm/events.ts';
import type { HeadMessage } from '../../agent/swarm/messages.ts';
import { createReplica, type Replica, type ReplicaOptions } from '../../agent/swarm/replica.ts';
import { createRandom } from '../sim/random.ts';
import { createShare, type FileEdit, type Published, type SimShare } from '../sim/share.ts';

export type Bench = {
  readonly replica: Replica;
  readonly share: SimShare;
  readonly pages: Set<Digest>;
  readonly blocks: Set<Digest>;
  /** Effects of one event, heartbeats and wakes left out. */
  step(event: Event, nowMs?: number): readonly Effect[];
  nowMs(): number;
  wait(ms: number): readonly Effect[];
};

export const [ana, bo, cy] = ['ana', 'bo', 'cy'] as unknown as readonly [PeerId, PeerId, PeerId];

export type BenchOptions = Partial<ReplicaOptions> & {
  readonly share?: SimShare;
  /** What this agent has applied before it starts. */
  readonly at?: Published;
};

export function createBench(options: BenchOptions = {}): Bench {
  const random = createRandom(7);
  const share = options.share ?? createShare(random.fork());
  const pages = new Set<Digest>(options.at?.newPages);
  const blocks = new Set<Digest>(options.at?.newBlocks);
  const head = options.at?.message.head ?? null;
  const replica = createReplica({
    self: 'self' as PeerId,
    writer: false,
    random: random.next,
    applied:
      head === null
        ? null
        : {
            version: head.head.version,
            root: head.head.root,
          },
    head,
    library: {
      page: (digest) => (pages.has(digest) ? share.page(digest) : undefined),
      hasBlock: (digest) => blocks.has(digest),
    },
    ...options,
  });
  let now = 1000;
  const bench: Bench = {
    replica,
    share,
    pages,
    blocks,
    nowMs: () => now,
    step(event, nowMs = now) {
      now = nowMs;
      return replica.step(event, now).filter((effect) => effect.kind !== 'wake' && !isHeartbeat(effect));
    },
    wait(ms) {
      now += ms;
      return bench.step({ kind: 'tick' });
    },
  };
  return bench;
}

export function isHeartbeat(effect: Effect): boolean {
  return effect.kind === 'send' && effect.message.kind === 'status';
}

export function small(path: string, ...bytes: number[]): FileEdit {
  return { path, blocks: bytes };
}

export const joined = (peer: PeerId): Event => ({ kind: 'peerJoined', peer });
export const status = (peer: PeerId, applied: Version | null, head = applied): Event => ({
  kind: 'message',
  peer,
  message: { kind: 'status', applied, head, rosterVersion: 0 },
});
export const have = (peer: PeerId, ...digests: Digest[]): Event => ({
  kind: 'message',
  peer,
  message: { kind: 'have', digests },
});
export const told = (peer: PeerId, message: HeadMessage): Event => ({ kind: 'message', peer, message });
export const gossiped = (message: HeadMessage): Event => ({ kind: 'headGossiped', peer: ana, message });
export const stored = (message: HeadMessage): Event => ({
  kind: 'headStored',
  version: message.head.head.version,
});
export const applied = ({ head }: HeadMessage): Event => ({
  kind: 'applied',
  version: head.head.version,
  root: head.head.root,
});

/** Serves every request that the effects hold, from the share, until nothing more is asked. */
export function serveAll(bench: Bench, effects: readonly Effect[]): readonly Effect[] {
  const seen: Effect[] = [];
  const queue = [...effects];
  for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
    seen.push(effect);
    if (effect.kind !== 'request') continue;
    const { peer, request } = effect;
    for (const digest of request.digests) {
      (request.plane === 'page' ? bench.pages : bench.blocks).add(digest);
      const bytes = bench.share.lengthOf(digest);
      queue.push(...bench.step({ kind: 'stored', peer, id: request.id, digest, bytes }));
    }
  }
  return seen;
}

/** `request ana page 3`, `apply 1.2 changes 4`. */
export function line(effect: Effect): string {
  switch (effect.kind) {
    case 'request':
      return `request ${effect.peer} ${effect.request.plane} ${effect.request.digests.length}`;
    case 'apply':
      return `apply ${formatVersion(effect.head.head.version)} ${effect.changes === null ? 'everything' : `changes ${effect.changes.length}`}`;
    case 'storeHead':
      return `storeHead ${formatVersion(effect.message.head.head.version)}${effect.inline ? ' inline' : ''}`;
    case 'send':
      return `send ${effect.peer} ${effect.message.kind}${effect.message.kind === 'have' ? ` ${effect.message.digests.length}` : ''}`;
    case 'serve':
      return `serve ${effect.peer} ${effect.request.id}`;
    case 'hangUpBlocks':
      return `hangUpBlocks ${effect.peer}`;
    case 'answer':
      return `answer ${effect.peer} ${effect.answer.kind} ${effect.answer.id}`;
    case 'strike':
      return `strike ${effect.peer} ${effect.strikes}`;
    case 'cancel':
      return `cancel ${effect.peer}`;
    case 'assemble':
      return `assemble ${effect.entry.path} ${effect.blocks.length}`;
    case 'gossip':
    case 'halted':
    case 'note':
    case 'wake':
      return effect.kind;
  }
}

export const lines = (effects: readonly Effect[]): string[] => effects.map(line);

/** Feeds the events one after another and compares what comes out of the last. */
export function check(bench: Bench, events: readonly Event[], expected: readonly string[]): void {
  let effects: readonly Effect[] = [];
  for (const event of events) effects = bench.step(event);
  assert.equal(lines(effects), expected);
}
