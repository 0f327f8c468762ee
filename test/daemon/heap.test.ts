/** Memory is given back after large work, and no pause is taken for little. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { heapTrimBytesMin, heapTrimWholeBytesMax } from '../../agent/base/limits.ts';
import { createHeapTrimmer } from '../../agent/daemon/heap.ts';

/** Runs with a collector that counts its calls. */
async function counting(use: (calls: () => number) => Promise<void>): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect: NodeJS.GCFunction = runInNewContext('gc');
  const before = globalThis.gc;
  let calls = 0;
  const counted = (options?: NodeJS.GCOptions): void => {
    calls += 1;
    collect({ ...options, execution: 'sync' });
  };
  globalThis.gc = counted as NodeJS.GCFunction;
  try {
    await use(() => calls);
  } finally {
    globalThis.gc = before;
  }
}

test('a heap that has grown is made smaller, once', async () => {
  await counting(async (calls) => {
    const trimmer = createHeapTrimmer();
    await trimmer.trim();
    const after = calls();
    let much: string[] | null = [];
    while (getHeapStatistics().total_heap_size < heapTrimBytesMin * 3)
      much.push(`${much.length} `.repeat(10));
    const grown = getHeapStatistics().total_heap_size;
    much = null;
    await trimmer.trim();
    assert.is(calls(), after + 1);
    assert.ok(getHeapStatistics().total_heap_size < grown);
    await trimmer.trim();
    assert.is(calls(), after + 1);
  });
});

test('a large heap is made smaller in two stops, and one that stays large is left alone', async () => {
  await counting(async (calls) => {
    const trimmer = createHeapTrimmer();
    await trimmer.trim();
    const before = calls();
    let held: Uint8Array | null = new Uint8Array(heapTrimWholeBytesMax);
    await trimmer.trim();
    await trimmer.trim();
    assert.is(calls(), before + 1);
    assert.is(held.byteLength, heapTrimWholeBytesMax);
    held = null;
    const other = createHeapTrimmer();
    let much: string[] | null = [];
    while (getHeapStatistics().total_heap_size < heapTrimWholeBytesMax)
      much.push(`${much.length} `.repeat(10));
    much = null;
    await other.trim();
    await other.trim();
    assert.is(calls(), before + 3);
  });
});

test('what buffers hold counts, too', async () => {
  await counting(async (calls) => {
    const trimmer = createHeapTrimmer();
    await trimmer.trim();
    const after = calls();
    const held = new Uint8Array(heapTrimBytesMin * 3);
    await trimmer.trim();
    assert.is(calls(), after + 1);
    assert.is(held.byteLength, heapTrimBytesMin * 3);
  });
});

test('without a collector nothing happens', async () => {
  const before = globalThis.gc;
  globalThis.gc = undefined;
  await createHeapTrimmer().trim();
  globalThis.gc = before;
});

test.run();
