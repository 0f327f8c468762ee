/** Writing the tree: one set of entries has one root, and an edit writes few pages. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AssertionFailed } from '../../agent/base/assert.ts';
import { utf8 } from '../../agent/base/bytes.ts';
import { pageKeysMax } from '../../agent/base/limits.ts';
import { createHashBoundary } from '../../agent/core/boundary.ts';
import { buildTree, emptyTree, type TreeWrite, updateTree } from '../../agent/core/build.ts';
import type { Digest } from '../../agent/core/digest.ts';
import type { Edit, Entry } from '../../agent/core/entry.ts';
import { decodePage, lastKeyOf } from '../../agent/core/page.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { countsOf, iterate, lookup } from '../../agent/core/tree.ts';
import {
  anyEntry,
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
const isBoundary = createHashBoundary(salt);

function put(shelf: Shelf, entries: Iterable<Entry>): TreeWrite {
  return shelf.put(buildTree(entries, salt));
}

/** Digests of all pages of a tree. */
function pagesOf(shelf: Shelf, root: Digest): Set<Digest> {
  const found = new Set([root]);
  for (const digest of found) {
    const bytes = shelf.pages.get(digest);
    const page = bytes === undefined ? undefined : decodePage(bytes);
    if (page?.kind === 'inner') for (const child of page.children) found.add(child.digest);
  }
  return found;
}

/** What an update says it wrote and replaced is what the two trees say. */
function checkWrite(shelf: Shelf, from: Digest, write: TreeWrite): void {
  shelf.put(write);
  const before = pagesOf(shelf, from);
  const after = pagesOf(shelf, write.root);
  assert.equal([...write.pages.keys()].sort(), [...after].filter((digest) => !before.has(digest)).sort());
  assert.equal([...write.replaced].sort(), [...before].filter((digest) => !after.has(digest)).sort());
  assert.equal(write.counts, countsOf(shelf.source, write.root));
}

test('the empty tree is one empty page, and editing leads to it and away from it', () => {
  const shelf = createShelf();
  const empty = shelf.put(emptyTree());
  assert.equal([...iterate(shelf.source, empty.root)], []);
  assert.is(lookup(shelf.source, empty.root, 'a' as SharePath), undefined);
  const one = shelf.put(updateTree(shelf.source, empty.root, editsOf([fileAt('a')]), salt));
  checkWrite(shelf, empty.root, one);
  assert.is(one.root, buildTree([fileAt('a')], salt).root);
  const none = updateTree(shelf.source, one.root, [{ path: 'a' as SharePath, entry: null }], salt);
  assert.is(none.root, empty.root);
  checkWrite(shelf, one.root, none);
  const still = updateTree(shelf.source, empty.root, [{ path: 'a' as SharePath, entry: null }], salt);
  assert.equal({ ...still, pages: [...still.pages] }, { ...empty, pages: [] });
});

test('the root does not depend on the order of inserts nor on the batches they come in', () => {
  const pool = [...siteOf(600), ...sorted(fc.sample(anyEntry, { seed: 7, numRuns: 400 }))].filter(
    (entry) => entry.kind !== 'file' || entry.size < 2 ** 40,
  );
  const expected = buildTree(sorted(pool), salt).root;
  fc.assert(
    fc.property(
      fc.shuffledSubarray(sorted(pool), { minLength: sorted(pool).length }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 3, maxLength: 12 }),
      (shuffled, batchSizes) => {
        const shelf = createShelf();
        let { root } = shelf.put(emptyTree());
        for (let at = 0, batch = 0; at < shuffled.length; batch += 1) {
          const size = batchSizes[batch % batchSizes.length] ?? 1;
          root = shelf.put(updateTree(shelf.source, root, editsOf(shuffled.slice(at, at + size)), salt)).root;
          at += size;
        }
        assert.is(root, expected);
      },
    ),
    { numRuns: 15 },
  );
});

