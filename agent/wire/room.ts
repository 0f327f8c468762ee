/**
 * Memory for blocks as they come in: much at a time for those of a stream, so that neighbours lie together, little for a
 * single one. Knows no frame.
 */
import { bulkBatchBytes } from '../base/limits.ts';

export type Room = {
  /** Behind what was taken before, where it fits. */
  take(bytes: number): Buffer;
  /** Lets go of all that was taken. */
  leave(): void;
  /** Leaves all but what was taken last, of which the first bytes are kept. */
  renew(last: Buffer, kept: number): Buffer;
};

export function createRoom(): Room {
  // Changes while running.
  let slab = Buffer.alloc(0);
  let used = 0;
  let usedSince = 0;
  let usedBefore = 0;

  function take(bytes: number): Buffer {
    if (used + bytes > slab.byteLength) {
      const wanted = Math.min(bulkBatchBytes, 2 * Math.max(usedBefore, usedSince));
      slab = Buffer.allocUnsafeSlow(Math.max(bytes, wanted));
      used = 0;
    }
    const taken = slab.subarray(used, used + bytes);
    used += bytes;
    usedSince += bytes;
    return taken;
  }

  function leave(): void {
    usedBefore = usedSince;
    usedSince = 0;
    slab = Buffer.alloc(0);
    used = 0;
  }

  return {
    take,
    leave,
    renew(last, kept) {
      leave();
      const moved = take(last.byteLength);
      moved.set(last.subarray(0, kept));
      return moved;
    },
  };
}
