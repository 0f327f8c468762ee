/**
 * How much may be asked for while the disk here takes nothing. After a failure nothing for a while, then one block to see,
 * then twice as much with each that was stored: what comes in vain stays a block a try, however many could send.
 */

export type Storage = {
  failed(retryMs: number, nowMs: number): void;
  stored(): void;
  /** Nothing is to be asked for before. */
  readonly untilMs: () => number;
  /** Requests that may be in flight; infinite where all is well. */
  readonly requestsMax: () => number;
};

/** Above the widest window all is well again. */
const recoveredRequests = 64;

export function createStorage(): Storage {
  // Changes while running.
  let untilMs = 0;
  let requestsMax = Number.POSITIVE_INFINITY;

  return {
    failed(retryMs, nowMs) {
      untilMs = nowMs + retryMs;
      requestsMax = 1;
    },
    stored() {
      requestsMax = requestsMax >= recoveredRequests ? Number.POSITIVE_INFINITY : requestsMax * 2;
    },
    untilMs: () => untilMs,
    requestsMax: () => requestsMax,
  };
}