test('an updated tree is the tree that is built of the same entries, page for page', () => {
  const shelf = createShelf();
  const base = put(shelf, site);
  const spot = fc.nat(site.length - 1);
  const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
    spot.map((at) => ({ path: site[at]?.path ?? ('x' as SharePath), entry: null })),
    fc.tuple(spot, fc.nat(99)).map(([at, seed]) => toEdit(fileAt(site[at]?.path ?? 'x', seed + 100_000))),
    fc.tuple(spot, fc.nat(99)).map(([at, seed]) => toEdit(fileAt(`${site[at]?.path}.${seed}`, seed))),
    anyEntry.filter((entry) => entry.kind !== 'file' || entry.size < 2 ** 40).map(toEdit),
    anyPath.map((path) => ({ path, entry: null })),
  );
  const runOfRemovals = fc
    .tuple(spot, fc.integer({ min: 1, max: 6000 }))
    .map(([at, count]) => site.slice(at, at + count).map(({ path }): Edit => ({ path, entry: null })));
  fc.assert(
    fc.property(
      fc.array(anyEdit, { maxLength: 30 }),
      fc.oneof(fc.constant([]), runOfRemovals),
      (some, run) => {
        const byPath = new Map<SharePath, Entry | null>();
        for (const { path, entry } of [...some, ...run]) byPath.set(path, entry);
        const model = new Map(site.map((entry) => [entry.path, entry]));
        for (const [path, entry] of byPath) {
          if (entry === null) model.delete(path);
          else model.set(path, entry);
        }
        const edits = [...byPath].map(([path, entry]) => ({ path, entry })).sort(byPathOrder);
        const write = updateTree(shelf.source, base.root, edits, salt);
        assert.is(write.root, buildTree(sorted(model.values()), salt).root);
        checkWrite(shelf, base.root, write);
      },
    ),
    { numRuns: 25 },
  );
});

test('small sets of any entries update as they build', () => {
  fc.assert(
    fc.property(smallEntries, smallEntries, fc.array(anyPath, { maxLength: 5 }), (before, more, gone) => {
      const shelf = createShelf();
      const base = put(shelf, before);
      const edits = new Map<SharePath, Entry | null>(more.map((entry) => [entry.path, entry]));
      for (const path of [...gone, ...before.slice(0, 3).map((entry) => entry.path)]) edits.set(path, null);
      const model = new Map(before.map((entry) => [entry.path, entry]));
      for (const [path, entry] of edits) {
        if (entry === null) model.delete(path);
        else model.set(path, entry);
      }
      const sortedEdits = [...edits].map(([path, entry]) => ({ path, entry })).sort(byPathOrder);
      const write = updateTree(shelf.source, base.root, sortedEdits, salt);
      assert.is(write.root, buildTree(sorted(model.values()), salt).root);
      checkWrite(shelf, base.root, write);
      assert.equal([...iterate(shelf.source, write.root)], sorted(model.values()));
    }),
  );
});

test('a change of content writes one page a level and moves no end of a page', () => {
  const shelf = createShelf();
  const base = put(shelf, site);
  fc.assert(
    fc.property(fc.nat(site.length - 1), fc.nat(1_000_000), (at, size) => {
      const changed = fileAt(site[at]?.path ?? '', 77_777, size + 101);
      shelf.takeReads();
      const write = updateTree(shelf.source, base.root, [toEdit(changed)], salt);
      assert.is(shelf.takeReads().length, base.levels);
      assert.is(write.pages.size, base.levels);
      assert.is(write.replaced.length, base.levels);
      assert.equal(
        lastKeys(write.pages.values()),
        lastKeys(write.replaced.map((digest) => shelf.pages.get(digest))),
      );
    }),
    { numRuns: 50 },
  );
});

// What an edit writes, away from pages that are full (whose end depends on their start): where the key ends no page
// at level 0, its page is written, keeps its last path, and so the level above has one record changed: one page a
// level. Where the key ends pages at the levels 0 to m - 1, each of these has one page more with it than without it, and the
// records that come, go and change lie side by side in one page of the level above: removing it writes one page a
// level, inserting it two at m levels and one above; fewer where a page has the key alone. The last path of the tree ends its pages whatever its hash.
test('an insert or a removal of a key that ends no page writes one page a level', () => {
  const shelf = createShelf();
  const base = put(shelf, site);
  fc.assert(
    fc.property(fc.nat(site.length - 2), fc.boolean(), (at, removes) => {
      const path = `${site[at]?.path}${removes ? '' : '+'}` as SharePath;
      fc.pre(!isBoundary(0, path));
      const write = updateTree(
        shelf.source,
        base.root,
        [{ path, entry: removes ? null : fileAt(path) }],
        salt,
      );
      assert.is(write.pages.size, base.levels);
      assert.is(write.replaced.length, base.levels);
    }),
    { numRuns: 50 },
  );
});

