import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  driftedMax,
  heartbeatMs,
  neighboursMax,
  restAfterMs,
  restHeartbeatMs,
} from '../../agent/base/limits.ts';
import type { Digest } from '../../agent/core/digest.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import type { SharePath } from '../../agent/core/path.ts';
import type { Effect, Event } from '../../agent/swarm/events.ts';
import { createRandom } from '../sim/random.ts';
import { createShare } from '../sim/share.ts';
import {
  ana,
  applied,
  bo,
  check,
  createBench,
  cy,
  gossiped,
  have,
  isHeartbeat,
  joined,
  lines,
  serveAll,
  small,
  status,
  stored,
  told,
} from './bench.ts';

const v = (sequence: number) => ({ epoch: 1, sequence });
const files = (count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => small(`f${String(from + at).padStart(4, '0')}`, 9000));

function twoVersions(edits = files(3)) {
  const share = createShare(createRandom(3));
  const first = share.publish([small('index.html', 900)], 1);
  const second = share.publish(edits, 2);
  return { share, first, second };
}

test('blocks that were stored together are one step: what follows is begun once', () => {
  const { share, second } = twoVersions();
  const bench = createBench({ share });
  for (const event of [joined(ana), status(ana, v(2)), gossiped(second.message)]) bench.step(event);
  const [pages] = bench.step(stored(second.message));
  assert.ok(pages?.kind === 'request');
  for (const digest of pages?.kind === 'request' ? pages.request.digests : []) bench.pages.add(digest);
  const [asked] = bench.replica.stepAll(arrivals(pages, share.lengthOf), bench.nowMs());
  assert.ok(asked?.kind === 'request' && asked.request.digests.length > 1);
  for (const digest of asked?.kind === 'request' ? asked.request.digests : []) bench.blocks.add(digest);
  const after = bench.replica.stepAll(arrivals(asked, share.lengthOf), bench.nowMs());
  assert.equal(
    lines(after).filter((each) => each.startsWith('apply')),
    ['apply 1.2 everything'],
  );
});

/** Everything that the request asks for, stored. */
function arrivals(effect: Effect | undefined, lengthOf: (digest: Digest) => number): readonly Event[] {
  if (effect?.kind !== 'request') return [];
  const { peer, request } = effect;
  return request.digests.map((digest): Event => {
    return { kind: 'stored', peer, id: request.id, digest, bytes: lengthOf(digest) };
  });
}

test('stores a head before anything else, walks, fetches, applies, and tells', () => {
  const { share, second } = twoVersions();
  const bench = createBench({ share });
  bench.step(joined(ana));
  bench.step(status(ana, v(2)));
  check(bench, [gossiped(second.message)], ['storeHead 1.2']);
  const asked = bench.step(stored(second.message));
  assert.equal(lines(asked), ['request ana page 1']);
  const rest = serveAll(bench, asked);
  assert.equal(
    lines(rest).filter((each) => each.startsWith('apply')),
    ['apply 1.2 everything'],
  );
  const after = bench.replica.step(applied(second.message), bench.nowMs());
  assert.not.ok(
    after.some((effect) => isHeartbeat(effect)),
    'what follows at once is told with it',
  );
  const later = bench.replica.step({ kind: 'tick' }, bench.nowMs() + 100);
  assert.ok(later.some((effect) => isHeartbeat(effect)));
  assert.equal(bench.replica.applied(), v(2));
  assert.equal(bench.replica.progress().phase, 'idle');
});

