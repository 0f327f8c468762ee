import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  havesMax,
  paceAheadMs,
  requestsInFlightMax,
  requestsInFlightMin,
  requestsPerFewMax,
  strikeDecayMs,
} from '../../agent/base/limits.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import type { Effect } from '../../agent/swarm/events.ts';
import { createNeighbours, type Neighbours } from '../../agent/swarm/neighbours.ts';
import { createSchedule, type Schedule } from '../../agent/swarm/schedule.ts';
import { createWants } from '../../agent/swarm/wants.ts';
import { createRandom } from '../sim/random.ts';
import { ana, bo, cy, lines } from './bench.ts';

const target = { version: { epoch: 1, sequence: 2 }, root: digestOf(new Uint8Array([9])) };
const name = (index: number): Digest => digestOf(new TextEncoder().encode(`block ${index}`));

type Before = {
  /** Who has everything. */
  readonly complete?: readonly PeerId[];
  readonly haves?: ReadonlyMap<PeerId, readonly number[]>;
  readonly wants: number;
  readonly bytes?: number;
  readonly downloadBytesPerMs?: number;
};

type Setup = { readonly schedule: Schedule; readonly neighbours: Neighbours };

function setup({
  complete = [],
  haves = new Map(),
  wants,
  bytes = 100_000,
  downloadBytesPerMs = 0,
}: Before): Setup {
  const neighbours = createNeighbours();
  const library = { page: () => undefined, hasBlock: () => false };
  const schedule = createSchedule({
    neighbours,
    library,
    random: createRandom(1).next,
    downloadBytesPerMs: () => downloadBytesPerMs,
  });
  for (const peer of [...complete, ...haves.keys()]) neighbours.add(peer);
  for (const peer of complete) {
    const neighbour = neighbours.get(peer);
    if (neighbour !== undefined) neighbour.applied = target.version;
  }
  schedule.aim({ target, applied: null }, 0);
  for (const [peer, indexes] of haves) schedule.announced(peer, indexes.map(name));
  for (let index = 0; index < wants; index += 1) {
    schedule.want({ digest: name(index), plane: 'block', bytes, file: null, lost: false });
  }
  return { schedule, neighbours };
}

const requestsOf = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => (effect.kind === 'request' ? [effect] : []));

test('asks each neighbour for two things at a time and no more', () => {
  const { schedule } = setup({ complete: [ana, bo, cy], wants: 40 });
  const peers = requestsOf(schedule.fill(0)).map(({ peer }) => peer);
  assert.equal(peers.toSorted(), [ana, ana, bo, bo, cy, cy]);
  assert.equal(schedule.fill(1), []);
});

test('asks for more at a time where there are few to ask', () => {
  for (const complete of [[ana], [ana, bo]]) {
    const { schedule } = setup({ complete, wants: 40 });
    const asked = requestsOf(schedule.fill(0)).length;
    assert.is(asked, Math.min(requestsInFlightMin, requestsPerFewMax * complete.length));
    assert.equal(schedule.fill(1), []);
  }
});

test('asks for as many at a time of one who has answered', () => {
  const { schedule } = setup({ complete: [ana], wants: 40 });
  let inFlight = requestsOf(schedule.fill(0));
  for (let nowMs = 1; nowMs < 5; nowMs += 1) {
    assert.is(inFlight.length, requestsPerFewMax);
    const [first, ...others] = inFlight;
    for (const digest of first?.request.digests ?? [])
      schedule.stored({ peer: ana, id: first?.request.id ?? 0, digest, bytes: 100_000 }, nowMs);
    inFlight = [...others, ...requestsOf(schedule.fill(nowMs))];
  }
});

test('asks the least busy first, so that all are asked before one is asked twice', () => {
  const { schedule } = setup({ complete: [ana, bo, cy], wants: 9 });
  const peers = requestsOf(schedule.fill(0)).map(({ peer }) => peer);
  assert.equal(new Set(peers.slice(0, 3)).size, 3);
});

test('what cannot be stored here is not asked of everybody again: nothing for a while, then one block, then more', () => {
  const { schedule } = setup({ complete: [ana, bo, cy], wants: 40 });
  const [first, ...others] = requestsOf(schedule.fill(0));
  assert.ok(first !== undefined && others.length > 0);
  const { peer, request } = first;
  const ended = schedule.notStored({ peer, id: request.id, retryMs: 2000 }, 10);
  assert.equal(
    ended.map((effect) => effect.kind),
    [first, ...others].map(() => 'cancel'),
  );
  assert.equal(schedule.fill(10), []);
  assert.is(schedule.wakeMs(10), 2010);
  assert.equal(schedule.fill(2009), []);
  const [probe, ...more] = requestsOf(schedule.fill(2010));
  assert.ok(probe !== undefined && more.length === 0);
  assert.is(probe.request.digests.length, 1);
  assert.equal(schedule.fill(2011), []);
  // Still full.
  schedule.notStored({ peer: probe.peer, id: probe.request.id, retryMs: 2000 }, 2020);
  assert.equal(schedule.fill(2020), []);
  const again = requestsOf(schedule.fill(4020));
  assert.is(again.length, 1);
  for (const { peer: from, request: asked } of again) {
    for (const digest of asked.digests) schedule.stored({ peer: from, id: asked.id, digest, bytes: 1 }, 4030);
  }
  assert.is(requestsOf(schedule.fill(4030)).length, 2);
});

