/**
 * How many bytes a second all connections together may move, in whichever thread each of them is: two numbers in shared
 * memory say the rate and when the next byte may go. Who asks first goes first, a slice at a time, so that each
 * connection gets the same. After the virtual scheduling algorithm of ITU-T I.371. Moves no bytes itself.
 */

import type { Bytes } from '../../base/bytes.ts';
import { paceBurstMs, paceSliceBytesMax, paceSliceMs } from '../../base/limits.ts';

export type Pace = {
  /** To be given to `createPace` in another thread. */
  readonly memory: SharedArrayBuffer;
  /** Bytes a second; 0: without limit. What was taken before is forgotten. */
  setRate(bytesPerSecond: number): void;
  rate(): number;
  /** Resolves when the rate is another than this one, in whichever thread it was set. */
  changedFrom(bytesPerSecond: number): Promise<void>;
  /** Most bytes to take at once. */
  sliceBytes(): number;
  /** Takes them. @returns how long they have to wait before they go, ms; 0: now. */
  take(bytes: number): number;
};

/** What whoever moves bytes needs of it. */
export type Pacing = Pick<Pace, 'rate' | 'sliceBytes' | 'take'>;

const rateAt = 0;
const dueAt = 1;
const nsPerSecond = 1_000_000_000n;
const nsPerMs = 1_000_000n;

/**
 * @param nowNs of a clock that all threads share, and that never goes back.
 * @param burstMs what may be caught up after nothing was moved for a while.
 */
export function createPace(
  memory: SharedArrayBuffer = new SharedArrayBuffer(16),
  nowNs: () => bigint = process.hrtime.bigint,
  burstMs = paceBurstMs,
): Pace {
  const cells = new BigInt64Array(memory);
  const rate = (): number => Number(Atomics.load(cells, rateAt));
  return {
    memory,
    setRate(bytesPerSecond) {
      Atomics.store(cells, rateAt, BigInt(bytesPerSecond));
      Atomics.store(cells, dueAt, 0n);
      Atomics.notify(cells, rateAt);
    },
    rate,
    async changedFrom(bytesPerSecond) {
      await Atomics.waitAsync(cells, rateAt, BigInt(bytesPerSecond)).value;
    },
    sliceBytes() {
      const bytesPerSecond = rate();
      if (bytesPerSecond === 0) return paceSliceBytesMax;
      return Math.min(paceSliceBytesMax, Math.max(1, Math.floor((bytesPerSecond * paceSliceMs) / 1000)));
    },
    take(bytes) {
      const bytesPerSecond = Atomics.load(cells, rateAt);
      if (bytesPerSecond === 0n) return 0;
      const costNs = (BigInt(bytes) * nsPerSecond + bytesPerSecond - 1n) / bytesPerSecond;
      for (;;) {
        const now = nowNs();
        const due = Atomics.load(cells, dueAt);
        const earliest = now - BigInt(burstMs) * nsPerMs;
        const start = due > earliest ? due : earliest;
        // Another thread may have taken meanwhile: then once more, behind it.
        if (Atomics.compareExchange(cells, dueAt, due, start + costNs) !== due) continue;
        return start <= now ? 0 : Number((start - now + nsPerMs - 1n) / nsPerMs);
      }
    },
  };
}

/** As slow as the slower of both. */
export function slowerOf(one: Pacing, other: Pacing): Pacing {
  return {
    rate() {
      const [first, second] = [one.rate(), other.rate()];
      return first === 0 || second === 0 ? Math.max(first, second) : Math.min(first, second);
    },
    sliceBytes: () => Math.min(one.sliceBytes(), other.sliceBytes()),
    take: (bytes) => Math.max(one.take(bytes), other.take(bytes)),
  };
}

/** The same bytes, not copied, in pieces that may be taken one at a time. */
export function* slicesOf(bytes: Bytes, pace: Pacing): Generator<Bytes> {
  for (let at = 0; at < bytes.byteLength; ) {
    const slice = bytes.subarray(at, at + pace.sliceBytes());
    at += slice.byteLength;
    yield slice;
  }
}
