/** Trees and block lists of a writer that lies, walked by a replica: they end soon, and in an error. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { blockBytesMax, fileBlocksMax, KIB, walkEntriesPerStep } from '../../agent/base/limits.ts';
import { iterateBlocks } from '../../agent/core/blocklist.ts';
import { createWriter } from '../../agent/core/codec.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { FileEntry } from '../../agent/core/entry.ts';
import { type Child, encodePage, type Page, pageKinds } from '../../agent/core/page.ts';
import { parsePath } from '../../agent/core/path.ts';
import { createWalk } from '../../agent/swarm/walk.ts';
import { throwsCode } from '../core/documents.ts';
import { fileAt } from '../core/trees.ts';

const shelf = new Map<Digest, Bytes>();

function keep(bytes: Bytes): Digest {
  const digest = digestOf(bytes);
  shelf.set(digest, bytes);
  return digest;
}

/** Looks until nothing is left to look at, or it is refused. @returns how many entries were looked at. */
function walk(root: Digest, stepsMax = 20): number {
  const walked = createWalk({
    from: null,
    to: root,
    also: [],
    isLost: () => false,
    isBlockHere: () => true,
    isFull: () => false,
    pages: (digest) => shelf.get(digest),
    missing: () => undefined,
    assemble: () => undefined,
    found: () => undefined,
  });
  let entries = 0;
  for (let step = 0; !walked.isDone(); step += 1) {
    assert.ok(step < stepsMax, 'it does not end');
    entries += walked.advance(walkEntriesPerStep);
  }
  return entries;
}

const leaf = (...entries: FileEntry[]): Digest => keep(encodePage({ kind: 'leaf', level: 0, entries }));

function childOf(page: Page, digest: Digest, lastKey: string, change: Partial<Child> = {}): Child {
  const entries = page.kind === 'leaf' ? page.entries.length : page.children.length;
  const counts = { entries, files: entries, bytes: 100 * entries };
  return { lastKey: parsePath(lastKey), digest, counts, ...change };
}

test('one page that stands for a thousand, eight levels deep, is refused at the first of them', () => {
  let below: Page = { kind: 'leaf', level: 0, entries: [fileAt('a')] };
  let digest = keep(encodePage(below));
  for (let level = 1; level < 8; level += 1) {
    const children = Array.from({ length: 1000 }, (_, at) =>
      childOf(below, digest, `a${String(at).padStart(4, '0')}`),
    );
    below = { kind: 'inner', level, children };
    digest = keep(encodePage(below));
  }
  throwsCode(() => walk(digest), 'malformed');
});

test('a page that is not what its parent says is refused: another level, other paths, other counts, one path below it', () => {
  const left: Page = { kind: 'leaf', level: 0, entries: [fileAt('a'), fileAt('b')] };
  const right: Page = { kind: 'leaf', level: 0, entries: [fileAt('c')] };
  const [leftDigest, rightDigest] = [keep(encodePage(left)), keep(encodePage(right))];
  const good = [childOf(left, leftDigest, 'b'), childOf(right, rightDigest, 'c')];
  const inner = (children: readonly Child[], level = 1): Digest =>
    keep(encodePage({ kind: 'inner', level, children }));
  assert.is(walk(inner(good)), 5 + 3);
  const counts = { entries: 9, files: 2, bytes: 200 };
  const wrong = [
    inner(good, 2),
    inner([childOf(left, leftDigest, 'b', { counts }), ...good.slice(1)]),
    inner([childOf(left, leftDigest, 'bb'), ...good.slice(1)]),
    inner([childOf(right, rightDigest, 'c'), childOf(left, leftDigest, 'd')]),
    inner([childOf(left, leftDigest, 'b')]),
  ];
  for (const root of wrong) throwsCode(() => walk(root), 'malformed');
});

/** A page of a block list that names one thing so many times. */
function listPage(
  level: number,
  digest: Digest,
  length: number,
  count: number,
): { digest: Digest; size: number } {
  const writer = createWriter();
  writer.byte(pageKinds.list);
  writer.byte(level);
  writer.varint(length * count);
  writer.varint(count);
  for (let at = 0; at < count; at += 1) {
    writer.digest(digest);
    writer.varint(length);
  }
  return { digest: keep(writer.finish()), size: length * count };
}

test('a block list that names itself over and over is given up at its bound, and each of its pages is looked at once', () => {
  let list = listPage(0, digestOf(Uint8Array.of(1)), 1, 1024);
  for (let level = 1; level < 3; level += 1) list = listPage(level, list.digest, list.size, 1024);
  const file: FileEntry = {
    ...fileAt('bomb'),
    size: list.size,
    content: { kind: 'list', digest: list.digest, cut: 'small' },
  };
  throwsCode(() => walk(leaf(file)), 'limit-exceeded');
});

test('a file of the same blocks throughout is none: 128 GiB of zeros, and 8 TiB are below the bound', () => {
  let list = listPage(0, digestOf(Uint8Array.of(1)), blockBytesMax, 1024);
  list = listPage(1, list.digest, list.size, 64);
  assert.is([...iterateBlocks((digest) => shelf.get(digest), list.digest, list.size)].length, 64 * 1024);
  assert.is(fileBlocksMax * blockBytesMax, 8 * KIB * KIB * KIB * KIB);
});

test.run();
