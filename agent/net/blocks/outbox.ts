/** Answers on their way to the kernel, a bounded number of bytes at a time, in the order in which they were given. */
import { P2psyncError } from '../../base/errors.ts';

export type Outbox = {
  /**
   * Waits its turn and for room, then calls `send`, unless `isWanted` says no by then.
   * @throws {P2psyncError} unreachable-peer, once it is closed.
   */
  give(costBytes: number, isWanted: () => boolean, send: () => void): Promise<void>;
  /** The kernel took so much. */
  written(costBytes: number): void;
  close(): void;
};

/** @param bytesMax exceeded by one answer only, and only while nothing else is on its way. */
export function createOutbox(bytesMax: number): Outbox {
  // Changes while running.
  let aheadBytes = 0;
  let closed = false;
  let turn: Promise<void> = Promise.resolve();
  let wake: (() => void) | undefined;

  async function pass(costBytes: number, isWanted: () => boolean, send: () => void): Promise<void> {
    while (!closed && aheadBytes > 0 && aheadBytes + costBytes > bytesMax) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await promise;
    }
    if (closed) throw new P2psyncError('unreachable-peer', 'the peer does not wait for blocks any more');
    if (!isWanted()) return;
    aheadBytes += costBytes;
    send();
  }

  return {
    give(costBytes, isWanted, send) {
      const passed = turn.then(() => pass(costBytes, isWanted, send));
      turn = passed.catch(() => {});
      return passed;
    },
    written(costBytes) {
      aheadBytes -= costBytes;
      wake?.();
    },
    close() {
      closed = true;
      wake?.();
    },
  };
}
