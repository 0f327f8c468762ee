/** Odd trees: one of everything that trips file replication, and five hundred random operations while the agents watch. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { messageOf } from '../../agent/base/errors.ts';
import { churn } from './lib/churn.ts';
import { judge } from './lib/judge.ts';
import { converged, until, withMesh } from './lib/mesh.ts';
import { buildTortureTree, makeUnreplicable } from './lib/torture.ts';

test('a torture tree arrives exactly, and what links lead to outside stays as it is', async () => {
  await withMesh(async (mesh) => {
    const outside = join(mesh.directory, 'outside');
    const writer = await mesh.writer((directory) => buildTortureTree(directory, outside));
    const replica = await mesh.replica('one');
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    await judge(writer.directory, replica.directory);
    assert.equal(readdirSync(outside), ['file']);
    assert.is(readFileSync(join(outside, 'file'), 'utf8'), 'not ours');
    assert.is((await replica.command(['verify'])).code, 0);
  });
});

test('the torture tree arrives whole while the agents run, built under their eyes', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer();
    const replica = await mesh.replica('one');
    await Promise.all([writer.start(), replica.start()]);
    mkdirSync(join(writer.directory, 'tree'));
    buildTortureTree(join(writer.directory, 'tree'), join(mesh.directory, 'outside'));
    await converged(writer, [replica]);
    await judge(writer.directory, replica.directory);
  });
});

test('fifos, sockets and names that are not UTF-8 are skipped and named, and hold up nothing', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer((directory) => writeFileSync(join(directory, 'plain'), 'plain'));
    const replica = await mesh.replica('one');
    await Promise.all([writer.start(), replica.start()]);
    const { names, close } = makeUnreplicable(writer.directory);
    try {
      writeFileSync(join(writer.directory, 'after'), 'after');
      await until(
        'the plain files are there',
        () => readdirSync(replica.directory).filter((name) => name !== '.p2psync').length === 2,
      );
      await until('every skipped path is named in status', async () => {
        const told = JSON.stringify((await writer.status()).errors);
        return names.every((name) => told.includes(name));
      });
      assert.equal(
        readdirSync(replica.directory)
          .filter((name) => name !== '.p2psync')
          .sort(),
        ['after', 'plain'],
      );
    } finally {
      close();
    }
  });
});

for (const seed of [1, 20_261_121]) {
  test(`after five hundred random operations (seed ${seed}) two replicas equal the writer`, async () => {
    await withMesh(async (mesh) => {
      const writer = await mesh.writer();
      const replicas = [await mesh.replica('one'), await mesh.replica('two')];
      await Promise.all([writer.start(), ...replicas.map((replica) => replica.start())]);
      const done = await churn(writer.directory, seed, 500);
      try {
        await converged(writer, replicas);
      } catch (error) {
        throw new Error(`the last operations were: ${done.slice(-20).join(', ')}: ${messageOf(error)}`, {
          cause: error,
        });
      }
      await Promise.all(replicas.map((replica) => judge(writer.directory, replica.directory)));
    });
  });
}

test.run();
