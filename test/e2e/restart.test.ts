/** Agents come and go: nothing is sent twice, nobody depends on the writer being up, kill -9 costs nothing. */
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { churn, randomFrom } from './lib/churn.ts';
import { judge } from './lib/judge.ts';
import { converged, until, withMesh } from './lib/mesh.ts';
import { noise } from './lib/torture.ts';

const mib = 1024 * 1024;

/** 300 files, 12 MiB. */
function furnish(top: string): void {
  mkdirSync(join(top, 'files'));
  for (let number = 0; number < 300; number += 1)
    writeFileSync(join(top, 'files', `${number}`), noise(14_000, number));
  writeFileSync(join(top, 'large'), noise(8 * mib, 1));
}

test('after a restart of everything only what changed meanwhile is sent', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const replicas = [await mesh.replica('one'), await mesh.replica('two')];
    await Promise.all(mesh.agents.map((agent) => agent.start()));
    await converged(writer, replicas);
    for (const agent of mesh.agents) assert.is(await agent.stop(), 0);

    writeFileSync(join(writer.directory, 'files', '3'), noise(14_000, 9_999));
    appendFileSync(join(writer.directory, 'large'), 'a little');
    renameSync(join(writer.directory, 'files', '4'), join(writer.directory, 'four'));
    rmSync(join(writer.directory, 'files', '5'));
    await Promise.all(mesh.agents.map((agent) => agent.start()));
    await converged(writer, replicas);
    for (const replica of replicas) {
      const { receivedBytes } = (await replica.status()).traffic;
      assert.ok(receivedBytes < mib, `${replica.name} received ${receivedBytes} bytes`);
    }

    for (const agent of mesh.agents) assert.is(await agent.stop(), 0);
    await Promise.all(mesh.agents.map((agent) => agent.start()));
    await converged(writer, replicas);
    await until('everybody is in sync', async () => {
      const states = await Promise.all(mesh.agents.map(async (agent) => (await agent.status()).state));
      return states.every((state) => state === 'in-sync');
    });
    for (const replica of replicas) {
      const { receivedBytes } = (await replica.status()).traffic;
      assert.ok(
        receivedBytes < 100_000,
        `nothing changed, and ${replica.name} received ${receivedBytes} bytes`,
      );
    }
  });
});

test('a rename of a directory moves no bytes', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const replica = await mesh.replica('one');
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    const before = (await replica.status()).traffic.receivedBytes;
    renameSync(join(writer.directory, 'files'), join(writer.directory, 'renamed'));
    renameSync(join(writer.directory, 'large'), join(writer.directory, 'renamed', 'huge'));
    await converged(writer, [replica]);
    const moved = (await replica.status()).traffic.receivedBytes - before;
    assert.ok(moved < mib, `${moved} bytes for a rename of 12 MiB`);
  });
});

test('a newcomer is filled by replicas while the writer is down, and follows when it is back', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const first = await mesh.replica('one');
    const second = await mesh.replica('two');
    await Promise.all(mesh.agents.map((agent) => agent.start()));
    await converged(writer, [first, second]);
    // Invited while the mesh was up: the invitation names more than one address to dial.
    const late = await mesh.replica('late');
    await writer.kill();
    await late.start();
    await converged(first, [late]);
    await judge(first.directory, late.directory);
    writeFileSync(join(writer.directory, 'meanwhile'), 'meanwhile');
    await writer.start();
    await converged(writer, [first, second, late]);
  });
});

test('replicas and writer are killed again and again in the middle of it, and all end up equal', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const replicas = [await mesh.replica('one'), await mesh.replica('two')];
    await Promise.all(mesh.agents.map((agent) => agent.start()));
    const random = randomFrom(4711);
    for (let round = 0; round < 8; round += 1) {
      const victim = mesh.agents[random(mesh.agents.length)];
      if (victim === undefined) throw new Error('a mesh has agents');
      const turmoil = churn(writer.directory, 100 + round, 60);
      writeFileSync(join(writer.directory, `large ${round}`), noise(6 * mib, round));
      await new Promise((resolve) => setTimeout(resolve, random(600)));
      await victim.kill();
      await turmoil;
      await victim.start();
    }
    await converged(writer, replicas);
    await Promise.all(replicas.map((replica) => judge(writer.directory, replica.directory)));
    for (const replica of replicas) assert.is((await replica.command(['verify'])).code, 0);
  });
});

test.run();