test('a small edit rides inside the head and is applied without a request', () => {
  const { share, first, second } = twoVersions([small('a', 100)]);
  const bench = createBench({ share, at: first });
  check(bench, [gossiped(second.message)], ['storeHead 1.2 inline']);
  for (const digest of second.newPages) bench.pages.add(digest);
  for (const digest of second.newBlocks) bench.blocks.add(digest);
  bench.step(joined(ana));
  bench.step(status(ana, v(1)));
  check(bench, [stored(second.message)], ['apply 1.2 changes 1']);
  const after = bench.replica.step(applied(second.message), bench.nowMs());
  assert.not.ok(
    after.some((effect) => isHeartbeat(effect)),
    'the mesh is busy with the change itself',
  );
  const later = bench.replica.step({ kind: 'tick' }, bench.nowMs() + 100);
  assert.equal(later.filter((effect) => effect.kind === 'send').length, 1, 'one word says all of it');
  assert.ok(later.some(isHeartbeat));
});

test('a neighbour is told how things stand twice a second, and more seldom where nothing has changed for a while', () => {
  const { share, first } = twoVersions([small('a', 100)]);
  const bench = createBench({ share, at: first });
  bench.step(joined(ana));
  const startMs = bench.nowMs();
  const toldMs: number[] = [];
  for (let atMs = 0; atMs < restAfterMs + 5 * restHeartbeatMs; atMs += heartbeatMs / 5) {
    const effects = bench.replica.step({ kind: 'tick' }, startMs + atMs);
    if (effects.some(isHeartbeat)) toldMs.push(atMs);
  }
  const early = toldMs.filter((atMs) => atMs < restAfterMs);
  assert.is(early.length, restAfterMs / heartbeatMs - 1);
  assert.is(toldMs.length - early.length, 5);
});

test('operations on another base than ours do not count: the walk does', () => {
  const { share, first, second } = twoVersions([small('a', 100)]);
  const third = share.publish([small('b', 100)], 3);
  const bench = createBench({ share, at: first });
  bench.step(joined(ana));
  bench.step(status(ana, v(3)));
  check(bench, [gossiped(third.message)], ['storeHead 1.3']);
  check(bench, [stored(third.message)], ['request ana page 1']);
  assert.ok(second.message.operations !== null);
});

test('operations that lead from what is being applied are used once it is', () => {
  const { share, first, second } = twoVersions([small('a', 100)]);
  const third = share.publish([small('b', 100)], 3);
  const bench = createBench({ share, at: first });
  bench.step(gossiped(second.message));
  for (const digest of second.newPages) bench.pages.add(digest);
  for (const digest of second.newBlocks) bench.blocks.add(digest);
  check(bench, [stored(second.message)], ['apply 1.2 changes 1']);
  check(bench, [gossiped(third.message)], ['storeHead 1.3']);
  check(bench, [stored(third.message)], []);
  check(bench, [applied(second.message)], ['storeHead 1.3 inline']);
});

test('an older head and one heard before are no news', () => {
  const { share, first, second } = twoVersions();
  const bench = createBench({ share, at: second });
  check(bench, [gossiped(first.message)], []);
  check(bench, [gossiped(second.message)], []);
});

test('a newer head in the middle of a sync wins, and what was fetched is not asked for again', () => {
  const { share, second } = twoVersions(files(40));
  const bench = createBench({ share });
  bench.step(joined(ana));
  bench.step(status(ana, v(2)));
  bench.step(gossiped(second.message));
  const asked = bench.step(stored(second.message));
  for (const effect of asked) {
    if (effect.kind !== 'request') continue;
    const [digest] = effect.request.digests;
    if (digest === undefined) continue;
    bench.pages.add(digest);
    for (const late of bench.step({ kind: 'stored', peer: ana, id: effect.request.id, digest, bytes: 10 })) {
      if (late.kind === 'request') bench.step({ kind: 'requestFailed', peer: ana, id: late.request.id });
    }
  }
  for (const digest of second.newBlocks.slice(0, 30)) bench.blocks.add(digest);
  const third = share.publish(files(2, 100), 3);
  bench.step(status(ana, v(3)));
  bench.step(gossiped(third.message));
  assert.equal(lines(bench.step(stored(third.message))), []);
  const effects = serveAll(bench, bench.wait(1000));
  const blocks = effects.flatMap((effect) =>
    effect.kind === 'request' && effect.request.plane === 'block' ? effect.request.digests : [],
  );
  assert.is(blocks.filter((digest) => second.newBlocks.slice(0, 30).includes(digest)).length, 0);
  assert.equal(
    lines(effects).filter((each) => each.startsWith('apply')),
    ['apply 1.3 everything'],
  );
});

