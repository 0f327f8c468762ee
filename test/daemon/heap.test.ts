/** Memory is given back after large work, and no pause is taken for little. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { heapTrimBytesMin, heapTrimWholeBytesMax } from '../../agent/base/limits.ts';
import { createHeapTrimmer } from '../../agent/daemon/heap.ts';

/** Runs with a collector that counts its calls. */
async function counting(
  use: (calls: () => number, flavors: readonly unknown[]) => Promise<void>,
): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect: NodeJS.GCFunction = runInNewContext('gc');
  const before = globalThis.gc;
  let calls = 0;
  const flavors: unknown[] = [];
  const counted = (options?: NodeJS.GCOptions): void => {
    calls += 1;
    flavors.push(options?.flavor);
    collect({ ...options, execution: 'sync' });
  };
  globalThis.gc = counted as NodeJS.GCFunction;
  // What an earlier test left is none of this one's.
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  try {
    await use(() => calls, flavors);
  } finally {
    globalThis.gc = before;
  }
}

test('a heap that has grown is made smaller, once', async () => {
  await counting(async (calls, flavors) => {
    const trimmer = createHeapTrimmer();
    await trimmer.trim();
    const after = calls();
    let much: string[] | null = [];
    while (getHeapStatistics().total_heap_size < heapTrimBytesMin * 3)
      much.push(`${much.length} `.repeat(10));
    const grown = getHeapStatistics().total_heap_size;
    much = null;
    await trimmer.trim();
    assert.equal(flavors.slice(after), ['last-resort']);
    assert.ok(getHeapStatistics().total_heap_size < grown);
    await trimmer.trim();
    assert.is(calls(), after + 1);
  });
});

test('a large heap is collected in two stops, and left alone then also where it stays large', async () => {
  await counting(async (calls, flavors) => {
    const trimmer = createHeapTrimmer();
    await trimmer.trim();
    const before = calls();
    const held = new Uint8Array(heapTrimWholeBytesMax);
    for (let times = 0; times < 4; times += 1) await trimmer.trim();
    assert.equal(flavors.slice(before), ['regular', 'last-resort']);
    assert.is(held.byteLength, heapTrimWholeBytesMax);
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
