/** The worker's side of `pool.ts`: answers calls one after the other. Runs in a worker thread only. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import type { Reply, Request } from './pool.ts';
import { packError } from './pool-error.ts';

export type CallContext = {
  /** True once the caller gave up: a long call looks now and then, and returns anything at all. */
  cancelled(): boolean;
  /** Buffers of the result that move to the caller instead of being copied. */
  readonly transfer: ArrayBuffer[];
};

/** What a worker offers: the calls of its pool, each with its context. */
export type Handlers<Shape> = {
  readonly [Name in keyof Shape]: Shape[Name] extends (argument: infer A) => infer R
    ? (argument: A, context: CallContext) => R | Promise<Awaited<R>>
    : never;
};

/** What the pool's `data()` gave when this thread started. */
export function poolData(): unknown {
  return workerData.data;
}

/** Answers the pool's calls with these functions from now on. Asynchronous ones overlap; synchronous ones never do. */
export function serveCalls<Shape>(handlers: Handlers<Shape>): void {
  const channel = parentPort;
  assert(channel !== null, 'calls are served in a worker thread');
  const table = new Map<string, unknown>(Object.entries(handlers));
  const answer = async ({ id, name, argument, cancel }: Request): Promise<void> => {
    const transfer: ArrayBuffer[] = [];
    const cancelled = () => cancel !== null && Atomics.load(cancel, 0) !== 0;
    try {
      const handler = table.get(name);
      assert(typeof handler === 'function', `a call that this worker does not know: ${name}`);
      const result: unknown = handler(argument, { cancelled, transfer });
      const value = result instanceof Promise ? await result : result;
      if (id !== 0) channel.postMessage({ kind: 'result', id, value } satisfies Reply, transfer);
    } catch (error) {
      // A `tell` has no caller to hear of it: the thread ends, and the pool says so.
      if (id === 0) throw error;
      channel.postMessage({ kind: 'error', id, error: packError(error) } satisfies Reply);
    }
  };
  channel.on('message', (request: Request) => void answer(request));
}

/** Says something that no call asked for; the pool's `onEvent` hears it. */
export function emit(event: unknown): void {
  parentPort?.postMessage({ kind: 'event', event } satisfies Reply);
}
