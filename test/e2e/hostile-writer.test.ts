/** A writer that lies to a real replica: what it signs is no tree, leads elsewhere, or is two things at once. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { buildTree } from '../../agent/core/build.ts';
import { createWriter } from '../../agent/core/codec.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { Entry, FileEntry, Owner } from '../../agent/core/entry.ts';
import { pageKinds } from '../../agent/core/page.ts';
import { comparePaths, type SharePath } from '../../agent/core/path.ts';
import { type Agent, until, withMesh } from './lib/mesh.ts';
import { type RogueWriter, startRogueWriter, statusOf } from './lib/villain.ts';

const owner: Owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, user: '', group: '' };
const common = { mode: 0o644, owner, mtimeUs: 1_767_225_600_000_000 };
const pathOf = (text: string): SharePath => text as SharePath;

function file(path: string, text: string): { readonly entry: FileEntry; readonly bytes: Bytes } {
  const bytes = new Uint8Array(Buffer.from(text));
  const content = { kind: 'block', digest: digestOf(bytes) } as const;
  return {
    entry: { kind: 'file', path: pathOf(path), ...common, size: bytes.byteLength, sparse: false, content },
    bytes,
  };
}

const directory = (path: string): Entry => ({
  ...common,
  kind: 'directory',
  path: pathOf(path),
  mode: 0o755,
});
const link = (path: string, target: string): Entry => ({
  kind: 'symlink',
  path: pathOf(path),
  owner,
  mtimeUs: 0,
  target,
});

/** A leaf of empty files, whatever their paths and their order are. */
function rawLeaf(...paths: readonly string[]): Bytes {
  const writer = createWriter();
  writer.byte(pageKinds.tree);
  writer.byte(0);
  writer.varint(paths.length);
  for (const [at, path] of paths.entries()) {
    writer.byte(0);
    writer.varint(0);
    writer.text(path);
    writer.varint(0);
    if (at === 0) for (const number of [owner.uid, owner.gid, 0, 0]) writer.varint(number);
    writer.zigzag(0);
    writer.varint(0o644);
  }
  return writer.finish();
}

function keep(writer: RogueWriter, entries: readonly Entry[], blocks: readonly Bytes[]): Digest {
  const sorted = entries.toSorted((left, right) => comparePaths(left.path, right.path));
  const tree = buildTree(sorted, writer.salt);
  for (const [digest, bytes] of tree.pages) writer.library.set(digest, bytes);
  for (const bytes of blocks) writer.library.set(digestOf(bytes), bytes);
  return tree.root;
}

const page = file('page', 'first');
const evil = file('link/evil', 'evil');

/** Each leads out of the share, or is no tree at all. */
const lies: readonly (readonly [what: string, page: Bytes])[] = [
  ...['../evil', '/evil', 'a/../../evil', 'a//evil', 'evil\0', '', '.', '..', '.p2psync/share', 'evil/'].map(
    (path) => [JSON.stringify(path), rawLeaf(path)] as const,
  ),
  ['paths that are not sorted', rawLeaf('b', 'a')],
  ['one path twice', rawLeaf('a', 'a')],
  ['bytes that are no page', new Uint8Array(50).fill(0x54)],
  [
    'a page that announces more than it has',
    Buffer.concat([rawLeaf('a').subarray(0, 2), Uint8Array.of(0xff, 7)]),
  ],
];

async function withWriter(
  check: (writer: RogueWriter, victim: Agent, top: string) => Promise<void>,
): Promise<void> {
  await withMesh(async (mesh) => {
    const writer = await startRogueWriter();
    try {
      const victim = await mesh.agent('victim');
      const options = ['--name', 'victim', '--listen', victim.address, '--http', 'off'];
      await victim.must(['join', writer.invitation(), victim.directory, ...options]);
      writer.publish(writer.head(keep(writer, [page.entry], [page.bytes])));
      await victim.start();
      await soon('the first version is there', () => existsSync(join(victim.directory, 'page')));
      await check(writer, victim, mesh.directory);
    } finally {
      await writer.close();
    }
  });
}

/** Each of these takes a second or two. */
function soon(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  return until(what, isSo, 30_000);
}

async function errorsOf(victim: Agent): Promise<readonly { path: string; code: string; message: string }[]> {
  return (await statusOf(victim)).shares[0]?.errors ?? [];
}

async function appliedAt(victim: Agent): Promise<number> {
  return (await statusOf(victim)).shares[0]?.applied?.sequence ?? 0;
}

const namesIn = (victim: Agent): string[] => readdirSync(victim.directory).sort();

