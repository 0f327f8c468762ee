/** Whether anything came or went between two looks. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createStill } from '../../agent/daemon/still.ts';

test('bytes since the last look make a moment that is not still', () => {
  let traffic = 0;
  const still = createStill(() => traffic);
  assert.ok(still.look());
  traffic += 10;
  assert.not(still.look());
  assert.ok(still.look());
  assert.ok(still.look());
  traffic += 1;
  assert.not(still.look());
});

test('what came before the first look counts as come since', () => {
  assert.not(createStill(() => 5).look());
});

test.run();
