/** Reading the tree: order, look-ups, ranges, children, and how few pages they read. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { buildTree, checkTree, type TreeWrite, updateTree } from '../../agent/core/build.ts';
import type { Digest } from '../../agent/core/digest.ts';
import type { Entry } from '../../agent/core/entry.ts';
import { decodePage, lastKeyOf } from '../../agent/core/page.ts';
import { isBelow, parentOf, type SharePath } from '../../agent/core/path.ts';
import { children, countsOf, holdsPage, iterate, lookup } from '../../agent/core/tree.ts';
import {
  anyPath,
  createShelf,
  editsOf,
  fileAt,
  type Shelf,
  salt,
  siteOf,
  smallEntries,
  sorted,
} from './trees.ts';

const site = siteOf(8000);

function put(shelf: Shelf, entries: Iterable<Entry>): TreeWrite {
  return shelf.put(buildTree(entries, salt));
}

function pathsOf(entries: Iterable<Entry>): string[] {
  return Array.from(entries, (entry) => entry.path);
}

test('a tree gives back its entries in order, and its counts', () => {
  const shelf = createShelf();
  const write = put(shelf, site);
  assert.equal([...iterate(shelf.source, write.root)], site);
  assert.equal(write.counts, { entries: 8000, files: 8000, bytes: 800_000 });
  assert.equal(countsOf(shelf.source, write.root), write.counts);
  assert.is(write.levels, 3);
  checkTree(shelf.source, write.root, salt);
});

test('a look-up finds each path, and none that is not there, with one page a level', () => {
  const shelf = createShelf();
  const { root, levels } = put(shelf, site);
  for (const entry of site.filter((_, index) => index % 397 === 0)) {
    shelf.takeReads();
    assert.equal(lookup(shelf.source, root, entry.path), entry);
    assert.is(shelf.takeReads().length, levels);
    assert.is(lookup(shelf.source, root, `${entry.path}x` as SharePath), undefined);
  }
  assert.is(lookup(shelf.source, root, 'zzz' as SharePath), undefined);
  assert.is(lookup(shelf.source, root, 'A' as SharePath), undefined);
});

test('a range starts where it is told and keeps below its directory', () => {
  fc.assert(
    fc.property(smallEntries, anyPath, anyPath, (entries, from, below) => {
      const shelf = createShelf();
      const { root } = put(shelf, entries);
      const isFrom = (path: string) => Buffer.compare(Buffer.from(path), Buffer.from(from)) >= 0;
      const all = pathsOf(entries) as SharePath[];
      assert.equal(pathsOf(iterate(shelf.source, root, { from })), all.filter(isFrom));
      assert.equal(
        pathsOf(iterate(shelf.source, root, { below })),
        all.filter((path) => isBelow(path, below)),
      );
      assert.equal(
        pathsOf(iterate(shelf.source, root, { from, below })),
        all.filter((path) => isFrom(path) && isBelow(path, below)),
      );
    }),
  );
  const shelf = createShelf();
  const { root, levels } = put(shelf, site);
  shelf.takeReads();
  const found = [...iterate(shelf.source, root, { below: 'site/section-0100' as SharePath })];
  assert.equal(found, site.slice(100 * 50, 101 * 50));
  assert.ok(shelf.takeReads().length <= levels + 2);
});

test('children are what lies right in a directory; deeper subtrees are leapt over', () => {
  fc.assert(
    fc.property(smallEntries, (entries) => {
      const shelf = createShelf();
      const { root } = put(shelf, entries);
      const directories = new Set(entries.flatMap(({ path }) => [parentOf(path), path]));
      for (const directory of directories) {
        const expected = entries.filter(({ path }) => parentOf(path) === directory);
        assert.equal(pathsOf(children(shelf.source, root, directory)), pathsOf(expected));
      }
    }),
  );
  const shelf = createShelf();
  const big = sorted([...site, fileAt('site.txt'), fileAt('site'), fileAt('zoo')]);
  const { root, levels } = put(shelf, big);
  shelf.takeReads();
  assert.equal(pathsOf(children(shelf.source, root, '')), ['site', 'site.txt', 'zoo']);
  assert.ok(shelf.takeReads().length <= 2 * levels);
});

test('a page is held by exactly the trees it is part of', () => {
  const shelf = createShelf();
  const base = put(shelf, site);
  const next = shelf.put(
    updateTree(shelf.source, base.root, editsOf([fileAt(site[5000]?.path ?? '', 5)]), salt),
  );
  for (const [digest, bytes] of shelf.pages) {
    const page = decodePage(bytes);
    const placed = { level: page.level, lastKey: lastKeyOf(page) as SharePath, digest };
    assert.is(holdsPage(shelf.source, base.root, placed), base.pages.has(digest));
    assert.is(holdsPage(shelf.source, next.root, placed), !next.replaced.includes(digest));
  }
  const [digest] = next.replaced;
  shelf.takeReads();
  holdsPage(shelf.source, next.root, {
    level: 0,
    lastKey: site[5000]?.path as SharePath,
    digest: digest as Digest,
  });
  assert.ok(shelf.takeReads().length <= next.levels - 1);
});

test('a page that is not here is named', () => {
  const shelf = createShelf();
  const { root } = put(shelf, site);
  const leaf = [...shelf.pages].find(([, bytes]) => decodePage(bytes).level === 0);
  shelf.pages.delete(leaf?.[0] as Digest);
  assert.throws(
    () => [...iterate(shelf.source, root)],
    (error: unknown) => hasCode(error, 'page-missing') && error.fields['digest'] === leaf?.[0],
  );
});

test.run();
