/** A worker for the tests of the pool: gives back, waits, fails and dies on demand. */
import { P2psyncError } from '../../agent/base/errors.ts';
import { emit, poolData, serveCalls } from '../../agent/disk/pool-worker.ts';

export type EchoCalls = {
  echo(value: unknown): unknown;
  /** Length of what came, and the bytes back. */
  bytes(value: Uint8Array): Uint8Array;
  fail(kind: 'p2psync' | 'system' | 'plain'): never;
  /** Spins until it is told to stop. @returns true where it was told. */
  spin(atMostMs: number): boolean;
  say(value: unknown): void;
  data(argument: null): unknown;
  die(argument: null): void;
};

serveCalls<EchoCalls>({
  echo: (value) => value,
  bytes(value, { transfer }) {
    if (value.buffer instanceof ArrayBuffer) transfer.push(value.buffer);
    return value;
  },
  fail(kind) {
    if (kind === 'p2psync') throw new P2psyncError('disk-full', 'no room', { path: 'a' });
    throw kind === 'plain'
      ? new TypeError('wrong')
      : Object.assign(new Error('no entry'), { code: 'ENOENT' });
  },
  spin(atMostMs, { cancelled }) {
    const untilMs = performance.now() + atMostMs;
    emit('spinning');
    while (performance.now() < untilMs) if (cancelled()) return true;
    return false;
  },
  say: (value) => emit(value),
  data: () => poolData(),
  die: () => process.exit(3),
});