test('heads that come fast do not keep a sync from ending', () => {
  const { share, second } = twoVersions(files(20));
  const bench = createBench({ share });
  bench.step(joined(ana));
  bench.step(status(ana, v(2)));
  bench.step(gossiped(second.message));
  const asked = bench.step(stored(second.message));
  const third = share.publish(files(1, 100), 3);
  bench.step(gossiped(third.message));
  assert.equal(lines(bench.step(stored(third.message))), []);
  assert.equal(lines(serveAll(bench, asked)).at(-1), 'apply 1.2 everything');
});

test('tells neighbours of blocks that were here before the start', () => {
  const { share, first, second } = twoVersions(files(4));
  const bench = createBench({ share, at: first });
  for (const digest of [...second.newPages, ...second.newBlocks.slice(0, 2)]) bench.pages.add(digest);
  for (const digest of second.newBlocks.slice(0, 2)) bench.blocks.add(digest);
  bench.step(joined(ana));
  bench.step(status(ana, v(1)));
  bench.step(gossiped(second.message));
  // All pages, and the two blocks.
  check(bench, [stored(second.message)], ['send ana have 1', 'send ana have 2']);
});

test('a page of the applied tree that is gone is fetched again', () => {
  const { share, first, second } = twoVersions(files(4));
  const bench = createBench({ share, at: first });
  bench.pages.delete(first.message.head.head.root);
  bench.step(joined(ana));
  bench.step(status(ana, v(2)));
  bench.step(gossiped(second.message));
  const effects = lines(serveAll(bench, bench.step(stored(second.message))));
  assert.is(effects.at(-1), 'apply 1.2 changes 4');
});

test('a head that was signed again reaches those whom gossip does not', () => {
  const { share, first } = twoVersions();
  const bench = createBench({ share, at: first });
  for (const peer of [ana, bo]) bench.step(joined(peer));
  const again = {
    ...first.message,
    head: { ...first.message.head, head: { ...first.message.head.head, timeMs: 9999 } },
  };
  check(bench, [told(ana, again)], ['send bo head']);
  check(bench, [told(bo, again)], []);
});

test('starts nothing while paused, yet stores heads and serves', () => {
  const { share, second } = twoVersions();
  const bench = createBench({ share });
  bench.step({ kind: 'pause', paused: true });
  bench.step(joined(ana));
  bench.step(status(ana, v(2)));
  check(bench, [gossiped(second.message)], ['storeHead 1.2']);
  check(bench, [stored(second.message)], []);
  const [digest] = second.newBlocks;
  const request = { id: 4, plane: 'block' as const, digests: digest === undefined ? [] : [digest] };
  check(bench, [{ kind: 'requestReceived', peer: ana, request }], ['serve ana 4']);
  check(bench, [{ kind: 'pause', paused: false }], ['request ana page 1']);
});

test('what an apply finds lost is fetched though the library has it, and the apply comes again', () => {
  const { share, first, second } = twoVersions(files(2));
  const bench = createBench({ share, at: first });
  bench.step(joined(ana));
  bench.step(status(ana, v(2)));
  bench.step(gossiped(second.message));
  serveAll(bench, bench.step(stored(second.message)));
  const lost = second.newBlocks.slice(0, 1);
  const again = serveAll(bench, bench.step({ kind: 'applyFailed', version: v(2), lost, retryMs: 0 }));
  assert.equal(lines(again), ['request ana block 1', 'apply 1.2 changes 2']);
});

