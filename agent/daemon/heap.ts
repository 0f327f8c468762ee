/** Gives memory back after large work: V8 keeps what a first scan or a cold copy took until somebody needs it. */
import { getHeapStatistics } from 'node:v8';
import { heapTrimBytesMin } from '../base/limits.ts';

export type HeapTrimmer = {
  /** Stops the main thread for 140 ms (900 on a busy machine) where the heap has grown since the last time, else does nothing. Only where nobody waits. */
  trim(): void;
};

export function createHeapTrimmer(): HeapTrimmer {
  // Changes while running.
  let keptBytes = heapTrimBytesMin;

  return {
    trim() {
      // The launcher asks Node for it; a program that is started otherwise keeps its garbage.
      if (globalThis.gc === undefined || getHeapStatistics().total_heap_size < keptBytes * 1.5) return;
      // Asynchronous is this all at once and later; the regular flavour is shorter, and gives hardly anything back.
      globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
      keptBytes = Math.max(heapTrimBytesMin, getHeapStatistics().total_heap_size);
    },
  };
}