test('trees that lie change nothing, are told of, and are made good by the next true one', async () => {
  await withWriter(async (writer, victim, top) => {
    const outside = readdirSync(top).sort();
    for (const [what, bytes] of lies) {
      const head = writer.head(digestOf(bytes));
      writer.library.set(digestOf(bytes), bytes);
      writer.publish(head);
      const told = `the tree of version 1.${head.head.version.sequence} cannot be read`;
      await soon(`it is told of ${what}`, async () =>
        (await errorsOf(victim)).some(
          ({ code, message }) => code === 'malformed' && message.startsWith(told),
        ),
      );
      assert.equal(namesIn(victim), ['.p2psync', 'page'], what);
    }
    const second = file('page', 'second');
    const good = writer.head(keep(writer, [second.entry], [second.bytes]));
    writer.publish(good);
    await soon(
      'the next true one is there',
      async () => (await appliedAt(victim)) === good.head.version.sequence,
    );
    assert.is(readFileSync(join(victim.directory, 'page'), 'utf8'), 'second');
    assert.equal(await errorsOf(victim), []);
    assert.equal(readdirSync(top).sort(), outside);
  });
});

test('a file below a link, below a file, or below nothing is not written, and nothing outside is touched', async () => {
  await withWriter(async (writer, victim, top) => {
    const outside = join(top, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'evil'), 'mine');
    const below = [file('page/below', 'evil'), file('nowhere/evil', 'evil')];
    const entries = [page.entry, link('link', outside), evil.entry, ...below.map(({ entry }) => entry)];
    writer.publish(writer.head(keep(writer, entries, [page.bytes, evil.bytes])));
    await soon('it is told', async () => (await errorsOf(victim)).length >= 3);
    const paths = (await errorsOf(victim)).map(({ path }) => path).sort();
    assert.equal(paths, ['link/evil', 'nowhere/evil', 'page/below']);
    assert.equal([readdirSync(outside), readFileSync(join(outside, 'evil'), 'utf8')], [['evil'], 'mine']);
    assert.is(readFileSync(join(victim.directory, 'page'), 'utf8'), 'first');
    // A directory that becomes a link, with a file that stays below it.
    const inside = file('folder/kept', 'kept');
    const first = [page.entry, directory('folder'), inside.entry];
    const folder = writer.head(keep(writer, first, [page.bytes, inside.bytes]));
    writer.publish(folder);
    await soon('the folder is there', () => existsSync(join(victim.directory, 'folder', 'kept')));
    const swapped = file('folder/evil', 'evil');
    writer.publish(
      writer.head(keep(writer, [page.entry, link('folder', outside), swapped.entry], [swapped.bytes])),
    );
    await soon('it is told', async () => (await errorsOf(victim)).some(({ path }) => path === 'folder/evil'));
    assert.equal([readdirSync(outside), readFileSync(join(outside, 'evil'), 'utf8')], [['evil'], 'mine']);
  });
});

test('a version never goes back, and two heads of one version halt their epoch, also after a restart', async () => {
  await withWriter(async (writer, victim) => {
    const old = writer.head(keep(writer, [file('old', 'old').entry], [file('old', 'old').bytes]));
    const second = file('page', 'second');
    const good = writer.head(keep(writer, [second.entry], [second.bytes]));
    writer.publish(good);
    await soon('the second version is there', async () => (await appliedAt(victim)) === 3);
    const connected = async (): Promise<boolean> => (await statusOf(victim)).shares[0]?.peersConnected === 1;
    for (const round of ['at once', 'after a restart']) {
      writer.publish(old);
      if (round === 'after a restart') {
        await victim.stop();
        await victim.start();
        await soon('it is back', connected);
      }
      const asked = writer.requests.length;
      writer.publish(good);
      const state = async () => (await statusOf(victim)).shares[0]?.state;
      await soon('all is well', async () => (await state()) === 'in-sync');
      assert.equal([namesIn(victim), await appliedAt(victim)], [['.p2psync', 'page'], 3], round);
      assert.is(writer.requests.length, asked, round);
    }

    const other = file('page', 'other');
    const rival = writer.head(keep(writer, [other.entry], [other.bytes]), { version: good.head.version });
    writer.publish(rival);
    const halted = async (): Promise<boolean> =>
      (await errorsOf(victim)).some(({ code }) => code === 'equivocation');
    await soon('it is halted', halted);
    const third = file('page', 'third');
    writer.publish(writer.head(keep(writer, [third.entry], [third.bytes])));
    await victim.stop();
    await victim.start();
    await soon('it is back', connected);
    await soon('it says so still', halted);
    writer.publish(writer.head(keep(writer, [file('page', 'fourth').entry], [file('page', 'fourth').bytes])));
    await soon('it has heard of that', async () => (await statusOf(victim)).shares[0]?.state === 'error');
    assert.is(readFileSync(join(victim.directory, 'page'), 'utf8'), 'second');
    const audit = JSON.parse(await victim.must(['audit', '--json'])) as { event: string; code?: string }[];
    assert.is(audit.filter(({ code }) => code === 'equivocation').length, 1);
  });
});

test.run();
