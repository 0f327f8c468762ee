/** What the writer signs: one head after the other, never two of one version, none that nobody wants. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inlineBytesMax, inlineEditsMax } from '../../agent/base/limits.ts';
import { updateTree } from '../../agent/core/build.ts';
import { formatVersion } from '../../agent/core/version.ts';
import type { Published } from '../../agent/daemon/publish.ts';
import { readApplied, readHead, readWorking } from '../../agent/daemon/state.ts';
import { type WriterShare, withWriterShare } from './writer-share.ts';

const bytesOf = (length: number, seed: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, at) => (at * 31 + seed * 17 + (at >> 8)) & 0xff));

function furnish(root: string, files: number): void {
  mkdirSync(join(root, 'dir'), { recursive: true });
  for (let number = 0; number < files; number += 1)
    writeFileSync(join(root, 'dir', `file ${number}`), `content ${number}`);
}

/** The operations, applied to the tree they start from, lead to the head's root. */
function checkOperations(share: WriterShare, { head, operations }: Published): void {
  assert.ok(operations !== null, 'the operations fit');
  const pages = (digest: Parameters<ReturnType<WriterShare['store']>['page']>[0]) =>
    share.store().page(digest);
  const { root } = updateTree(pages, operations.baseRoot, operations.edits, share.salt);
  assert.is(root, head.head.root);
}

/** No version was signed with two roots. */
function checkVersions(published: readonly Published[]): void {
  const roots = new Map<string, string>();
  for (const { head } of published) {
    const version = formatVersion(head.head.version);
    assert.is(roots.get(version) ?? head.head.root, head.head.root, `two roots of version ${version}`);
    roots.set(version, head.head.root);
  }
}

test('a change raises the sequence by one, and a quiet look at the same disk publishes nothing', async () => {
  await withWriterShare(async (share) => {
    writeFileSync(join(share.root, 'a'), 'one');
    await share.scan();
    assert.is(share.version(), '1.1');
    await share.scan();
    assert.is(share.published.length, 1);
    writeFileSync(join(share.root, 'a'), 'two!');
    await share.touch('a');
    assert.is(share.version(), '1.2');
    checkOperations(share, share.published.at(-1) as Published);
  });
});

test('a writer that is halted signs nothing, neither a change nor its head again', async () => {
  await withWriterShare(async (share) => {
    writeFileSync(join(share.root, 'a'), 'one');
    await share.scan();
    share.writer().halt();
    writeFileSync(join(share.root, 'a'), 'two!');
    await share.touch('a');
    await share.writer().refresh();
    assert.equal(
      share.published.map(({ head }) => formatVersion(head.head.version)),
      ['1.1'],
    );
    // What it found is not forgotten: after a start that finds nothing amiss it is published.
    assert.not.equal(readWorking(share.store()), share.published[0]?.head.head.root);
  });
});

test('an empty directory is a version too', async () => {
  await withWriterShare(async (share) => {
    await share.scan();
    assert.is(share.version(), '1.1');
    assert.is(share.tree().size, 0);
  });
});

test('the sequence goes on after a restart, and an unchanged directory is no new version', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 3);
    await share.scan();
    await share.restart();
    await share.scan();
    assert.is(share.published.length, 1);
    await share.restart(() => writeFileSync(join(share.root, 'dir', 'file 1'), 'changed meanwhile'));
    await share.scan();
    assert.is(share.version(), '1.2');
    assert.equal(share.read().sort(), ['dir/file 0', 'dir/file 1', 'dir/file 1', 'dir/file 2']);
  });
});

test('what the writer published counts as applied, also after a restart', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 1);
    await share.scan();
    const head = readHead(share.store())?.head;
    assert.equal(readApplied(share.store()), { version: head?.version, root: head?.root });
  });
});

test('a crash between taking changes in and signing them is made good at the next start', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 2);
    await share.scan();
    share.writer().pause(true);
    writeFileSync(join(share.root, 'late'), 'taken, never signed');
    await share.touch('late');
    assert.is(share.version(), '1.1');
    await share.restart();
    await share.scan();
    assert.is(share.version(), '1.2');
    assert.ok(share.tree().has('late'));
    assert.is(share.published.at(-1)?.operations, null, 'what led here is not known any more');
  });
});

test('a paused writer takes changes in and publishes them all when it goes on', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 1);
    await share.scan();
    share.writer().pause(true);
    for (const name of ['a', 'b']) {
      writeFileSync(join(share.root, name), name);
      await share.touch(name);
    }
    assert.is(share.version(), '1.1');
    share.writer().pause(false);
    await share.writer().seal();
    assert.is(share.version(), '1.2');
    assert.ok(share.tree().has('a') && share.tree().has('b'));
    checkOperations(share, share.published.at(-1) as Published);
  });
});

test('a refreshed head has the version, root and counts of the one before, and a later time', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 1);
    await share.scan();
    const before = share.published[0]?.head.head;
    await share.writer().refresh();
    const after = share.published[1]?.head.head;
    assert.equal({ ...after, timeMs: 0 }, { ...before, timeMs: 0 });
    assert.ok((after?.timeMs ?? 0) >= (before?.timeMs ?? 0));
    assert.is(readHead(share.store())?.head.timeMs, after?.timeMs);
  });
});

