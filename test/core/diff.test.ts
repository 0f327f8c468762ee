/** Diff: exact, in order, and reading only what differs. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildTree, emptyTree, updateTree } from '../../agent/core/build.ts';
import { changesOfEdits, diffFromEmpty, diffTrees } from '../../agent/core/diff.ts';
import type { Digest } from '../../agent/core/digest.ts';
import { type Change, type Edit, type Entry, sameEntry } from '../../agent/core/entry.ts';
import { comparePaths, type SharePath } from '../../agent/core/path.ts';
import { createShelf, editsOf, fileAt, type Shelf, salt, siteOf, smallEntries, sorted } from './trees.ts';

function plainDiff(before: readonly Entry[], after: readonly Entry[]): Change[] {
  const left = new Map(before.map((entry) => [entry.path, entry]));
  const right = new Map(after.map((entry) => [entry.path, entry]));
  const paths = [...new Set([...left.keys(), ...right.keys()])].sort(comparePaths);
  return paths.flatMap((path) => {
    const gone = left.get(path) ?? null;
    const come = right.get(path) ?? null;
    return gone !== null && come !== null && sameEntry(gone, come)
      ? []
      : [{ path, before: gone, after: come }];
  });
}

/** Both ways, and every page is read that one tree has and the other has not, once, and no other. */
function check(shelf: Shelf, before: readonly Entry[], after: readonly Entry[]): void {
  const from = buildTree(before, salt);
  const to = buildTree(after, salt);
  shelf.put(from);
  shelf.put(to);
  shelf.takeReads();
  const changes = [...diffTrees(shelf.source, from.root, to.root)];
  const reads = shelf.takeReads();
  assert.equal(changes, plainDiff(before, after));
  const only = (mine: ReadonlyMap<Digest, unknown>, theirs: ReadonlyMap<Digest, unknown>): Digest[] =>
    [...mine.keys()].filter((digest) => !theirs.has(digest));
  const expected = [...only(from.pages, to.pages), ...only(to.pages, from.pages)];
  // Of trees of other heights the lower root may lie in the higher tree; it is read to learn its level.
  const roots = from.root === to.root ? [] : [from.root, to.root].filter((root) => !expected.includes(root));
  assert.equal([...reads].sort(), [...expected, ...roots].sort());
  const left = new Map(after.map((entry) => [entry.path, entry]));
  const edits = sorted([...before, ...after]).map(({ path }) => ({ path, entry: left.get(path) ?? null }));
  assert.equal(changesOfEdits(shelf.source, from.root, edits), changes);
  const told = changes.map((change) => ({ path: change.path, entry: change.after }));
  assert.equal(changesOfEdits(shelf.source, from.root, told), changes);
  const back = [...diffTrees(shelf.source, to.root, from.root)];
  assert.equal(
    back,
    changes.map(({ path, before, after }) => ({ path, before: after, after: before })),
  );
}

test('an edit that removes what is not there, or says what is, changes nothing', () => {
  const { root, pages } = buildTree([fileAt('b')], salt);
  const edits = [
    { path: fileAt('a').path, entry: null },
    { path: fileAt('b').path, entry: fileAt('b') },
    { path: fileAt('c').path, entry: null },
  ];
  assert.equal(
    changesOfEdits((digest) => pages.get(digest), root, edits),
    [],
  );
});

test('the diff of small trees is what a plain comparison finds', () => {
  fc.assert(fc.property(smallEntries, smallEntries, (before, after) => check(createShelf(), before, after)));
});

test('the diff of large trees reads exactly the pages that differ', () => {
  const shelf = createShelf();
  const site = siteOf(6000);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(5999), fc.constantFrom('change', 'remove', 'add')), { maxLength: 12 }),
      fc.tuple(fc.nat(5999), fc.nat(3000)),
      (edits, [start, count]) => {
        const model = new Map<string, Entry>(site.map((entry) => [entry.path, entry]));
        for (const { path } of site.slice(start, start + (count > 1500 ? count : 0))) model.delete(path);
        for (const [at, what] of edits) {
          const path = site[at]?.path ?? '';
          if (what === 'remove') model.delete(path);
          else
            model.set(
              what === 'add' ? `${path}~` : path,
              fileAt(what === 'add' ? `${path}~` : path, 1_000_000 + at),
            );
        }
        const after = [...model.values()].sort((left, right) => comparePaths(left.path, right.path));
        check(shelf, site, after);
      },
    ),
    { numRuns: 20 },
  );
});

test('trees of other heights are compared without reading what they share', () => {
  const shelf = createShelf();
  const site = siteOf(6000);
  for (const count of [0, 1, 50, 300, 2000, 5999]) {
    check(shelf, site.slice(0, count), site);
    check(shelf, site.slice(6000 - count), site);
  }
});

test('one change in six thousand reads two pages a level', () => {
  const shelf = createShelf();
  const before = shelf.put(buildTree(siteOf(6000), salt));
  const path = 'site/section-0100/page-005000.html' as SharePath;
  const after = shelf.put(updateTree(shelf.source, before.root, [{ path, entry: fileAt(path, 3) }], salt));
  shelf.takeReads();
  assert.equal(
    Array.from(diffTrees(shelf.source, before.root, after.root), (change) => change.path),
    [path],
  );
  assert.is(shelf.takeReads().length, 2 * before.levels);
  assert.equal([...diffTrees(shelf.source, before.root, before.root)], []);
  assert.is(shelf.takeReads().length, 0);
});

test('applying a diff gives the other tree', () => {
  fc.assert(
    fc.property(smallEntries, smallEntries, (before, after) => {
      const shelf = createShelf();
      const from = shelf.put(buildTree(before, salt));
      const to = shelf.put(buildTree(after, salt));
      const edits = Array.from(
        diffTrees(shelf.source, from.root, to.root),
        ({ path, after: entry }): Edit => ({ path, entry }),
      );
      assert.is(updateTree(shelf.source, from.root, edits, salt).root, to.root);
    }),
  );
});

test('from nothing, everything is a change', () => {
  const shelf = createShelf();
  const empty = shelf.put(emptyTree());
  const site = siteOf(1000);
  const { root } = shelf.put(buildTree(site, salt));
  const changes = [...diffFromEmpty(shelf.source, root)];
  assert.equal(changes, plainDiff([], site));
  assert.equal([...diffTrees(shelf.source, empty.root, root)], changes);
  assert.equal([...diffFromEmpty(shelf.source, empty.root)], []);
  assert.is(updateTree(shelf.source, empty.root, editsOf(site), salt).root, root);
});

test('a diff starts before the far pages are read', () => {
  const shelf = createShelf();
  const { root, pages } = shelf.put(buildTree(siteOf(10_000), salt));
  shelf.takeReads();
  diffFromEmpty(shelf.source, root).next();
  assert.ok(shelf.takeReads().length < pages.size / 10);
});

test.run();
