/** A thread that swaps a directory for a symlink and back, as fast as it can, and counts, until told to stop. */
import { renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';

const { root, outside, stop, swaps }: { root: string; outside: string; stop: Int32Array; swaps: Int32Array } =
  workerData;
const directory = join(root, 'd');
const real = join(root, 'real');
while (Atomics.load(stop, 0) === 0) {
  renameSync(directory, real);
  symlinkSync(outside, directory);
  unlinkSync(directory);
  renameSync(real, directory);
  Atomics.add(swaps, 0, 1);
  Atomics.notify(swaps, 0);
}