test('what was lost for an older version is not waited for where the newer one does without it', () => {
  const { share, first, second } = twoVersions(files(1));
  const third = share.publish([{ path: 'f0000' as SharePath, blocks: null }], 3);
  const bench = createBench({ share, at: first });
  bench.step(joined(ana));
  bench.step(status(ana, v(2)));
  bench.step(gossiped(second.message));
  serveAll(bench, bench.step(stored(second.message)));
  const lost = second.newBlocks;
  const asked = bench.step({ kind: 'applyFailed', version: v(2), lost, retryMs: 0 });
  assert.equal(lines(asked), ['request ana block 1']);
  // It is gone at the writer, too, and for good.
  for (const effect of asked) {
    if (effect.kind !== 'request') continue;
    for (const digest of lost) bench.step({ kind: 'missing', peer: ana, id: effect.request.id, digest });
    bench.step({ kind: 'done', peer: ana, id: effect.request.id });
  }
  bench.step(gossiped(third.message));
  bench.step(status(ana, v(3)));
  bench.step(stored(third.message));
  const effects = serveAll(bench, bench.wait(1000));
  const blocks = effects.filter((effect) => effect.kind === 'request' && effect.request.plane === 'block');
  assert.equal(lines(blocks), []);
  assert.ok(lines(effects).some((one) => one.startsWith('apply 1.3')));
});

test('an apply that failed for want of nothing is tried again after the time it asked for', () => {
  const { share, first, second } = twoVersions([small('a', 100)]);
  const bench = createBench({ share, at: first });
  bench.step(gossiped(second.message));
  for (const digest of second.newPages) bench.pages.add(digest);
  for (const digest of second.newBlocks) bench.blocks.add(digest);
  bench.step(stored(second.message));
  check(bench, [{ kind: 'applyFailed', version: v(2), lost: [], retryMs: 700 }], []);
  assert.equal(lines(bench.wait(699)), []);
  assert.equal(lines(bench.wait(1)), ['apply 1.2 changes 1']);
});

test('drifted paths of the applied tree are applied again, strays are not', () => {
  const { first, share } = twoVersions();
  const bench = createBench({ share, at: first });
  const effects = bench.step({ kind: 'drifted', paths: ['index.html', 'stray'] as SharePath[] });
  assert.equal(lines(effects), ['apply 1.1 changes 1']);
  const [effect] = effects;
  const change = effect?.kind === 'apply' ? effect.changes?.[0] : undefined;
  assert.is(change?.path, 'index.html');
  assert.is(change?.before, change?.after);
  check(bench, [applied(first.message)], []);
});

test('of a drifted path what the newer version has is fetched, not what was there', () => {
  const { share, second } = twoVersions([small('a', 100), small('b', 200), small('c', 300)]);
  const edits = [small('a', 400), { path: 'b', blocks: null }];
  const third = share.publish(edits, 3);
  const bench = createBench({ share, at: second });
  bench.step(joined(ana));
  bench.step(status(ana, v(3)));
  bench.step(gossiped(third.message));
  // What lay there is gone, here and everywhere.
  for (const digest of second.newBlocks) bench.blocks.delete(digest);
  bench.step({ kind: 'drifted', paths: ['a', 'b', 'c'] as SharePath[] });
  const effects = serveAll(bench, bench.step(stored(third.message)));
  const asked = effects.flatMap((effect) =>
    effect.kind === 'request' && effect.request.plane === 'block' ? effect.request.digests : [],
  );
  assert.equal(
    asked.map((digest) => share.lengthOf(digest)).sort((left, right) => left - right),
    [300, 400],
  );
  assert.is(lines(effects).at(-1), 'apply 1.3 changes 3');
  const apply = effects.at(-1);
  const same =
    apply?.kind === 'apply' ? (apply.changes ?? []).filter(({ before, after }) => before === after) : [];
  assert.equal(
    same.map((change) => change.path),
    ['c'],
    'what both versions have is repaired',
  );
});

