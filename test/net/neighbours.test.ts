import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dialsAtOnceMax, linkProvenMs, neighboursWanted, redialMaxMs } from '../../agent/base/limits.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import {
  createNeighbours,
  type DialEffect,
  dialsFirst,
  type NeighbourEvent,
  type Neighbours,
} from '../../agent/net/neighbours.ts';

const peerOf = (index: number): PeerId => `peer-${index}` as PeerId;
const membersBut = (count: number, self: number) =>
  Array.from({ length: count }, (_, index) => ({ peer: peerOf(index), addresses: [`a${index}:1`] })).filter(
    (member) => member.peer !== peerOf(self),
  );

/** mulberry32: the same run for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

type Agent = { readonly neighbours: Neighbours; readonly links: Set<number>; alive: boolean };

/** Agents that dial each other on a network where every connection takes 5 to 50 ms; runs for `forMs`. */
function simulate(options: {
  count: number;
  seed: number;
  dead?: ReadonlySet<number>;
  forMs: number;
}): Agent[] {
  const random = seeded(options.seed);
  const queue = new Map<number, (() => void)[]>();
  const agents: Agent[] = [];
  let nowMs = 0;
  const at = (timeMs: number, run: () => void) => {
    const slot = Math.max(nowMs + 1, Math.ceil(timeMs));
    const jobs = queue.get(slot);
    if (jobs === undefined) queue.set(slot, [run]);
    else jobs.push(run);
  };
  const wakes: number[] = [];

  function feed(index: number, event: NeighbourEvent): void {
    const agent = agents[index];
    if (agent === undefined || !agent.alive) return;
    const dials = agent.neighbours.step(event, nowMs);
    assert.ok(dials.length <= dialsAtOnceMax);
    for (const dial of dials) at(nowMs + 5 + random() * 45, () => finish(index, dial));
    const nextMs = agent.neighbours.nextMs();
    if (Number.isFinite(nextMs) && !(Math.ceil(nextMs) === wakes[index])) {
      wakes[index] = Math.ceil(nextMs);
      at(nextMs, () => feed(index, { kind: 'tick' }));
    }
  }

  function finish(index: number, dial: DialEffect): void {
    const other = Number(dial.addresses[0]?.slice(1).split(':')[0]);
    const target = agents[other];
    if (target === undefined || !target.alive || !target.neighbours.accepts(peerOf(index))) {
      return feed(index, { kind: 'dialed', key: dial.key, peer: null });
    }
    if (!agents[index]?.links.has(other)) {
      agents[index]?.links.add(other);
      target.links.add(index);
      feed(other, { kind: 'connected', peer: peerOf(index) });
      feed(index, { kind: 'connected', peer: peerOf(other) });
    }
    feed(index, { kind: 'dialed', key: dial.key, peer: peerOf(other) });
  }

  for (let index = 0; index < options.count; index += 1) {
    const neighbours = createNeighbours({ self: peerOf(index), bootstrap: [], random });
    agents.push({ neighbours, links: new Set(), alive: !options.dead?.has(index) });
  }
  for (let index = 0; index < options.count; index += 1) {
    at(random() * 1000, () => feed(index, { kind: 'members', members: membersBut(options.count, index) }));
  }
  while (queue.size > 0 && nowMs < options.forMs) {
    nowMs += 1;
    const jobs = queue.get(nowMs);
    queue.delete(nowMs);
    for (const job of jobs ?? []) job();
  }
  return agents;
}

function reachable(agents: readonly Agent[]): number {
  const start = agents.findIndex((agent) => agent.alive);
  const seen = new Set([start]);
  const stack = [start];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (const next of agents[at]?.links ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      stack.push(next);
    }
  }
  return seen.size;
}

test('makes a full mesh of up to 24 members', () => {
  for (const count of [2, 3, 24]) {
    for (const agent of simulate({ count, seed: count, forMs: 5_000 }))
      assert.is(agent.links.size, count - 1);
  }
});