test('a key that ends a page joins pages when it goes and splits them when it comes', () => {
  const shelf = createShelf();
  const base = put(shelf, site);
  let endings = 0;
  for (const entry of site.slice(0, -1)) {
    let ends = 0;
    while (isBoundary(ends, entry.path)) ends += 1;
    if (ends === 0) continue;
    endings += 1;
    const joined = shelf.put(updateTree(shelf.source, base.root, [{ path: entry.path, entry: null }], salt));
    assert.ok(joined.pages.size <= joined.levels);
    assert.ok(joined.replaced.length <= base.levels + ends);
    const split = updateTree(shelf.source, joined.root, [toEdit(entry)], salt);
    assert.is(split.root, base.root);
    assert.ok(split.pages.size <= base.levels + ends);
    assert.ok(split.replaced.length <= joined.levels);
  }
  assert.ok(endings > 30);
});

test('edits out of order, or of another path than their entry, are a bug of the caller', () => {
  const shelf = createShelf();
  const base = put(shelf, siteOf(3));
  for (const edits of [
    [toEdit(fileAt('b')), toEdit(fileAt('a'))],
    [toEdit(fileAt('a')), toEdit(fileAt('a', 2))],
    [{ path: 'a' as SharePath, entry: fileAt('b') }],
  ]) {
    assert.throws(
      () => updateTree(shelf.source, base.root, edits, salt),
      (error: unknown) => error instanceof AssertionFailed,
    );
  }
  assert.throws(
    () => buildTree([fileAt('b'), fileAt('a')], salt),
    (error: unknown) => error instanceof AssertionFailed,
  );
});

test('another salt makes another tree, and the same entries', () => {
  const shelf = createShelf();
  const base = put(shelf, siteOf(2000));
  const other = shelf.put(buildTree(siteOf(2000), utf8('salt 1')));
  assert.is(utf8('salt 1').byteLength, salt.byteLength);
  assert.is.not(other.root, base.root);
  assert.equal([...iterate(shelf.source, other.root)], siteOf(2000));
});

test('a page ends after pageKeysMax keys where no hash ends it, and edits keep to that', () => {
  const shelf = createShelf();
  const plain = siteOf(4000).filter(({ path }) => !isBoundary(0, path));
  const base = put(shelf, plain);
  const root = decodePage(shelf.pages.get(base.root) as Uint8Array);
  assert.is(root.kind === 'inner' && root.children[0]?.counts.entries, pageKeysMax);
  for (const at of [0, 1, 1023, 1024, 2500, plain.length - 1]) {
    const removed = updateTree(
      shelf.source,
      base.root,
      [{ path: plain[at]?.path as SharePath, entry: null }],
      salt,
    );
    assert.is(removed.root, buildTree(plain.toSpliced(at, 1), salt).root);
    checkWrite(shelf, base.root, removed);
  }
});

test('a page of the longest links ends before its bytes pass the limit, and retargeting them moves no end', () => {
  const long = `${'d'.repeat(250)}/`.repeat(15);
  const links = siteOf(700).map(({ path }): Entry => {
    const owner = {
      uid: 0,
      gid: 0,
      user: path.padEnd(255, 'u').slice(0, 255),
      group: path.padStart(255, 'g').slice(-255),
    };
    return {
      kind: 'symlink',
      path: `${long}${path}` as SharePath,
      owner,
      mtimeUs: 0,
      target: 'x'.repeat(4095),
    };
  });
  const wide = buildTree(links, salt);
  const narrow = buildTree(
    links.map((link) => ({ ...link, target: 'x' }) as Entry),
    salt,
  );
  assert.equal(lastKeys(wide.pages.values()), lastKeys(narrow.pages.values()));
  const largest = Math.max(...Array.from(wide.pages.values(), (bytes) => bytes.byteLength));
  assert.ok(largest > 512 * 1024 && largest <= 1024 * 1024, `largest page has ${largest} bytes`);
});

function toEdit(entry: Entry): Edit {
  return { path: entry.path, entry };
}

function byPathOrder(left: Edit, right: Edit): number {
  return Buffer.compare(Buffer.from(left.path), Buffer.from(right.path));
}

function lastKeys(pages: Iterable<Uint8Array | undefined>): string[] {
  const keys = Array.from(pages, (bytes) => {
    const page = bytes === undefined ? undefined : decodePage(bytes);
    return `${page?.level} ${page === undefined ? '' : lastKeyOf(page)}`;
  });
  return keys.sort();
}

test.run();
