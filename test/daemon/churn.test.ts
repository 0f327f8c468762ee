/** A writer whose directory changes while it looks: at the end its tree is the directory, with every name of every file. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWatcher } from '../../agent/disk/watch.ts';
import { differing, diskShape, treeShape, turmoil } from '../e2e/lib/turmoil.ts';
import { type WriterShare, withWriterShare } from './writer-share.ts';

/** Only a change that is never found meets it: then the test fails instead of hanging, ms. */
const foundWithinMs = 60_000;

async function untilFound(share: WriterShare): Promise<void> {
  const deadline = Date.now() + foundWithinMs;
  for (;;) {
    const lines = differing(diskShape(share.root), treeShape(share.tree()));
    if (lines.length === 0) return;
    if (Date.now() > deadline) throw new Error(`never found:\n${lines.slice(0, 20).join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const directories of [false, true]) {
  for (const seed of [1, 4, 9]) {
    const what = directories ? 'files and directories' : 'files';
    test(`links, edits, swaps and renames of ${what} are all found (seed ${seed})`, () =>
      withWriterShare(
        async (share) => {
          await share.observer().start();
          for (let round = 0; round < 3; round += 1) {
            await turmoil(share.root, { seed: seed * 100 + round, operations: 400, directories });
            await untilFound(share);
          }
          const version = share.version();
          await share.observer().rescan();
          assert.is(share.version(), version, 'a whole look finds nothing that was missed');
        },
        { maxDelete: 1, watch: createWatcher },
      ));
  }
}

test.run();