test('the block list of a big file comes before its blocks, and the file is announced once', () => {
  const big = small('big', ...Array.from({ length: 500 }, () => 9000));
  const { share, second } = twoVersions([big]);
  const bench = createBench({ share });
  bench.step(joined(ana));
  bench.step(status(ana, v(2)));
  bench.step(gossiped(second.message));
  const effects = lines(serveAll(bench, bench.step(stored(second.message))));
  assert.equal(
    effects.filter((each) => each.startsWith('assemble')),
    ['assemble big 500'],
  );
  assert.ok(effects.indexOf('assemble big 500') < effects.findIndex((each) => /block [1-9]\d/.test(each)));
  assert.is(effects.at(-1), 'apply 1.2 everything');
});

test('two heads of one version halt the epoch, are passed on, and what is applied stays', () => {
  const { share, first } = twoVersions();
  const bench = createBench({ share, at: first });
  for (const peer of [ana, bo]) bench.step(joined(peer));
  const forged = share.forge(first.message.head);
  check(bench, [told(ana, forged)], ['note', 'halted', 'send bo head', 'send ana head']);
  const third = share.publish([small('z', 10)], 9);
  check(bench, [gossiped(third.message)], []);
  assert.equal(bench.replica.applied(), v(1));
});

test('a neighbour whose status shows an older head is sent the newer one', () => {
  const { share, second } = twoVersions();
  const bench = createBench({ share, at: second });
  bench.step(joined(ana));
  check(bench, [status(ana, v(1))], ['send ana head']);
});

test('a head that gossip brings is pushed only to those that do not show it soon', () => {
  const { share, first, second } = twoVersions([small('a', 100)]);
  const bench = createBench({ share, at: first });
  for (const peer of [ana, bo, cy]) {
    bench.step(joined(peer));
    bench.step(status(peer, v(1)));
  }
  check(bench, [gossiped(second.message)], ['storeHead 1.2 inline']);
  bench.step(status(ana, v(1), v(2)));
  bench.step(status(bo, v(1), v(2)));
  assert.equal(lines(bench.wait(500)), ['send cy head']);
});

test('a writer never syncs to what others say', () => {
  const { share, second } = twoVersions();
  const bench = createBench({ share, writer: true });
  bench.step(joined(ana));
  bench.step(status(ana, v(2)));
  check(bench, [gossiped(second.message)], ['storeHead 1.2']);
  check(bench, [stored(second.message)], []);
});

test('a partial holder is asked for what it announced and for nothing else', () => {
  const { share, first, second } = twoVersions(files(8));
  const bench = createBench({ share, at: first });
  bench.step(joined(ana));
  bench.step(status(ana, v(1)));
  for (const digest of second.newPages) bench.pages.add(digest);
  bench.step(gossiped(second.message));
  // It says that it has all pages, and asks for nothing.
  check(bench, [stored(second.message)], ['send ana have 1']);
  check(bench, [have(ana, ...second.newBlocks.slice(2, 5))], ['request ana block 3']);
});

test('keeps no more neighbours than it is sized for', () => {
  const bench = createBench();
  for (let index = 0; index < neighboursMax; index += 1) bench.step(joined(`p${index}` as PeerId));
  check(bench, [joined(ana)], ['note']);
  assert.is(bench.replica.neighbours().length, neighboursMax);
});

test('remembers a bounded number of drifted paths and says so', () => {
  const bench = createBench();
  const paths = Array.from({ length: driftedMax + 1 }, (_, index) => `p${index}` as SharePath);
  check(bench, [{ kind: 'drifted', paths }], ['note']);
});

test('the same events from the same seed give the same effects', () => {
  const run = () => {
    const { share, second } = twoVersions(files(60));
    const bench = createBench({ share });
    for (const peer of [ana, bo, cy]) {
      bench.step(joined(peer));
      bench.step(status(peer, v(2)));
    }
    bench.step(gossiped(second.message));
    return JSON.stringify(serveAll(bench, bench.step(stored(second.message))));
  };
  assert.is(run(), run());
});

test.run();
