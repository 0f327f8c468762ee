import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode, P2psyncError, systemCode } from '../../agent/base/errors.ts';
import { createPool, type Pool, type PoolOptions, runBatches, workerUrl } from '../../agent/disk/pool.ts';
import type { EchoCalls } from './echo-worker.ts';

async function withPool(options: Partial<PoolOptions>, use: (pool: Pool<EchoCalls>) => Promise<void>) {
  const pool = createPool<EchoCalls>(workerUrl('echo-worker', import.meta.url), { threads: 2, ...options });
  try {
    await use(pool);
  } finally {
    await pool.close();
  }
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test('answers every call with its own result', () =>
  withPool({}, async (pool) => {
    const values = Array.from({ length: 100 }, (_, at) => ({ at, big: BigInt(at) }));
    assert.equal(await Promise.all(values.map((value) => pool.call('echo', value))), values);
  }));

test('an error keeps its class, code, fields and message', () =>
  withPool({}, async (pool) => {
    const ours = await failureOf(pool.call('fail', 'p2psync'));
    assert.ok(hasCode(ours, 'disk-full'));
    assert.equal(ours.fields, { path: 'a' });
    assert.is(ours.message, 'no room');
    assert.is(systemCode(await failureOf(pool.call('fail', 'system'))), 'ENOENT');
    assert.match(String(await failureOf(pool.call('fail', 'plain'))), 'wrong');
  }));

test('buffers move both ways instead of being copied', () =>
  withPool({}, async (pool) => {
    const bytes = new Uint8Array([1, 2, 3]);
    const back = await pool.call('bytes', bytes, { transfer: [bytes.buffer] });
    assert.is(bytes.byteLength, 0);
    assert.equal([...back], [1, 2, 3]);
  }));

test('a second thread answers while the first is busy', () =>
  withPool({}, async (pool) => {
    const stop = new AbortController();
    const long = failureOf(pool.call('spin', 30_000, { signal: stop.signal }));
    assert.is(await pool.call('echo', 1), 1);
    stop.abort(new P2psyncError('cancelled', 'enough'));
    assert.ok(hasCode(await long, 'cancelled'));
  }));

test('an abort reaches a call that runs, and the thread is free again', async () => {
  const { promise: spinning, resolve } = Promise.withResolvers<unknown>();
  await withPool({ threads: 1, onEvent: resolve }, async (pool) => {
    const stop = new AbortController();
    const long = failureOf(pool.call('spin', 30_000, { signal: stop.signal }));
    await spinning;
    const queued = [1, 2, 3].map((value) => pool.call('echo', value));
    stop.abort(new Error('enough'));
    assert.match(String(await long), 'enough');
    assert.equal(await Promise.all(queued), [1, 2, 3]);
  });
});

test('a call whose signal is aborted already never runs', () =>
  withPool({}, async (pool) => {
    const error = await failureOf(pool.call('echo', 1, { signal: AbortSignal.abort(new Error('before')) }));
    assert.match(String(error), 'before');
  }));

test('a thread that dies fails its calls, and the next call has a new one', async () => {
  const crashes: Error[] = [];
  await withPool({ threads: 1, onCrash: (error) => crashes.push(error) }, async (pool) => {
    assert.ok(hasCode(await failureOf(pool.call('die', null)), 'io'));
    assert.is(await pool.call('echo', 2), 2);
    assert.is(crashes.length, 1);
  });
});

test('a thread starts with what data gives then', async () => {
  let version = 1;
  await withPool({ threads: 1, data: () => ({ version }) }, async (pool) => {
    assert.equal(await pool.call('data', null), { version: 1 });
    version = 2;
    await failureOf(pool.call('die', null));
    assert.equal(await pool.call('data', null), { version: 2 });
  });
});

test('a further thread ends when it has nothing to do, the first one stays', async () => {
  let started = 0;
  const data = () => {
    started += 1;
  };
  await withPool({ idleMs: 0, data }, async (pool) => {
    while (started < 3) {
      await Promise.all([pool.call('echo', 1), pool.call('echo', 2)]);
      for (let calls = 0; calls < 20; calls += 1) assert.is(await pool.call('echo', calls), calls);
    }
  });
});

test('where the first one need not last it ends, too, and the next call has a new one', async () => {
  let started = 0;
  let lasts = true;
  let lastsOnce = true;
  const data = () => {
    started += 1;
  };
  await withPool({ threads: 1, idleMs: 0, lasts: () => lasts, data }, async (pool) => {
    // A timer that was set after the pool's own, for as long, fires after it.
    const idle = () => new Promise((resolve) => setTimeout(resolve, 0));
    for (const expected of [1, 1, 2, 3]) {
      assert.is(await pool.call('echo', expected), expected);
      assert.is(started, expected);
      lasts = expected === 1 && lastsOnce;
      lastsOnce = false;
      await idle();
    }
  });
});

test('what is told arrives before later calls', async () => {
  const heard: unknown[] = [];
  await withPool({ threads: 1, onEvent: (event) => heard.push(event) }, async (pool) => {
    await pool.call('echo', null);
    pool.tell('say', 'first');
    await pool.call('echo', null);
    assert.equal(heard, ['first']);
  });
});

test('closing fails what is not answered, and what comes later', async () => {
  const pool = createPool<EchoCalls>(workerUrl('echo-worker', import.meta.url), { threads: 1 });
  const calls = [
    failureOf(pool.call('spin', 30_000)),
    failureOf(pool.call('echo', 1)),
    failureOf(pool.call('echo', 2)),
  ];
  await Promise.all([pool.close(), pool.close()]);
  for (const error of await Promise.all(calls)) assert.ok(hasCode(error, 'cancelled'));
  assert.ok(hasCode(await failureOf(pool.call('echo', 1)), 'cancelled'));
});

test('closing ends also where an answer comes meanwhile and nothing else keeps the process alive', async () => {
  const { stderr } = await promisify(execFile)(process.execPath, [
    join(import.meta.dirname, 'pool-child.ts'),
  ]);
  assert.is(stderr, '');
});

test('batches run a few ahead of the consumer, and a consumer that stops ends them', async () => {
  let running = 0;
  let most = 0;
  let started = 0;
  const stopped: boolean[] = [];
  const run = async (batch: number, { signal }: { signal: AbortSignal }) => {
    started += 1;
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    signal.addEventListener('abort', () => stopped.push(true), { once: true });
    return batch * 2;
  };
  const { signal } = new AbortController();
  const all: number[] = [];
  for await (const result of runBatches([1, 2, 3, 4, 5].values(), run, { signal, ahead: 2 }))
    all.push(result);
  assert.equal(
    all.sort((left, right) => left - right),
    [2, 4, 6, 8, 10],
  );
  assert.is(most, 2);

  started = 0;
  for await (const _ of runBatches([1, 2, 3, 4, 5].values(), run, { signal, ahead: 2 })) break;
  assert.is(started, 2);
});

test('batches stop at the first error and at the signal', async () => {
  const run = async (batch: number) => {
    if (batch === 2) throw new Error('second');
    return batch;
  };
  const consume = async (signal: AbortSignal) => {
    for await (const _ of runBatches([1, 2, 3].values(), run, { signal, ahead: 1 }));
  };
  assert.match(String(await failureOf(consume(new AbortController().signal))), 'second');
  assert.match(String(await failureOf(consume(AbortSignal.abort(new Error('stopped'))))), 'stopped');
});

test.run();
