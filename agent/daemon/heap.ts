/** Gives memory back after large work: V8 keeps what a first scan or a cold copy took until somebody needs it. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { heapTrimBytesMin, heapTrimWholeBytesMax, threadSemiSpaceMib } from '../base/limits.ts';
import { findMallocTrim } from './malloc.ts';

/** A heap that is larger by less is not worth the pause. */
const heapGrowthMin = 1.25;

export type HeapTrimmer = {
  /** Stops the main thread for 140 ms (900 on a busy machine) where the heap has grown since the last time, else does nothing. Only where nobody waits. */
  trim(): Promise<void>;
};

export function createHeapTrimmer(): HeapTrimmer {
  // Changes while running.
  let keptBytes = heapTrimBytesMin;
  let isHalfDone = false;

  return {
    async trim() {
      // The launcher asks Node for it; a program that is started otherwise keeps its garbage.
      if (globalThis.gc === undefined) return;
      if (!isHalfDone && takenBytes() < keptBytes * heapGrowthMin) return;
      // Asynchronous is this all at once and later; the regular flavour is shorter, and leaves more.
      // So a large heap has that first, and the rest of it the next time.
      isHalfDone = !isHalfDone && takenBytes() > heapTrimWholeBytesMax;
      globalThis.gc({ type: 'major', execution: 'sync', flavor: isHalfDone ? 'regular' : 'last-resort' });
      if (!isHalfDone) keptBytes = Math.max(heapTrimBytesMin, takenBytes());
      (await findMallocTrim())?.();
    },
  };
}

/** What buffers of garbage hold lies outside of the heap: up to 64 MB of it are no reason for V8 to collect. */
function takenBytes(): number {
  const { total_heap_size: heap, external_memory: outside } = getHeapStatistics();
  return heap + outside;
}

/** For threads that are started from now on: of their resource limits V8 heeds none that the launcher gave a flag for. */
export function limitThreads(): void {
  setFlagsFromString(`--max-semi-space-size=${threadSemiSpaceMib}`);
}