test('of a larger mesh makes one connected graph in which everyone has neighbours, and nobody too many', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 25, max: 150 }),
      fc.nat(),
      fc.double({ min: 0, max: 0.4, noNaN: true }),
      (count, seed, share) => {
        const random = seeded(seed);
        const dead = new Set(
          Array.from({ length: count }, (_, index) => index).filter(() => random() < share),
        );
        if (count - dead.size < 25) return;
        const agents = simulate({ count, seed, dead, forMs: 10_000 });
        const living = agents.filter((agent) => agent.alive);
        assert.is(reachable(agents), living.length);
        for (const agent of living) {
          assert.ok(agent.links.size >= neighboursWanted / 2, `${agent.links.size} links`);
          assert.ok(agent.links.size <= 2 * neighboursWanted, `${agent.links.size} links`);
        }
      },
    ),
    { numRuns: 8 },
  );
});

test('connects a thousand members of whom a fifth is dead', () => {
  const dead = new Set(Array.from({ length: 200 }, (_, index) => index * 5));
  const agents = simulate({ count: 1000, seed: 7, dead, forMs: 4_000 });
  assert.is(reachable(agents), 800);
  for (const agent of agents) {
    if (!agent.alive) continue;
    assert.ok(agent.links.size >= neighboursWanted / 2);
    assert.ok(agent.links.size <= 2 * neighboursWanted);
  }
});

test('exactly one of two peers dials first', () => {
  let first = 0;
  for (let index = 0; index < 200; index += 1) {
    assert.is.not(dialsFirst(peerOf(index), peerOf(1000)), dialsFirst(peerOf(1000), peerOf(index)));
    if (dialsFirst(peerOf(index), peerOf(1000))) first += 1;
  }
  assert.ok(first > 60 && first < 140);
});

const noJitter = () => 0.999;

/** Steps to the next due time until a dial starts; gives that time. */
function nextDial(neighbours: Neighbours): { readonly atMs: number; readonly dials: DialEffect[] } {
  const atMs = neighbours.nextMs();
  return { atMs, dials: neighbours.step({ kind: 'tick' }, atMs) };
}

test('repeats a failed dial for ever, with growing pauses up to the most', () => {
  const neighbours = createNeighbours({ self: peerOf(0), bootstrap: ['a1:1'], random: noJitter });
  let dials = neighbours.step({ kind: 'tick' }, 0);
  let nowMs = 0;
  const pauses: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    assert.is(dials.length, 1);
    assert.equal(neighbours.step({ kind: 'dialed', key: dials[0]?.key ?? '', peer: null }, nowMs), []);
    const next = nextDial(neighbours);
    pauses.push(next.atMs - nowMs);
    nowMs = next.atMs;
    dials = next.dials;
  }
  assert.ok((pauses[0] ?? 0) <= 500 && (pauses[0] ?? 0) >= 250);
  assert.ok((pauses.at(-1) ?? 0) <= redialMaxMs && (pauses.at(-1) ?? 0) >= redialMaxMs / 2);
  for (let at = 1; at < pauses.length; at += 1) assert.ok((pauses[at] ?? 0) >= (pauses[at - 1] ?? 0));
});

