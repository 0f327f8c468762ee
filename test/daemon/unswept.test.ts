/** When pages of old versions are to be swept, over starts and kills. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { sweepAfterVersions } from '../../agent/base/limits.ts';
import { createUnswept } from '../../agent/daemon/unswept.ts';
import type { StoreBatch } from '../../agent/store/share-store.ts';

function createState() {
  const rows = new Map<string, Bytes>();
  return {
    state: (key: string) => rows.get(key),
    async write({ state }: StoreBatch) {
      for (const [key, bytes] of state ?? []) {
        if (bytes === null) rows.delete(key);
        else rows.set(key, bytes);
      }
    },
  };
}

test('the first run sweeps, and then each time after so many versions', () => {
  const unswept = createUnswept(createState());
  assert.ok(unswept.isDue());
  unswept.swept();
  for (let versions = 1; versions < sweepAfterVersions; versions += 1) {
    unswept.applied();
    assert.not(unswept.isDue());
  }
  unswept.applied();
  assert.ok(unswept.isDue());
});

test('a clean stop tells the next run how many there were', async () => {
  const state = createState();
  const first = createUnswept(state);
  await first.forget();
  first.swept();
  first.applied();
  await first.keep();
  const second = createUnswept(state);
  assert.not(second.isDue());
  await second.forget();
  for (let versions = 2; versions <= sweepAfterVersions; versions += 1) second.applied();
  assert.ok(second.isDue());
});

test('after a kill nobody knows, and a sweep is due', async () => {
  const state = createState();
  const first = createUnswept(state);
  first.swept();
  await first.keep();
  const killed = createUnswept(state);
  assert.not(killed.isDue());
  await killed.forget();
  killed.applied();
  assert.ok(createUnswept(state).isDue());
});

test.run();
