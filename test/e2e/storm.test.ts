/** A writer that changes faster than its only replica can follow: what was announced may be gone when it is asked for. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { messageOf } from '../../agent/base/errors.ts';
import { churn } from './lib/churn.ts';
import { judge } from './lib/judge.ts';
import { converged, withMesh } from './lib/mesh.ts';

test('storm after storm, a lone replica catches up with a writer it has nobody beside', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer();
    const replica = await mesh.replica('one');
    await Promise.all([writer.start(), replica.start()]);
    for (let seed = 1; seed <= 6; seed += 1) {
      await churn(writer.directory, seed, 200);
      try {
        await converged(writer, [replica], 60_000);
      } catch (error) {
        throw new Error(`after the storm of seed ${seed}: ${messageOf(error)}`, { cause: error });
      }
    }
    await judge(writer.directory, replica.directory);
    assert.equal((await replica.status()).errors, []);
  });
});

test.run();
