/**
 * Typed calls to worker threads, for work that is best done with synchronous system calls. Owns the threads:
 * starts them when there is work, a second one only when the first is busy, and hands errors over with their
 * code. Never decides what a call means. The worker's side is `serveCalls` in `pool-worker.ts`.
 */
import { Worker } from 'node:worker_threads';
import { P2psyncError } from '../base/errors.ts';
import { poolCallsAheadMax, threadIdleMs } from '../base/limits.ts';
import { type PackedError, unpackError } from './pool-error.ts';

/** Each call takes one argument that can be cloned and gives one result that can be cloned. */
export type Calls<Shape> = { readonly [Name in keyof Shape]: (argument: never) => unknown };
export type ArgumentOf<Shape, Name extends keyof Shape> = Shape[Name] extends (argument: infer A) => unknown
  ? A
  : never;
export type ResultOf<Shape, Name extends keyof Shape> = Shape[Name] extends (argument: never) => infer R
  ? Awaited<R>
  : never;

export type CallOptions = {
  /** Aborting rejects the call with the signal's reason; a running one is told through `context.cancelled()`. */
  readonly signal?: AbortSignal;
  /** Buffers that move to the worker instead of being copied. */
  readonly transfer?: readonly ArrayBuffer[];
};

export type Pool<Shape extends Calls<Shape>> = {
  /** Runs on the thread with the least to do. Errors are the handler's, with their code. */
  call<Name extends keyof Shape & string>(
    name: Name,
    argument: ArgumentOf<Shape, Name>,
    options?: CallOptions,
  ): Promise<ResultOf<Shape, Name>>;
  /** Tells every thread that runs now, before any later call; a thread that starts later gets `data()` instead. */
  tell<Name extends keyof Shape & string>(name: Name, argument: ArgumentOf<Shape, Name>): void;
  /** How many threads there are at most. */
  readonly threads: number;
  /** Ends the threads; calls that are not answered reject with `cancelled`. Safe to call twice. */
  close(): Promise<void>;
};

export type PoolOptions = {
  readonly threads: number;
  /** What a thread finds in `workerData.data`, asked for when it starts. */
  readonly data?: () => unknown;
  /** A further thread that has nothing to do for this long ends, ms: it holds some 10 MB. */
  readonly idleMs?: number;
  /** Whether the first one stays all the same, asked after that time. Default: yes, since starting one takes 50 ms. */
  readonly lasts?: () => boolean;
  /** Whether a running thread keeps the process alive also while no call waits for its answer. Default: no. */
  readonly keepsAlive?: boolean;
  /** What a worker said with `emit`, in its order. */
  readonly onEvent?: (event: unknown) => void;
  /** A thread ended by itself; its calls were rejected, and the next call starts another. */
  readonly onCrash?: (error: Error) => void;
};

export type Request = {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
  readonly cancel: Int32Array | null;
};
export type Reply =
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: PackedError }
  | { readonly kind: 'event'; readonly event: unknown };

/** Where a worker file lies: beside the caller, `.ts` from a checkout and `.js` from a build. */
export function workerUrl(name: string, callerUrl: string): URL {
  return new URL(`./${name}${callerUrl.endsWith('.ts') ? '.ts' : '.js'}`, callerUrl);
}

type Waiting = {
  readonly request: Request;
  readonly transfer: readonly ArrayBuffer[];
  readonly settle: (outcome: { value: unknown } | { error: unknown }) => void;
};
type Thread = {
  readonly worker: Worker;
  readonly running: Map<number, Waiting>;
  idle: NodeJS.Timeout | undefined;
};

