/** A writer whose index was put back from an older copy: it and everybody else say so, and no file is lost. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Agent, converged, type Mesh, until, withMesh } from './lib/mesh.ts';

/** A writer at version 1.3 whose index is that of 1.1, and a replica that has 1.3. Neither runs the writer. */
async function putBack(mesh: Mesh): Promise<{ readonly writer: Agent; readonly replica: Agent }> {
  const writer = await mesh.writer((top) => writeFileSync(join(top, 'first'), 'first'));
  const replica = await mesh.replica('one');
  await Promise.all([writer.start(), replica.start()]);
  await converged(writer, [replica]);
  await writer.stop();
  const [index, copy] = [join(writer.home, 'index'), join(mesh.directory, 'copy')];
  cpSync(index, copy, { recursive: true });
  await writer.start();
  for (const [at, name] of ['second', 'third'].entries()) {
    writeFileSync(join(writer.directory, name), name);
    await until(`${name} is applied`, async () => (await replica.status()).applied?.sequence === at + 2);
  }
  await writer.stop();
  rmSync(index, { recursive: true });
  cpSync(copy, index, { recursive: true });
  return { writer, replica };
}

async function isHalted(agent: Agent): Promise<boolean> {
  const { state, errors } = await agent.status();
  return state === 'error' && errors.some(({ code }) => code === 'conflict' || code === 'equivocation');
}

const filesOf = (agent: Agent): string[] =>
  ['first', 'second', 'third', 'fourth'].filter((name) => existsSync(join(agent.directory, name)));

test('two heads of one version are an error at the writer and at every replica, over restarts, and nothing is applied', async () => {
  await withMesh(async (mesh) => {
    const { writer, replica } = await putBack(mesh);
    // Alone, it publishes what it finds on its disk as 1.2, and what comes then as another 1.3.
    await replica.stop();
    await writer.start();
    await until('it is published', async () => (await writer.status()).head?.sequence === 2);
    writeFileSync(join(writer.directory, 'fourth'), 'fourth');
    await until('it is published', async () => (await writer.status()).head?.sequence === 3);
    await replica.start();
    await until('the replica says so', () => isHalted(replica));
    await until('the writer says so', () => isHalted(writer));
    assert.match((await replica.status()).errors[0]?.message ?? '', /signed two heads of version 1\.3/);
    const before = (await writer.status()).head;
    writeFileSync(join(writer.directory, 'fifth'), 'fifth');
    await writer.must(['rescan']);
    for (const agent of [writer, replica]) {
      await agent.stop();
      await agent.start();
    }
    await until('the replica still says so', () => isHalted(replica));
    await until('the writer still says so', () => isHalted(writer));
    assert.equal((await writer.status()).head?.sequence, before?.sequence);
    assert.equal(filesOf(replica), ['first', 'second', 'third']);
    assert.equal(filesOf(writer), ['first', 'second', 'third', 'fourth']);
    assert.is(readFileSync(join(replica.directory, 'third'), 'utf8'), 'third');
  });
});

test('a writer that hears of a newer head of its own publishes nothing on top of its older one, and says so', async () => {
  await withMesh(async (mesh) => {
    const { writer, replica } = await putBack(mesh);
    // The directory as well is that of 1.1: there is nothing to publish before it has heard of 1.3.
    for (const name of ['second', 'third']) rmSync(join(writer.directory, name));
    await writer.start();
    await until('the writer says so', () => isHalted(writer));
    assert.match((await writer.status()).errors[0]?.message ?? '', /has version 1\.3, signed by this agent/);
    writeFileSync(join(writer.directory, 'fourth'), 'fourth');
    await writer.must(['rescan']);
    assert.equal((await writer.status()).head?.sequence, 1);
    assert.equal(filesOf(replica), ['first', 'second', 'third']);
    assert.is((await replica.status()).applied?.sequence, 3);
    // Also while nobody tells it again.
    await Promise.all([writer.stop(), replica.stop()]);
    await writer.start();
    await until('the writer still says so', () => isHalted(writer));
  });
});

test.run();
