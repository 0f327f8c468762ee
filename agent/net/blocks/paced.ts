/** What goes out of one connection and what comes in on it, a slice at a time, as a pace allows. Owns what waits. */
import type { Bytes } from '../../base/bytes.ts';
import { type Pacing, slicesOf } from './pace.ts';

export type PacedWriter = {
  /** In order. `done` where the last of it was written. */
  write(parts: readonly Bytes[], done: () => void): void;
  /** What waits is dropped. */
  close(): void;
};

/** @param now writes without waiting and calls `done` once that is with the system; never, where it fails. */
export function createPacedWriter(
  pace: Pacing,
  now: (parts: readonly Bytes[], done: () => void) => void,
): PacedWriter {
  // Changes while running.
  const queue: { bytes: Bytes; readonly done: (() => void) | null }[] = [];
  let busy = false;
  let timer: NodeJS.Timeout | undefined;

  /** The next slice is taken only when the system has the last one: a slow peer costs the others nothing. */
  function next(): void {
    const parts: Bytes[] = [];
    const dones: (() => void)[] = [];
    const most = pace.sliceBytes();
    let bytes = 0;
    for (let first = queue[0]; first !== undefined && bytes < most; first = queue[0]) {
      const slice = first.bytes.subarray(0, most - bytes);
      parts.push(slice);
      bytes += slice.byteLength;
      first.bytes = first.bytes.subarray(slice.byteLength);
      if (first.bytes.byteLength > 0) continue;
      queue.shift();
      if (first.done !== null) dones.push(first.done);
    }
    busy = parts.length > 0;
    if (!busy) return;
    const write = () =>
      now(parts, () => {
        for (const done of dones) done();
        next();
      });
    const waitMs = pace.take(bytes);
    if (waitMs > 0) timer = setTimeout(write, waitMs);
    else write();
  }

  return {
    write(parts, done) {
      if (!busy && pace.rate() === 0) return now(parts, done);
      for (const [at, bytes] of parts.entries())
        queue.push({ bytes, done: at === parts.length - 1 ? done : null });
      if (!busy) next();
    },
    close() {
      clearTimeout(timer);
      queue.length = 0;
    },
  };
}

export type PacedReader = {
  /** Passed on at once, or copied and passed on in its turn. */
  receive(chunk: Bytes): void;
  /** Something waits: nothing more should be read. */
  isBehind(): boolean;
  close(): void;
};

export function createPacedReader(
  pace: Pacing,
  on: { readonly receive: (chunk: Bytes) => void; readonly caughtUp: () => void },
): PacedReader {
  // Changes while running.
  const held: { readonly bytes: Bytes; readonly atMs: number; readonly rate: number }[] = [];
  let timer: NodeJS.Timeout | undefined;

  function release(): void {
    const nowMs = performance.now();
    for (let first = held[0]; first !== undefined; first = held[0]) {
      // Under another limit its time says nothing any more.
      if (first.atMs > nowMs && first.rate === pace.rate()) {
        timer = setTimeout(release, first.atMs - nowMs);
        return;
      }
      held.shift();
      on.receive(first.bytes);
    }
    on.caughtUp();
  }

  return {
    receive(chunk) {
      const wasBehind = held.length > 0;
      const rate = pace.rate();
      for (const slice of slicesOf(chunk, pace)) {
        const waitMs = pace.take(slice.byteLength);
        if (waitMs === 0 && held.length === 0) on.receive(slice);
        else held.push({ bytes: new Uint8Array(slice), atMs: performance.now() + waitMs, rate });
      }
      if (!wasBehind && held.length > 0) release();
    },
    isBehind: () => held.length > 0,
    close() {
      clearTimeout(timer);
      held.length = 0;
    },
  };
}
