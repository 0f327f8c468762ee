import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { walkEntriesPerStep, wantsMax } from '../../agent/base/limits.ts';
import type { Digest } from '../../agent/core/digest.ts';
import type { Missing } from '../../agent/swarm/schedule.ts';
import { createWalk } from '../../agent/swarm/walk.ts';
import { createRandom } from '../sim/random.ts';
import { createShare, type FileEdit, type SimShare } from '../sim/share.ts';
import { small } from './bench.ts';

type Seen = { readonly pages: Digest[]; readonly blocks: Digest[]; steps: number };

/** Walks with the pages of `have` at hand; every page that is missing arrives as soon as it was asked for. */
function walkAll(
  share: SimShare,
  { from, to, have }: { from: Digest | null; to: Digest; have: Set<Digest> },
): Seen {
  const seen: Seen = { pages: [], blocks: [], steps: 0 };
  const asked: Missing[] = [];
  const walk = createWalk({
    from,
    to,
    also: [],
    isLost: () => false,
    isBlockHere: (digest) => have.has(digest),
    isFull: () => false,
    pages: (digest) => (have.has(digest) ? share.page(digest) : undefined),
    missing: (missing) => asked.push(missing),
    assemble: () => {},
    found: () => {},
  });
  while (!walk.isDone()) {
    walk.advance(walkEntriesPerStep);
    seen.steps += 1;
    for (const { digest, plane } of asked.splice(0)) {
      have.add(digest);
      seen[plane === 'page' ? 'pages' : 'blocks'].push(digest);
      walk.arrived(digest);
    }
  }
  return seen;
}

const named = (count: number): FileEdit[] =>
  Array.from({ length: count }, (_, at) => small(`dir/${String(at).padStart(6, '0')}`, 100 + at));

test('a first sync asks for every page and every block once', () => {
  const share = createShare(createRandom(1));
  const { message, newPages, newBlocks } = share.publish(named(2000), 1);
  const seen = walkAll(share, { from: null, to: message.head.head.root, have: new Set() });
  assert.equal([...seen.blocks].sort(), [...newBlocks].sort());
  assert.equal([...seen.pages].sort(), [...newPages].sort());
});

test('one changed file among thousands costs a page a level and its block', () => {
  const share = createShare(createRandom(1));
  const first = share.publish(named(5000), 1);
  const second = share.publish([small('dir/002500', 7)], 2);
  const have = new Set([...first.newPages, ...first.newBlocks]);
  const seen = walkAll(share, {
    from: first.message.head.head.root,
    to: second.message.head.head.root,
    have,
  });
  assert.equal(seen.blocks, second.newBlocks);
  assert.ok(seen.pages.length <= 4, `${seen.pages.length} pages`);
});

test('a big head is looked at in slices', () => {
  const share = createShare(createRandom(1));
  const { message, newPages } = share.publish(named(3 * walkEntriesPerStep), 1);
  const seen = walkAll(share, { from: null, to: message.head.head.root, have: new Set(newPages) });
  assert.ok(seen.steps >= 3);
});

test('waits where enough is wanted, and goes on when there is room', () => {
  const share = createShare(createRandom(1));
  const { message, newPages, newBlocks } = share.publish(named(300), 1);
  const have = new Set(newPages);
  const wanted: Digest[] = [];
  let isFull = false;
  const walk = createWalk({
    from: null,
    to: message.head.head.root,
    also: [],
    isLost: () => false,
    isBlockHere: () => false,
    pages: (digest) => (have.has(digest) ? share.page(digest) : undefined),
    missing: ({ digest }) => {
      wanted.push(digest);
      isFull = wanted.length >= 50;
    },
    assemble: () => {},
    found: () => {},
    isFull: () => isFull,
  });
  walk.advance(wantsMax);
  assert.is(wanted.length, 50);
  assert.not(walk.hasWork());
  isFull = false;
  for (let round = 0; round < 300; round += 1) {
    walk.advance(wantsMax);
    isFull = false;
  }
  assert.is(wanted.length, newBlocks.length);
  assert.ok(walk.isDone());
});

test('whatever changed, the walk finds exactly the blocks that are not here', () => {
  const edits = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 400 }), fc.option(fc.integer({ min: 1, max: 3 }))),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(edits, fc.integer(), (changes, seed) => {
      const share = createShare(createRandom(seed));
      const first = share.publish(named(300), 1);
      const byPath = new Map(changes.map(([at, count]) => [`dir/${String(at).padStart(6, '0')}`, count]));
      const list = [...byPath].map(([path, count]) => ({
        path,
        blocks: count === null ? null : Array.from({ length: count }, () => (count === 1 ? 50 : 40_000)),
      }));
      const second = share.publish(list, 2);
      const have = new Set([...first.newPages, ...first.newBlocks]);
      const seen = walkAll(share, {
        from: first.message.head.head.root,
        to: second.message.head.head.root,
        have,
      });
      assert.equal([...seen.blocks].sort(), [...second.newBlocks].sort());
    }),
    { numRuns: 60 },
  );
});

test.run();