test('never has more requests in flight than its window', () => {
  const many = Array.from({ length: 40 }, (_, index) => `p${index}` as PeerId);
  const { schedule } = setup({ complete: many, wants: 200 });
  assert.ok(requestsOf(schedule.fill(0)).length <= requestsInFlightMax);
});

test('asks for neighbouring blocks in one request', () => {
  const { schedule } = setup({ complete: [ana], wants: 64, bytes: 4000 });
  const [first] = requestsOf(schedule.fill(0));
  const indexes = (first?.request.digests ?? []).map((digest) =>
    Array.from({ length: 64 }, (_, at) => name(at)).indexOf(digest),
  );
  assert.is(indexes.length, 8);
  assert.equal(
    indexes,
    Array.from({ length: 8 }, (_, at) => (indexes[0] ?? 0) + at),
  );
});

test('asks for the rarest among those it looks at', () => {
  const { schedule } = setup({
    complete: [ana],
    haves: new Map([
      [bo, [0, 1, 2]],
      [cy, [0, 1, 2]],
    ]),
    wants: 4,
  });
  schedule.fill(0);
  // Nobody else has block 3, so it was the first to be asked of the only holder.
  assert.is(
    requestsOf(setup({ complete: [ana], haves: new Map([[bo, [0, 1, 2]]]), wants: 4 }).schedule.fill(0)).find(
      ({ peer }) => peer === ana,
    )?.request.digests[0],
    name(3),
  );
});

test('after busy it waits before it asks there again, and asks others meanwhile', () => {
  const { schedule } = setup({ complete: [ana], wants: 1 });
  const [asked] = requestsOf(schedule.fill(0));
  schedule.busy({ peer: ana, id: asked?.request.id ?? 0, retryMs: 100 }, 10);
  assert.equal(schedule.fill(20), []);
  assert.ok(schedule.wakeMs(20) <= 160);
  assert.equal(lines(schedule.fill(161)), ['request ana block 1']);
});

test('what one neighbour lacks is asked of another, and a false claim counts', () => {
  const { schedule } = setup({ complete: [ana, bo], wants: 1 });
  const [asked] = requestsOf(schedule.fill(0));
  const peer = asked?.peer ?? ana;
  const struck = schedule.missing({ peer, id: asked?.request.id ?? 0, digest: name(0) }, 1);
  assert.equal(lines(struck), [`strike ${peer} 1`]);
  assert.equal(lines(schedule.fill(2)), [`request ${peer === ana ? 'bo' : 'ana'} block 1`]);
});

test('a busy writer that lacks what it had a moment ago is not put aside', () => {
  const { schedule, neighbours } = setup({ complete: [ana], wants: 8 });
  const asked = requestsOf(schedule.fill(0));
  for (const { request } of asked) {
    for (const digest of request.digests) schedule.missing({ peer: ana, id: request.id, digest }, 1);
  }
  const writer = neighbours.get(ana);
  assert.ok(writer !== undefined && writer.strikes > 0);
  assert.not.ok(neighbours.isAside(writer, 2));
});

test('wrong bytes put a neighbour aside until its strikes decay', () => {
  const { schedule, neighbours } = setup({ complete: [ana], wants: 1 });
  const [asked] = requestsOf(schedule.fill(0));
  assert.equal(lines(schedule.wrongBytes({ peer: ana, id: asked?.request.id ?? 0, digest: name(0) }, 1)), [
    'strike ana 3',
    'cancel ana',
    'hangUpBlocks ana',
  ]);
  assert.equal(schedule.fill(2), []);
  neighbours.add(bo);
  const other = neighbours.get(bo);
  if (other !== undefined) other.applied = target.version;
  assert.equal(lines(schedule.fill(3)), ['request bo block 1']);
  const ana1 = neighbours.get(ana);
  assert.ok(ana1 !== undefined && !neighbours.isAside(ana1, 1 + strikeDecayMs));
});

test('strikes outlive a connection', () => {
  const { schedule, neighbours } = setup({ complete: [ana], wants: 1 });
  const [asked] = requestsOf(schedule.fill(0));
  schedule.wrongBytes({ peer: ana, id: asked?.request.id ?? 0, digest: name(0) }, 1);
  neighbours.remove(ana);
  neighbours.add(ana);
  assert.is(neighbours.get(ana)?.strikes, 3);
});

