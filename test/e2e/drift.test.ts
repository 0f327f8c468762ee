/** A replica follows: what is changed there by hand is kept aside and put right. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { messageOf } from '../../agent/base/errors.ts';
import { judge } from './lib/judge.ts';
import { converged, until, withMesh } from './lib/mesh.ts';
import { noise } from './lib/torture.ts';

function furnish(top: string): void {
  mkdirSync(join(top, 'a/b'), { recursive: true });
  for (const name of ['edited', 'removed', 'mode', 'a/b/deep', 'to be a directory', 'to be a link'])
    writeFileSync(join(top, name), name);
  writeFileSync(join(top, 'large'), noise(3_000_000, 1));
}

/** Contents of everything under `.p2psync/kept`. */
function keptContents(top: string): string[] {
  const kept = join(top, '.p2psync', 'kept');
  if (!existsSync(kept)) return [];
  return readdirSync(kept, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
}

test('edits, deletions, additions and changed kinds on a replica are healed, and what was written is kept', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const replica = await mesh.replica('one');
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    const top = replica.directory;
    const breakings: readonly (readonly [what: string, act: () => void, kept: string | null])[] = [
      ['an edit', () => writeFileSync(join(top, 'edited'), 'local edit'), 'local edit'],
      ['an append', () => appendFileSync(join(top, 'a/b/deep'), ' and local'), 'a/b/deep and local'],
      ['a deletion', () => rmSync(join(top, 'removed')), null],
      ['a deleted directory', () => rmSync(join(top, 'a'), { recursive: true }), null],
      ['a mode', () => chmodSync(join(top, 'mode'), 0o600), null],
      ['a stray file', () => writeFileSync(join(top, 'a/stray'), 'stray bytes'), 'stray bytes'],
      [
        'a stray directory',
        () => (mkdirSync(join(top, 'dir')), writeFileSync(join(top, 'dir/in'), 'in stray')),
        'in stray',
      ],
      [
        'a file that became a directory',
        () => (rmSync(join(top, 'to be a directory')), mkdirSync(join(top, 'to be a directory'))),
        null,
      ],
      [
        'a file that became a link',
        () => (rmSync(join(top, 'to be a link')), symlinkSync('/no/where', join(top, 'to be a link'))),
        null,
      ],
      [
        'bytes in the middle of a large file',
        () => writeFileSync(join(top, 'large'), noise(3_000_000, 2)),
        null,
      ],
    ];
    for (const [what, act, kept] of breakings) {
      act();
      try {
        await converged(writer, [replica], 30_000);
        if (kept !== null) await until(`${what} is kept`, () => keptContents(top).includes(kept), 5_000);
      } catch (error) {
        throw new Error(`${what}: ${messageOf(error)}`, { cause: error });
      }
    }
    await judge(writer.directory, top);
    assert.is(readFileSync(join(writer.directory, 'edited'), 'utf8'), 'edited');
  });
});

test('what is changed while the replica is down is found at its start', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const replica = await mesh.replica('one');
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    assert.is(await replica.stop(), 0);
    const before = lstatSync(join(replica.directory, 'edited'));
    writeFileSync(join(replica.directory, 'edited'), 'EDITED');
    rmSync(join(replica.directory, 'removed'));
    writeFileSync(join(replica.directory, 'stray'), 'stray');
    assert.is(lstatSync(join(replica.directory, 'edited')).size, before.size);
    await replica.start();
    await converged(writer, [replica]);
    assert.ok(keptContents(replica.directory).includes('EDITED'));
    assert.ok(keptContents(replica.directory).includes('stray'));
  });
});

test('a directory that holds files already is compared and reused, and strays are kept', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const replica = await mesh.replica('one', {
      fill(directory) {
        writeFileSync(join(directory, 'large'), readFileSync(join(writer.directory, 'large')));
        writeFileSync(join(directory, 'edited'), 'older version');
        writeFileSync(join(directory, 'mine'), 'not in the share');
      },
    });
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    assert.ok(keptContents(replica.directory).includes('not in the share'));
    assert.ok(keptContents(replica.directory).includes('older version'));
    const { receivedBytes } = (await replica.status()).traffic;
    assert.ok(receivedBytes < 1_000_000, `${receivedBytes} bytes came, and the large file was here`);
  });
});

test.run();
