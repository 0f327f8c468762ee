import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digestOf } from '../../agent/core/digest.ts';
import { createPageCache } from '../../agent/store/page-cache.ts';

const page = (fill: number) => new Uint8Array(10).fill(fill);
const named = (fill: number) => digestOf(page(fill));

test('a page is read once while there is room, and the one not used for longest goes first', () => {
  const cache = createPageCache(20);
  const reads: number[] = [];
  const get = (fill: number) =>
    cache.get(named(fill), () => {
      reads.push(fill);
      return page(fill);
    });
  for (const fill of [1, 2, 1, 3, 1, 2]) assert.equal(get(fill), page(fill));
  assert.equal(reads, [1, 2, 3, 2]);
});

test('what is not there is not remembered, and what is dropped is read again', () => {
  const cache = createPageCache(20);
  assert.is(
    cache.get(named(1), () => undefined),
    undefined,
  );
  assert.equal(
    cache.get(named(1), () => page(1)),
    page(1),
  );
  cache.drop(named(1));
  cache.drop(named(1));
  assert.is(
    cache.get(named(1), () => undefined),
    undefined,
  );
  assert.equal(
    cache.get(named(2), () => page(2)),
    page(2),
  );
  assert.equal(
    cache.get(named(3), () => page(3)),
    page(3),
  );
  assert.equal(
    cache.get(named(2), () => undefined),
    page(2),
  );
});

test.run();