test('redials at once after the loss of a proven link, and later and later where a link never lasts', () => {
  const self = peerOf(0);
  const other = [1, 2, 3, 4].map(peerOf).find((peer) => dialsFirst(self, peer)) ?? peerOf(1);
  const neighbours = createNeighbours({ self, bootstrap: [], random: () => 0 });
  const first = neighbours.step({ kind: 'members', members: [{ peer: other, addresses: ['x:1'] }] }, 0);
  assert.is(first.length, 1);
  neighbours.step({ kind: 'connected', peer: other }, 10);
  neighbours.step({ kind: 'dialed', key: other, peer: other }, 11);
  const again = neighbours.step({ kind: 'disconnected', peer: other }, 10 + linkProvenMs);
  assert.is(again.length, 1, 'at once');
  let nowMs = 20_000;
  let lastPauseMs = 0;
  for (let round = 0; round < 5; round += 1) {
    neighbours.step({ kind: 'connected', peer: other }, nowMs);
    neighbours.step({ kind: 'dialed', key: other, peer: other }, nowMs);
    assert.equal(neighbours.step({ kind: 'disconnected', peer: other }, nowMs + 5), []);
    const next = nextDial(neighbours);
    assert.is(next.dials.length, 1);
    assert.ok(next.atMs - nowMs > lastPauseMs);
    lastPauseMs = next.atMs - nowMs;
    nowMs = next.atMs;
  }
});

test('asks a static address who is there, and then knows it as a member', () => {
  const neighbours = createNeighbours({ self: peerOf(0), bootstrap: ['seed:1'], random: noJitter });
  const [dial] = neighbours.step({ kind: 'tick' }, 0);
  assert.equal(dial, { key: 'address seed:1', peer: null, addresses: ['seed:1'] });
  neighbours.step({ kind: 'connected', peer: peerOf(1) }, 5);
  neighbours.step({ kind: 'dialed', key: 'address seed:1', peer: peerOf(1) }, 5);
  // The roster names it, without an address: the static one serves.
  assert.equal(neighbours.step({ kind: 'members', members: [{ peer: peerOf(1), addresses: [] }] }, 6), []);
  neighbours.step({ kind: 'disconnected', peer: peerOf(1) }, 20_000);
  const { dials } = nextDial(neighbours);
  assert.equal(dials, [{ key: peerOf(1), peer: peerOf(1), addresses: ['seed:1'] }]);
});

test('asks a static address again who is there when the member it was fails', () => {
  const neighbours = createNeighbours({ self: peerOf(0), bootstrap: ['seed:1'], random: noJitter });
  neighbours.step({ kind: 'tick' }, 0);
  neighbours.step({ kind: 'connected', peer: peerOf(1) }, 5);
  neighbours.step({ kind: 'dialed', key: 'address seed:1', peer: peerOf(1) }, 5);
  neighbours.step({ kind: 'members', members: [{ peer: peerOf(1), addresses: [] }] }, 6);
  let dials = neighbours.step({ kind: 'disconnected', peer: peerOf(1) }, 20_000);
  let nowMs = 20_000;
  for (let round = 0; round < 8 && dials[0]?.peer !== null; round += 1) {
    if (dials[0] !== undefined)
      dials = neighbours.step({ kind: 'dialed', key: dials[0].key, peer: null }, nowMs);
    if (dials.length > 0) continue;
    const next = nextDial(neighbours);
    nowMs = next.atMs;
    dials = next.dials;
  }
  assert.equal(dials[0], { key: 'address seed:1', peer: null, addresses: ['seed:1'] });
});

test('does not dial one who is no member any more', () => {
  const neighbours = createNeighbours({ self: peerOf(0), bootstrap: [], random: noJitter });
  neighbours.step({ kind: 'members', members: membersBut(5, 0) }, 0);
  assert.equal(neighbours.step({ kind: 'members', members: [] }, 10_000), []);
  assert.is(neighbours.nextMs(), Number.POSITIVE_INFINITY);
});

test('takes in no more than twice the wanted neighbours', () => {
  const neighbours = createNeighbours({ self: peerOf(0), bootstrap: [], random: noJitter });
  for (let index = 1; index <= 2 * neighboursWanted; index += 1) {
    assert.ok(neighbours.accepts(peerOf(index)));
    neighbours.step({ kind: 'connected', peer: peerOf(index) }, 0);
  }
  assert.not.ok(neighbours.accepts(peerOf(99)));
  assert.ok(neighbours.accepts(peerOf(1)), 'one who is here may come again');
});

test.run();