/** @param url of a worker file that calls `serveCalls`. */
export function createPool<Shape extends Calls<Shape>>(url: URL, options: PoolOptions): Pool<Shape> {
  const threads: Thread[] = [];
  const queue = new Set<Waiting>();
  let nextId = 1;
  let closing: Promise<void> | null = null;

  function start(): Thread {
    const worker = new Worker(url, { workerData: { data: options.data?.() } });
    const thread: Thread = { worker, running: new Map(), idle: undefined };
    worker.on('message', (reply: Reply) => receive(thread, reply));
    worker.on('error', (error) => crash(thread, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', (code) => crash(thread, new Error(`exit code ${code}`)));
    rest(thread);
    threads.push(thread);
    return thread;
  }

  function rest(thread: Thread): void {
    // One that is being ended has to keep the process alive until it has.
    if (thread.running.size > 0 || closing !== null) return;
    if (options.keepsAlive !== true) thread.worker.unref();
    clearTimeout(thread.idle);
    thread.idle = setTimeout(retire, options.idleMs ?? threadIdleMs, thread).unref();
  }

  function retire(thread: Thread): void {
    const at = threads.indexOf(thread);
    if (at < 0 || thread.running.size > 0 || (at === 0 && options.lasts?.() !== false)) return;
    threads.splice(at, 1);
    void thread.worker.terminate();
  }

  function receive(thread: Thread, reply: Reply): void {
    if (reply.kind === 'event') {
      options.onEvent?.(reply.event);
      return;
    }
    const waiting = thread.running.get(reply.id);
    if (waiting === undefined) return;
    thread.running.delete(reply.id);
    rest(thread);
    dispatch();
    waiting.settle(reply.kind === 'result' ? { value: reply.value } : { error: unpackError(reply.error) });
  }

  function crash(thread: Thread, cause: Error): void {
    const at = threads.indexOf(thread);
    if (at < 0) return;
    threads.splice(at, 1);
    const error = new P2psyncError('io', `a worker thread ended by itself: ${cause.message}`, {}, { cause });
    for (const waiting of thread.running.values()) waiting.settle({ error });
    thread.running.clear();
    options.onCrash?.(error);
    if (closing === null) dispatch();
  }

  /** The idlest thread that may take another call; a new one only where all others have something to do. */
  function pick(): Thread | undefined {
    let best: Thread | undefined;
    for (const thread of threads)
      if (best === undefined || thread.running.size < best.running.size) best = thread;
    if ((best === undefined || best.running.size > 0) && threads.length < options.threads) return start();
    return best !== undefined && best.running.size < poolCallsAheadMax ? best : undefined;
  }

  function dispatch(): void {
    for (const waiting of queue) {
      const thread = pick();
      if (thread === undefined) return;
      queue.delete(waiting);
      thread.running.set(waiting.request.id, waiting);
      clearTimeout(thread.idle);
      thread.worker.ref();
      try {
        thread.worker.postMessage(waiting.request, waiting.transfer);
      } catch (error) {
        thread.running.delete(waiting.request.id);
        rest(thread);
        waiting.settle({ error });
      }
    }
  }

  return {
    threads: options.threads,
    call(name, argument, { signal, transfer = [] } = {}) {
      return new Promise((resolve, reject) => {
        if (closing !== null) throw new P2psyncError('cancelled', `the pool is closed: ${name}`);
        signal?.throwIfAborted();
        const cancel = signal === undefined ? null : new Int32Array(new SharedArrayBuffer(4));
        const onAbort = () => {
          if (cancel !== null) Atomics.store(cancel, 0, 1);
          queue.delete(waiting);
          waiting.settle({ error: signal?.reason });
        };
        const waiting: Waiting = {
          request: { id: nextId, name, argument, cancel },
          transfer,
          settle(outcome) {
            signal?.removeEventListener('abort', onAbort);
            if ('error' in outcome) reject(outcome.error);
            else resolve(outcome.value as ResultOf<Shape, typeof name>);
          },
        };
        nextId += 1;
        signal?.addEventListener('abort', onAbort, { once: true });
        queue.add(waiting);
        dispatch();
      });
    },
    tell(name, argument) {
      for (const { worker } of threads)
        worker.postMessage({ id: 0, name, argument, cancel: null } satisfies Request);
    },
    close() {
      closing ??= (async () => {
        const error = new P2psyncError('cancelled', 'the pool was closed before the call was answered');
        const ending = threads.splice(0);
        for (const waiting of queue) waiting.settle({ error });
        queue.clear();
        for (const thread of ending) for (const waiting of thread.running.values()) waiting.settle({ error });
        for (const { idle } of ending) clearTimeout(idle);
        await Promise.all(ending.map(({ worker }) => worker.terminate()));
      })();
      return closing;
    },
  };
}

/**
 * Runs a call for each batch, a few at once, and yields the results as they come; a consumer that stops
 * pulling stops the batches. `more` may return further work (a batch that was not finished) for each result.
 * @throws what a call throws, and the signal's reason; the calls that still run are told to stop.
 */
export async function* runBatches<Batch, Result>(
  batches: Iterator<Batch>,
  run: (batch: Batch, options: { signal: AbortSignal }) => Promise<Result>,
  options: { readonly signal: AbortSignal; readonly ahead: number },
): AsyncGenerator<Result, void, undefined> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const running = new Set<Promise<{ readonly self: Promise<unknown>; readonly result: Result }>>();
  try {
    for (;;) {
      signal.throwIfAborted();
      while (running.size < options.ahead) {
        const next = batches.next();
        if (next.done === true) break;
        const self: Promise<{ readonly self: Promise<unknown>; readonly result: Result }> = run(next.value, {
          signal,
        }).then((result) => ({ self, result }));
        running.add(self);
      }
      if (running.size === 0) return;
      const done = await Promise.race(running);
      for (const entry of running) if (entry === done.self) running.delete(entry);
      yield done.result;
    }
  } finally {
    for (const entry of running) entry.catch(() => undefined);
    stop.abort(new P2psyncError('cancelled', 'nobody waits for this any more'));
  }
}
