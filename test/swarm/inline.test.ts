/** Heads that come with what they change: applied without a walk, as long as nothing speaks against it. */
import { test } from 'uvu';
import { diffTrees } from '../../agent/core/diff.ts';
import type { Digest } from '../../agent/core/digest.ts';
import { createRandom } from '../sim/random.ts';
import { createShare } from '../sim/share.ts';
import { ana, applied, check, createBench, gossiped, joined, small, status, stored } from './bench.ts';

const v = (sequence: number) => ({ epoch: 1, sequence });

test('what a head changes is applied as it was told, and walked where that fails', () => {
  const share = createShare(createRandom(3));
  const first = share.publish([small('index.html', 900)], 1);
  const second = share.publish([small('a', 100), small('b', 101)], 2);
  const third = share.publish([{ path: 'a', blocks: null }], 3);
  const bench = createBench({ share, at: first });
  for (const event of [joined(ana), status(ana, v(3)), gossiped(second.message)]) bench.step(event);
  for (const digest of second.newPages) bench.pages.add(digest);
  for (const digest of second.newBlocks) bench.blocks.add(digest);
  const { root: base } = first.message.head.head;
  const pages = (digest: Digest) => share.page(digest);
  const inlineOf = (from: Digest, { message }: typeof second) => ({
    ...stored(message),
    inline: { base: from, changes: [...diffTrees(pages, from, message.head.head.root)] },
  });
  const { root } = second.message.head.head;
  check(bench, [inlineOf(base, second)], ['apply 1.2 changes 2']);
  bench.step(applied(second.message));
  // Nobody has to look at its pages, which are not here.
  bench.step(gossiped(third.message));
  check(bench, [inlineOf(root, third)], ['apply 1.3 changes 1']);
  const failed = { kind: 'applyFailed', version: v(3), lost: [], retryMs: 0 } as const;
  check(bench, [failed], ['request ana page 1']);
});

test.run();