test('at the end what one is slow to send is asked of another, and the loser is cancelled and gets a strike', () => {
  const { schedule } = setup({ complete: [ana, bo], wants: 1 });
  const [first] = requestsOf(schedule.fill(0));
  const atMs = schedule.wakeMs(0);
  const [second] = requestsOf(schedule.fill(atMs));
  assert.ok(first !== undefined && second !== undefined && first.peer !== second.peer);
  if (first === undefined || second === undefined) return;
  const { effects } = schedule.stored(
    { peer: second.peer, id: second.request.id, digest: name(0), bytes: 100 },
    atMs + 1,
  );
  assert.equal(lines(effects), [`strike ${first.peer} 1`, `cancel ${first.peer}`]);
  schedule.stored({ peer: first.peer, id: first.request.id, digest: name(0), bytes: 100 }, atMs + 2);
  assert.is(schedule.duplicateBytes(), 100);
});

test('who owes an answer for too long is asked for nothing more, and holds no place among those in flight', () => {
  const silent = ['s1', 's2', 's3', 's4', 's5', 's6'] as PeerId[];
  const { schedule } = setup({ complete: [...silent, ana], wants: 400 });
  const asked = requestsOf(schedule.fill(0));
  assert.is(asked.length, 6);
  // Ana answers in 5 ms, whatever she is asked; the others never do.
  let now = 0;
  let answered = 0;
  let open = asked.filter(({ peer }) => peer === ana);
  while (now < 2_000 && answered < 100) {
    now += 5;
    const effects = open.flatMap(({ peer, request: { id, digests } }) =>
      digests.flatMap((digest) => schedule.stored({ peer, id, digest, bytes: 100_000 }, now).effects),
    );
    answered += open.length;
    const next = requestsOf([...effects, ...schedule.fill(now)]);
    if (now > 300)
      assert.equal(
        next.filter(({ peer }) => peer !== ana),
        [],
      );
    open = next.filter(({ peer }) => peer === ana);
  }
  assert.ok(answered >= 100, `${answered} requests answered`);
});

test('a request that is never answered is given up, and its blocks are asked for again', () => {
  const { schedule } = setup({ complete: [ana], wants: 1 });
  schedule.fill(0);
  const seen: string[] = [];
  for (let now = 0; now < 300_000; now = Math.max(now + 1, Math.min(schedule.wakeMs(now), now + 5000))) {
    seen.push(...lines(schedule.fill(now)));
  }
  assert.ok(seen.includes('strike ana 1'));
  assert.ok(seen.includes('cancel ana'));
  assert.ok(seen.includes('request ana block 1'));
});

test('asks again what a neighbour held that left', () => {
  const { schedule, neighbours } = setup({ complete: [ana], wants: 2 });
  schedule.fill(0);
  neighbours.remove(ana);
  schedule.peerLeft(ana);
  neighbours.add(bo);
  const other = neighbours.get(bo);
  if (other !== undefined) other.applied = target.version;
  assert.is(requestsOf(schedule.fill(1)).length, 2);
});

test('remembers a bounded number of announcements, the latest', () => {
  const wants = createWants();
  const digest = (index: number) => index.toString(16).padStart(64, '0') as Digest;
  for (let index = 0; index <= havesMax; index += 1) wants.hold(ana, digest(index));
  assert.not(wants.holds(ana, digest(0)));
  assert.ok(wants.holds(ana, digest(havesMax)));
});

test('under a download limit no more is asked for ahead than a twentieth of a second brings, yet always something', () => {
  const bytes = 50_000;
  const complete = [ana, bo, cy];
  for (const downloadBytesPerMs of [0, 1, 1000, 5000]) {
    const { schedule } = setup({ complete, wants: 400, bytes, downloadBytesPerMs });
    const requests = requestsOf(schedule.fill(0));
    const ahead = requests.reduce((sum, { request }) => sum + request.digests.length * bytes, 0);
    const most = downloadBytesPerMs === 0 ? 6 * 1_048_576 : Math.max(bytes, downloadBytesPerMs * paceAheadMs);
    assert.ok(ahead > 0 && ahead <= most, `${ahead} bytes ahead at ${downloadBytesPerMs}`);
  }
});

test('a request behind another to the same neighbour is given the time of both', () => {
  const { schedule } = setup({ complete: [ana], wants: 2, bytes: 600_000 });
  assert.is(requestsOf(schedule.fill(0)).length, 2);
  const struck = (nowMs: number) => schedule.fill(nowMs).filter(({ kind }) => kind === 'strike').length;
  // 5 s and a second for each 32 kB, as long as nothing is known of it.
  assert.is(struck(5_000 + 600_000 / 32), 1);
  assert.is(struck(5_000 + 1_200_000 / 32 - 1), 0);
  assert.is(struck(5_000 + 1_200_000 / 32), 1);
});

test.run();
