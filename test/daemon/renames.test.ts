/** A directory that a person renamed on the writer: one step in tree, index and head, wherever nothing else happened in it. */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildTree } from '../../agent/core/build.ts';
import { takeRenames } from '../../agent/daemon/renames.ts';
import { diskStatOf } from '../../agent/disk/disk-stat.ts';
import { createIgnore } from '../../agent/disk/ignore.ts';
import { createScanner } from '../../agent/disk/scan.ts';
import type { Operations } from '../../agent/swarm/messages.ts';
import { path, type WriterShare, withWriterShare } from './writer-share.ts';

type At = (path: string) => string;

async function check(
  act: (at: At, share: WriterShare) => readonly string[],
  see: (share: WriterShare, operations: Operations | null) => void | Promise<void>,
): Promise<void> {
  await withWriterShare(async (share) => {
    const at: At = (name) => join(share.root, name);
    mkdirSync(at('old/deep'), { recursive: true });
    writeFileSync(at('old/1'), 'one');
    writeFileSync(at('old/deep/2'), 'two');
    symlinkSync('1', at('old/link'));
    writeFileSync(at('other'), 'other');
    await share.scan();
    share.read();
    const versions = share.published.length;
    await share.touch(...act(at, share));
    const newest = share.published.at(-1);
    assert.ok(newest !== undefined && share.published.length > versions);
    // The tree is what a look at everything would make of the disk.
    const { root } = newest.head.head;
    assert.is(buildTree(share.tree().values(), share.salt).root, root);
    await see(share, newest.operations);
    const before = share.published.length;
    await share.scan();
    assert.is(share.published.length, before, 'a scan finds nothing that was missed');
    for (const name of share.tree().keys()) assert.ok(existsSync(at(name)) || name.endsWith('link'), name);
  });
}

const whole = (share: WriterShare, operations: Operations | null, to: string): void => {
  assert.equal(operations?.moves, [{ from: 'old', to }]);
  assert.equal(share.read(), []);
  assert.equal(
    [...share.tree().keys()].filter((name) => name.startsWith('old')),
    [],
  );
  for (const name of ['1', 'deep/2', 'link', 'deep']) {
    assert.ok(share.tree().has(path(`${to}/${name}`)), name);
    assert.ok(share.store().record(path(`${to}/${name}`)) !== undefined, name);
  }
  assert.is(share.store().record(path('old/1')), undefined);
};

test('a directory that was renamed is one move in the head, and nothing in it is read', () =>
  check(
    (at) => (renameSync(at('old'), at('new')), ['old', 'new']),
    (share, operations) => {
      whole(share, operations, 'new');
      assert.equal(
        operations?.edits.map((edit) => edit.path),
        ['new'],
      );
    },
  ));

test('a directory may get another time and another parent with its name', () =>
  check(
    (at) => {
      mkdirSync(at('up'));
      renameSync(at('old'), at('up/new'));
      utimesSync(at('up/new'), 7, 8);
      return ['old', 'up'];
    },
    (share, operations) => {
      // Its parent came with it, so it was found by a listing.
      assert.is(operations?.moves.length, 0);
      assert.equal(share.read(), []);
      const entry = share.tree().get(path('up/new'));
      assert.is(entry?.kind === 'directory' ? entry.mtimeUs : 0, 8_000_000);
    },
  ));

const apart: readonly [string, (at: At) => readonly string[]][] = [
  ['a file in it changed', (at) => (writeFileSync(at('new/1'), 'changed'), [])],
  ['a file in it came', (at) => (writeFileSync(at('new/3'), 'three'), [])],
  ['a file in it went', (at) => (rmSync(at('new/deep/2')), [])],
  ['a file in it got another name', (at) => (linkSync(at('new/1'), at('again')), ['again'])],
];
for (const [what, act] of apart) {
  test(`a directory is taken path by path where ${what}`, () =>
    check(
      (at) => {
        renameSync(at('old'), at('new'));
        return ['old', 'new', ...act(at)];
      },
      (_share, operations) => assert.equal(operations?.moves ?? [], []),
    ));
}

test('what comes to the old name at once is there beside what has moved', () =>
  check(
    (at) => {
      renameSync(at('old'), at('new'));
      mkdirSync(at('old'));
      writeFileSync(at('old/1'), 'another');
      return ['old', 'new', 'old/1'];
    },
    (share) => {
      assert.is(share.tree().get(path('old/1'))?.kind, 'file');
      assert.is(share.tree().get(path('new/deep/2'))?.kind, 'file');
    },
  ));

test('what was seen of a file before its directory moved is not told after it: it would be there under both names', () =>
  check(
    (at) => (renameSync(at('old'), at('older')), ['old', 'older']),
    async (share) => {
      const scanner = createScanner(share.root, { ignore: createIgnore([]), threads: 1 });
      const look = (name: string) => ({
        path: path(name),
        stat: diskStatOf(lstatSync(join(share.root, name), { bigint: true })),
      });
      const seen = look('older/1');
      renameSync(join(share.root, 'older'), join(share.root, 'new'));
      const renamed = await takeRenames(
        { ready: [seen, look('new'), look('other')], pending: new Map([[path('older'), { stat: null }]]) },
        { store: share.store(), scanner, onMoved: (moved) => share.writer().takeMove(moved) },
        { signal: new AbortController().signal },
      );
      await scanner.close();
      assert.equal([[...renamed.ends], renamed.again], [['older', 'new'], ['older/1']]);
      assert.equal(
        renamed.rest.map((one) => one.path as string),
        ['other'],
      );
      await share.touch('older/1', 'older', 'new');
    },
  ));

test('a rename and an edit elsewhere travel in one head', () =>
  check(
    (at) => {
      renameSync(at('old'), at('new'));
      writeFileSync(at('other'), 'edited');
      return ['other', 'old', 'new'];
    },
    (share) => {
      const [moved] = share.published.filter(({ operations }) => (operations?.moves.length ?? 0) > 0);
      assert.equal(moved?.operations?.moves, [{ from: 'old', to: 'new' }]);
    },
  ));

test.run();
