/** Names of one file that come, go, move and are replaced faster than anybody looks: at the replica they are one file too. */
import { test } from 'uvu';
import { messageOf } from '../../agent/base/errors.ts';
import { judge } from './lib/judge.ts';
import { converged, withMesh } from './lib/mesh.ts';
import { turmoil } from './lib/turmoil.ts';

for (const directories of [false, true]) {
  test(`links are the same at the replica after turmoil of files${directories ? ' and directories' : ''}`, () =>
    withMesh(async (mesh) => {
      const writer = await mesh.writer();
      const replica = await mesh.replica('one');
      await Promise.all([writer.start(), replica.start()]);
      for (const seed of [1, 2, 3]) {
        await turmoil(writer.directory, { seed, operations: 600, directories });
        try {
          await converged(writer, [replica], 60_000);
          await judge(writer.directory, replica.directory);
        } catch (error) {
          throw new Error(`after the turmoil of seed ${seed}: ${messageOf(error)}`, { cause: error });
        }
      }
    }));
}

test.run();
