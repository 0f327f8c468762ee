/** A thread that swaps a directory for a symlink and back, as fast as it can, until told to stop. */
import { renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

const { root, outside, stop }: { root: string; outside: string; stop: Int32Array } = workerData;
const directory = join(root, 'd');
const real = join(root, 'real');
let swaps = 0;
while (Atomics.load(stop, 0) === 0) {
  renameSync(directory, real);
  symlinkSync(outside, directory);
  unlinkSync(directory);
  renameSync(real, directory);
  swaps += 1;
}
parentPort?.postMessage(swaps);
