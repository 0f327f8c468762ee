/** Who waits for a whole scan. Owns the list; scans by a function that it is given. */
import { P2psyncError } from '../base/errors.ts';

export type ScanRequests = {
  /** Resolves when a scan that began after the call is over. @throws what it throws; cancelled, where there will be none. */
  add(): Promise<void>;
  isEmpty(): boolean;
  /** For all who wait now. @throws what `scan` throws, when they were told. */
  serve(scan: () => Promise<void>): Promise<void>;
  close(): void;
};

export function createScanRequests(): ScanRequests {
  // Changes while running.
  let waiting: PromiseWithResolvers<void>[] = [];

  function take(): readonly PromiseWithResolvers<void>[] {
    const all = waiting;
    waiting = [];
    return all;
  }

  return {
    add() {
      const request = Promise.withResolvers<void>();
      waiting.push(request);
      return request.promise;
    },
    isEmpty: () => waiting.length === 0,
    async serve(scan) {
      const served = take();
      try {
        await scan();
      } catch (error) {
        for (const { reject } of served) reject(error);
        throw error;
      }
      for (const { resolve } of served) resolve();
    },
    close() {
      for (const { reject } of take()) reject(new P2psyncError('cancelled', 'the agent stops'));
    },
  };
}
