/** Medians, percentiles and ratios. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { median, percentile, ratioToBest } from '../../scripts/bench/stats.ts';

test('the median is the middle value, or the mean of the two in the middle', () => {
  assert.is(median([9, 1, 5]), 5);
  assert.is(median([4, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test('the 95th percentile of twenty values is the nineteenth', () => {
  const values = Array.from({ length: 20 }, (_, index) => 20 - index);
  assert.is(percentile(values, 0.95), 19);
  assert.is(percentile(values, 1), 20);
  assert.is(percentile(values, 0), 1);
});

test('a percentile is one of the values, grows with its part, and order does not matter', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true }), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, left, right) => {
        const [low, high] = left < right ? [left, right] : [right, left];
        assert.ok(values.includes(percentile(values, low)));
        assert.ok(percentile(values, low) <= percentile(values, high));
        assert.is(percentile([...values].reverse(), low), percentile(values, low));
      },
    ),
  );
});

test('the ratio is to the best of the others, and to nobody where there is none', () => {
  assert.is(ratioToBest(10, [40, 20, 80]), 0.5);
  assert.is(ratioToBest(10, []), undefined);
  assert.is(ratioToBest(10, [0, 0]), undefined);
  assert.is(ratioToBest(undefined, [1]), undefined);
  assert.is(ratioToBest(Number.NaN, [1]), undefined);
});

test.run();
