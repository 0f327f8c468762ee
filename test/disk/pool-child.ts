/** Nothing but a pool that is closed while an answer is on its way to it: the process ends with 0 only if `close` ends. */
import { createPool, workerUrl } from '../../agent/disk/pool.ts';
import type { EchoCalls } from './echo-worker.ts';

const pool = createPool<EchoCalls>(workerUrl('echo-worker', import.meta.url), { threads: 1 });
// The thread runs.
await pool.call('echo', 1);
const stop = new AbortController();
const spinning = pool.call('spin', 30_000, { signal: stop.signal }).catch(() => undefined);
stop.abort(new Error('enough'));
// Nobody reads what the thread answers until this is over.
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
await pool.close();
await spinning;
