/** The calls of the stage's worker, on its files. Synchronous. */
import type { Confined } from './confined.ts';
import type { Handlers } from './pool-worker.ts';
import type { StageCalls } from './stage.ts';
import { createStageFiles } from './stage-files.ts';
import { explainFull } from './system-errors.ts';

/** @param root named in errors. */
export function stageHandlers(confined: Confined, root: string): Handlers<StageCalls> {
  const files = createStageFiles(confined);

  function explained<Result>(run: () => Result): Result {
    try {
      return run();
    } catch (error) {
      throw explainFull(error, root);
    }
  }

  return {
    found: () => explained(() => files.found()),
    put(blocks) {
      try {
        return explained(() => files.put(blocks));
      } finally {
        // Left to the garbage collector, a gigabyte costs a collection each 50 MB.
        for (const { bytes } of blocks)
          if (bytes.buffer instanceof ArrayBuffer && !bytes.buffer.detached) bytes.buffer.transfer(0);
      }
    },
    assemble: (part) => explained(() => files.assemble(part)),
    read: (wanted, { transfer }) =>
      wanted.map(({ digest, length, sources }) => {
        const bytes = sources.length === 0 ? null : files.read(digest, length, sources);
        if (bytes !== null && bytes.buffer instanceof ArrayBuffer) transfer.push(bytes.buffer);
        return bytes;
      }),
    release: (contents) => files.release(contents),
    prune: (keep) => files.prune(keep),
  };
}
