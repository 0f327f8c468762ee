/** The fast loop of the cutter cuts where the plain one does: wherever a block starts or the bytes end. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KIB } from '../../agent/base/limits.ts';
import { nextCut } from '../../agent/core/block.ts';
import { createFastScan } from '../../agent/core/fast-scan.ts';
import { contentOf } from './contents.ts';

const windowBytes = 2048 * KIB;
const { window, scan } = createFastScan(windowBytes);

for (const cut of ['small', 'large'] as const) {
  test(`cuts of the ${cut} class are the same, at any offset`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom('random', 'zeros', 'text'),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 1, max: windowBytes }),
        fc.boolean(),
        (kind, seed, size, isLast) => {
          window.set(contentOf({ kind, size, seed }));
          let cuts = 0;
          for (let at = seed % Math.min(size, 1000); at >= 0 && at < size; cuts += 1) {
            const fast = nextCut(window, at, size, cut, isLast, scan);
            assert.is(fast, nextCut(window, at, size, cut, isLast), `from ${at}`);
            at = fast;
          }
          assert.ok(cuts > 0);
        },
      ),
      { numRuns: 60 },
    );
  });
}

test('what lies behind the bytes is not looked at, and each of the last ones is', () => {
  window.set(contentOf({ kind: 'random', size: windowBytes, seed: 7 }));
  const first = nextCut(window, 0, windowBytes, 'small', false);
  for (let end = first - 9; end < first; end += 1)
    assert.is(nextCut(window, 0, end, 'small', false, scan), -1);
  assert.is(nextCut(window, 0, first, 'small', false, scan), first);
});

test.run();