test('refreshing while a version is being published neither takes it back nor signs its number twice', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 1);
    await share.scan();
    for (let number = 0; number < 5; number += 1) {
      share.writer().pause(true);
      writeFileSync(join(share.root, `a ${number}`), 'x');
      await share.touch(`a ${number}`);
      share.writer().pause(false);
      const works = [
        share.writer().refresh(),
        share.writer().seal(),
        share.writer().refresh(),
        share.writer().seal(),
      ];
      await Promise.all(works);
      const last = share.published.at(-1)?.head.head;
      assert.is(last?.version.sequence, number + 2);
      assert.is(readHead(share.store())?.head.version.sequence, number + 2);
    }
    checkVersions(share.published);
    const signed = share.notebook.lines.filter((line) => line.text === 'version published');
    assert.is(new Set(signed.map((line) => line.fields['version'])).size, signed.length);
  });
});

test('changes that are taken in while a version is being published are in the next one, whole', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 1);
    await share.scan();
    for (let number = 0; number < 20; number += 1) {
      writeFileSync(join(share.root, `f ${number}`), `content ${number}`);
      share.observer().touch([`f ${number}` as never]);
      await share.writer().seal();
      await share.writer().refresh();
    }
    await share.touch();
    await share.writer().seal();
    checkVersions(share.published);
    for (const one of share.published.slice(1)) if (one.operations !== null) checkOperations(share, one);
    assert.is([...share.tree().keys()].filter((name) => name.startsWith('f ')).length, 20);
  });
});

test('small changes ride inside the head; what is too much for it does not, and the next head begins anew', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 1);
    await share.scan();
    const publish = async (name: string, bytes: number): Promise<boolean> => {
      writeFileSync(join(share.root, name), bytesOf(bytes, 1));
      await share.touch(name);
      const last = share.published.at(-1) as Published;
      if (last.operations !== null) checkOperations(share, last);
      return last.operations !== null;
    };
    assert.ok(await publish('small', 100));
    assert.not(await publish('too large', inlineBytesMax));
    assert.ok(await publish('small again', 200));
    assert.not(await publish('a list of blocks', 100_000));
    assert.ok(await publish('and again', 300));

    share.writer().pause(true);
    for (const number of [1, 2]) await publish(`half ${number}`, inlineBytesMax / 2);
    share.writer().pause(false);
    await share.writer().seal();
    assert.is(share.published.at(-1)?.operations, null, 'two halves and their entries are more than a whole');

    mkdirSync(join(share.root, 'many'));
    for (let number = 0; number <= inlineEditsMax; number += 1)
      mkdirSync(join(share.root, 'many', `${number}`));
    await share.scan();
    assert.is(share.published.at(-1)?.operations, null, 'too many edits');
  });
});

test('a file that came and went between two heads leaves operations that fit', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 1);
    await share.scan();
    share.writer().pause(true);
    writeFileSync(join(share.root, 'brief'), 'x');
    await share.touch('brief');
    rmSync(join(share.root, 'brief'));
    writeFileSync(join(share.root, 'lasting'), 'y');
    await share.touch('brief', 'lasting');
    share.writer().pause(false);
    await share.writer().seal();
    checkOperations(share, share.published.at(-1) as Published);
    assert.not(share.tree().has('brief'));
  });
});

test('a mass delete is held back until somebody says yes, once', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 150);
    await share.scan();
    rmSync(join(share.root, 'dir'), { recursive: true });
    await share.scan();
    assert.is(share.version(), '1.1');
    assert.match(share.held.at(-1) ?? '', /removes 151 of 151 entries .*p2psync resume --yes/);
    share.writer().allow();
    await share.writer().seal();
    assert.is(share.version(), '1.2');
    assert.is(share.held.at(-1), null);
    assert.is(share.tree().size, 0);

    furnish(share.root, 150);
    await share.scan();
    rmSync(join(share.root, 'dir'), { recursive: true });
    await share.scan();
    assert.is(share.version(), '1.3', 'the yes was for the one before');
  });
});

test('a yes with nothing held back is not kept for later', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 150);
    await share.scan();
    share.writer().allow();
    await share.writer().seal();
    rmSync(join(share.root, 'dir'), { recursive: true });
    await share.scan();
    assert.is(share.version(), '1.1');
  });
});

test('a directory that was away and is back is no version, nothing is held any more, and nothing counts as removed', async () => {
  await withWriterShare(async (share) => {
    furnish(share.root, 150);
    await share.scan();
    renameSync(join(share.root, 'dir'), join(share.root, '..', 'unmounted'));
    await share.scan();
    assert.is.not(share.held.at(-1) ?? null, null);
    renameSync(join(share.root, '..', 'unmounted'), join(share.root, 'dir'));
    await share.scan();
    assert.is(share.published.length, 1);
    assert.is(share.held.at(-1), null);
    rmSync(join(share.root, 'dir', 'file 1'));
    await share.scan();
    assert.is(share.version(), '1.2');
  });
});

test('a renamed directory is no mass delete, however its two names are found', async () => {
  await withWriterShare(async (share) => {
    mkdirSync(join(share.root, 'm'));
    furnish(join(share.root, 'm'), 150);
    await share.scan();
    renameSync(join(share.root, 'm', 'dir'), join(share.root, 'm', 'later'));
    await share.touch('m/dir', 'm/later');
    assert.equal(share.held, []);
    assert.is(share.tree().size, 152);
    renameSync(join(share.root, 'm', 'later'), join(share.root, 'm', 'earlier'));
    await share.touch('m/earlier', 'm/later');
    renameSync(join(share.root, 'm', 'earlier'), join(share.root, 'a'));
    await share.scan();
    renameSync(join(share.root, 'a'), join(share.root, 'm', 'back'));
    await share.scan();
    assert.equal(share.held, []);
    assert.is(share.tree().size, 152);
    assert.ok(share.tree().has('m/back/file 149'));
    checkVersions(share.published);
  });
});

test.run();
