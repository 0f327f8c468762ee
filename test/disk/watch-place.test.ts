/** Which directory a watch was put on, and whether that one is still there. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DirectoryPath } from '../../agent/core/path.ts';
import { createPlaces } from '../../agent/disk/watch-place.ts';
import { withShare } from './share-directory.ts';

test('a directory whose mode changes is told from one that is made in its place', () =>
  withShare({ d: null, e: null }, async (root) => {
    const places = createPlaces(root, () => undefined);
    const [old, young] = ['d' as DirectoryPath, 'e' as DirectoryPath];
    await places.place([young]);
    // The clock of the file system has gone on by then: nothing that is made later can seem as old.
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_600_000 });
    try {
      await places.place([old]);
      const { birthtimeNs } = fs.statSync(join(root, old), { bigint: true });
      fs.chmodSync(join(root, old), 0o700);
      fs.utimesSync(join(root, old), 1, 1);
      // Where the file system does not tell when it was made every directory is a suspect.
      assert.is(places.isSame(old), birthtimeNs > 0n);
      assert.not.ok(places.isSame(young), 'one that had just been made cannot be told');
      do {
        fs.rmdirSync(join(root, old));
        fs.mkdirSync(join(root, old));
      } while (
        birthtimeNs > 0n &&
        fs.statSync(join(root, old), { bigint: true }).birthtimeNs === birthtimeNs
      );
      assert.not.ok(places.isSame(old));
      fs.rmdirSync(join(root, old));
      assert.not.ok(places.isSame(old));
    } finally {
      mock.timers.reset();
      for (const directory of [old, young]) places.remove(directory);
    }
  }));

test.run();
