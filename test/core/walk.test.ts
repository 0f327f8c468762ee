/** Pages in the wrong place: whoever signed the root, a tree that does not hold together is malformed, never believed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { hasCode } from '../../agent/base/errors.ts';
import { decodedPagesMax } from '../../agent/base/limits.ts';
import { buildTree, checkTree, updateTree } from '../../agent/core/build.ts';
import { diffFromEmpty } from '../../agent/core/diff.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { Entry } from '../../agent/core/entry.ts';
import {
  type Child,
  countsOfPage,
  encodePage,
  lastKeyOf,
  type Page,
  type PageSource,
} from '../../agent/core/page.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { children, countsOf, iterate, lookup } from '../../agent/core/tree.ts';
import { createShelf, fileAt, salt, siteOf } from './trees.ts';

/** Builds pages by hand, as an attacker who holds the writer's key would. */
function createForge() {
  const pages = new Map<Digest, Bytes>();
  const source: PageSource = (digest) => pages.get(digest);
  const put = (page: Page): Child => {
    const bytes = encodePage(page);
    const digest = digestOf(bytes);
    pages.set(digest, bytes);
    return { lastKey: lastKeyOf(page) ?? ('-' as SharePath), digest, counts: countsOfPage(page) };
  };
  const leaf = (...paths: string[]): Child =>
    put({ kind: 'leaf', level: 0, entries: paths.map((path) => fileAt(path)) });
  const inner = (level: number, ...below: Child[]): Child => put({ kind: 'inner', level, children: below });
  return { source, leaf, inner };
}

/** Each way of walking meets the fault. */
function refused(source: PageSource, root: Child, path: string): void {
  const walks: (() => unknown)[] = [
    () => [...iterate(source, root.digest)],
    () => [...children(source, root.digest, '')],
    () => [...diffFromEmpty(source, root.digest)],
    () => lookup(source, root.digest, path as SharePath),
    () => updateTree(source, root.digest, [{ path: path as SharePath, entry: fileAt(path, 9) }], salt),
  ];
  for (const [index, walk] of walks.entries()) {
    assert.throws(walk, (error: unknown) => hasCode(error, 'malformed'), `walk ${index}`);
  }
}

test('a tree that holds together is read', () => {
  const { source, leaf, inner } = createForge();
  const root = inner(2, inner(1, leaf('a', 'b'), leaf('c')), inner(1, leaf('d'), leaf('e', 'f')));
  assert.equal(
    Array.from(iterate(source, root.digest), (entry) => entry.path),
    ['a', 'b', 'c', 'd', 'e', 'f'],
  );
  assert.is(countsOf(source, root.digest).entries, 6);
});

test('a page of another level than its place is refused', () => {
  const { source, leaf, inner } = createForge();
  refused(source, inner(2, leaf('a'), inner(1, leaf('b'))), 'a');
  refused(source, inner(1, leaf('a'), inner(1, leaf('b'))), 'b');
});

test('a page that ends at another path than its parent says is refused', () => {
  const { source, leaf, inner } = createForge();
  refused(source, inner(1, leaf('a'), { ...leaf('b'), lastKey: 'c' as SharePath }), 'b');
});

test('a page that reaches into its neighbour is refused, also across parents', () => {
  const { source, leaf, inner } = createForge();
  refused(source, inner(1, leaf('a', 'c'), leaf('b', 'd')), 'd');
  //        root
  //    c         e
  //  b   c     d   e      the leaf that ends at d starts before c
  refused(source, inner(2, inner(1, leaf('b'), leaf('c')), inner(1, leaf('a', 'd'), leaf('e'))), 'd');
});

test('counts that do not add up are refused', () => {
  const { source, leaf, inner } = createForge();
  for (const wrong of [
    { entries: 2, files: 1, bytes: 100 },
    { entries: 1, files: 0, bytes: 100 },
    { entries: 1, files: 1, bytes: 99 },
  ]) {
    refused(source, inner(1, leaf('a'), { ...leaf('b'), counts: wrong }), 'b');
  }
});

test('sizes that add up beyond what a number holds are refused', () => {
  const { leaf, inner } = createForge();
  const huge = { entries: 1, files: 1, bytes: Number.MAX_SAFE_INTEGER };
  const root = (): Child => inner(1, { ...leaf('a'), counts: huge }, { ...leaf('b'), counts: huge });
  assert.throws(root, (error: unknown) => hasCode(error, 'limit-exceeded'));
  assert.throws(
    () => buildTree([fileAt('a', 1, 2 ** 53 - 1), fileAt('b', 1, 2 ** 53 - 1)], salt),
    (error: unknown) => hasCode(error, 'limit-exceeded'),
  );
});

test('a root with a single page below it, and an empty page below a root, are refused', () => {
  const { source, leaf, inner } = createForge();
  refused(source, inner(1, leaf('a')), 'a');
  const empty = { ...leaf(), lastKey: 'a' as SharePath, counts: { entries: 1, files: 0, bytes: 0 } };
  refused(source, inner(1, empty, leaf('b')), 'a');
});

test('pages that end where the salt does not say so are found by a check of the whole tree', () => {
  const { source, leaf, inner } = createForge();
  const root = inner(1, leaf('a'), leaf('b'));
  assert.equal([...iterate(source, root.digest)].length, 2);
  assert.throws(
    () => checkTree(source, root.digest, salt),
    (error: unknown) => hasCode(error, 'malformed'),
  );
});

test('a page decoded before is decoded again where its bytes are others', () => {
  const shelf = createShelf();
  const { root } = shelf.put(buildTree(siteOf(3), salt));
  assert.is([...iterate(shelf.source, root)].length, 3);
  const other = buildTree(siteOf(2), salt);
  shelf.pages.set(root, other.pages.get(other.root) as Bytes);
  assert.is([...iterate(shelf.source, root)].length, 2);
});

test('more pages than are kept decoded, in a buffer that the source uses again, read as they are', () => {
  const shelf = createShelf();
  const site = siteOf(decodedPagesMax * 200);
  const { root, pages } = shelf.put(buildTree(site, salt));
  assert.ok(pages.size > decodedPagesMax);
  const buffer = new Uint8Array(1024 * 1024);
  const source: PageSource = (digest) => {
    const bytes = shelf.pages.get(digest);
    if (bytes === undefined) return undefined;
    buffer.set(bytes);
    return buffer.subarray(0, bytes.byteLength);
  };
  for (let round = 0; round < 2; round += 1) {
    let index = 0;
    for (const entry of iterate(source, root)) assert.is(entry.path, (site[index++] as Entry).path);
    assert.is(index, site.length);
  }
});

test.run();
