/** `plan.ts` on a file system in memory: whatever two trees are, the steps lead from one to the other. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Entry, HardlinkEntry } from '../../agent/core/entry.ts';
import { findDirectoryMoves, withoutMoved } from '../../agent/core/moved.ts';
import { comparePaths, parentOf, type SharePath } from '../../agent/core/path.ts';
import { planSteps, type Step } from '../../agent/core/plan.ts';
import {
  Disk,
  diff,
  directory,
  file,
  hardlink,
  type Inode,
  operations,
  path,
  shown,
  symlink,
  type Tree,
  tree,
} from './plan-disk.ts';

type Options = { readonly whole: boolean };

/** @param options.whole directories that move do so in one step, where the disk would allow it. */
function plan(before: Tree, after: Tree, { whole }: Options = { whole: false }): readonly Step[] {
  const changes = diff(before, after);
  const targets = new Set(
    [...before.values()].flatMap((entry) => (entry.kind === 'hardlink' ? [entry.target] : [])),
  );
  const moves = findDirectoryMoves(changes).filter(
    ({ entries }) => !entries.some((entry) => targets.has(entry.path)),
  );
  return planSteps({
    changes: whole ? withoutMoved(changes, moves) : changes,
    moves: whole ? moves : [],
    after: (at) => after.get(at),
    linksTo: (at) =>
      [...after.values()].filter(
        (entry): entry is HardlinkEntry => entry.kind === 'hardlink' && entry.target === at,
      ),
  });
}

function check(before: Tree, after: Tree, options?: Options): readonly Step[] {
  const steps = plan(before, after, options);
  const disk = new Disk(before);
  for (const operation of operations(steps, disk)) operation();
  assert.equal(shown(disk), shown(new Disk(after)));
  return steps;
}

const kinds = (steps: readonly Step[]) =>
  steps.map((step) => {
    const at = 'entry' in step ? step.entry.path : step.path;
    if (step.kind === 'moveDirectory') return `${step.from}/ -> ${at}/`;
    return step.kind === 'place' && step.from !== null ? `${step.from} -> ${at}` : `${step.kind} ${at}`;
  });

test('makes parents before children, deletes children before parents, finishes the deepest directory first', () => {
  const steps = check(
    tree(directory('old'), directory('old/in'), file('old/in/f', 'x')),
    tree(directory('new'), directory('new/in'), file('new/in/g', 'y'), symlink('new/l', 'in/g')),
  );
  assert.equal(kinds(steps), [
    'mkdir new',
    'mkdir new/in',
    'place new/in/g',
    'symlink new/l',
    'remove old/in/f',
    'rmdir old/in',
    'rmdir old',
    'finish new/in',
    'finish new',
  ]);
});

test('moves the files of a renamed directory, each to its own name, although two hold the same', () => {
  const steps = check(
    tree(directory('a'), file('a/1', 'same'), file('a/2', 'same', 0o600), file('a/3', 'other')),
    tree(directory('b'), file('b/1', 'same'), file('b/2', 'same', 0o600), file('b/3', 'other')),
  );
  assert.equal(
    kinds(steps).filter((line) => line.includes('->')),
    ['a/1 -> b/1', 'a/2 -> b/2', 'a/3 -> b/3'],
  );
});

test('renames a directory whole where nothing below it changed', () => {
  const steps = check(
    tree(
      directory('p', 1),
      directory('p/a'),
      file('p/a/1', 'x'),
      directory('p/a/d'),
      symlink('p/a/d/2', 'x'),
    ),
    tree(directory('p', 2), directory('b', 0o700), file('b/1', 'x'), directory('b/d'), symlink('b/d/2', 'x')),
    { whole: true },
  );
  assert.equal(kinds(steps), ['p/a/ -> b/', 'finish p', 'finish b']);
});

test('takes directories apart where one entry is other, and renames those in it that are the same', () => {
  const steps = check(
    tree(directory('a'), directory('a/d'), file('a/d/1', 'x'), file('a/2', 'y')),
    tree(directory('b'), directory('b/d'), file('b/d/1', 'x'), file('b/2', 'z')),
    { whole: true },
  );
  assert.equal(kinds(steps), [
    'mkdir b',
    'a/d/ -> b/d/',
    'place b/2',
    'remove a/2',
    'rmdir a',
    'finish b/d',
    'finish b',
  ]);
});

test('two directories that hold the same move to a name each', () => {
  const before = tree(directory('a'), file('a/1', 'x'), directory('b'), file('b/1', 'x'));
  const steps = check(before, tree(directory('c'), file('c/1', 'x'), directory('d'), file('d/1', 'x')), {
    whole: true,
  });
  assert.equal(kinds(steps).slice(0, 2), ['a/ -> c/', 'b/ -> d/']);
  assert.equal(kinds(check(before, tree(directory('c'), file('c/1', 'x')), { whole: true })).slice(0, 2), [
    'a/ -> c/',
    'remove b/1',
  ]);
});

test('swaps two files and moves along a chain without copying', () => {
  assert.equal(kinds(check(tree(file('a', 'x'), file('b', 'y')), tree(file('a', 'y'), file('b', 'x')))), [
    'b -> a',
    'a -> b',
  ]);
  assert.equal(kinds(check(tree(file('a', 'x'), file('b', 'y')), tree(file('b', 'x'), file('c', 'y')))), [
    'a -> b',
    'b -> c',
    'remove a',
  ]);
  assert.equal(kinds(check(tree(file('Name', 'x')), tree(file('name', 'x')))), [
    'Name -> name',
    'remove Name',
  ]);
});

test('takes a file that stays, changed, as a source only where its metadata fits', () => {
  const before = tree(file('a', 'x', 0o600));
  assert.ok(kinds(check(before, tree(file('a', 'new'), file('b', 'x', 0o600)))).includes('a -> b'));
  assert.ok(kinds(check(before, tree(file('a', 'new'), file('b', 'x', 0o644)))).includes('place b'));
});

test('never moves a file that has other names', () => {
  const steps = check(tree(file('a', 'x'), hardlink('b', 'a')), tree(file('c', 'x')));
  assert.equal(kinds(steps), ['place c', 'remove a', 'remove b']);
});

test('links names again when their file is replaced, and looks at those whose inode lost a name', () => {
  const before = tree(file('a', 'x'), hardlink('b', 'a'), hardlink('c', 'a'));
  assert.equal(kinds(check(before, tree(file('a', 'new'), hardlink('b', 'a'), hardlink('c', 'a')))), [
    'place a',
    'hardlink b',
    'hardlink c',
  ]);
  assert.equal(kinds(check(before, tree(file('a', 'x'), hardlink('b', 'a')))), [
    'remove c',
    'look a',
    'look b',
  ]);
});

test('changes kinds in place', () => {
  const full = [directory('p'), file('p/x', 'x'), directory('p/d'), file('p/d/y', 'y')];
  check(tree(...full), tree(file('p', 'now a file')));
  check(tree(...full), tree(symlink('p', 'elsewhere')));
  check(tree(file('p', 'x')), tree(...full));
  check(tree(symlink('p', 'e')), tree(...full));
  check(tree(file('p', 'x')), tree(symlink('p', 'x')));
  check(tree(file('a', 'x'), ...full), tree(file('a', 'x'), hardlink('p', 'a')));
});

test('leaves the metadata of a directory whose entries keep their names alone', () => {
  const steps = check(
    tree(directory('d'), file('d/f', 'x', 0o600)),
    tree(directory('d'), file('d/f', 'x', 0o644)),
  );
  assert.equal(kinds(steps), ['metadata d/f']);
});

const anyTree: fc.Arbitrary<Tree> = fc
  .array(
    fc.record({
      at: fc.tuple(...Array.from({ length: 3 }, () => fc.constantFrom('a', 'b', 'B', 'c'))),
      depth: fc.integer({ min: 1, max: 3 }),
      kind: fc.constantFrom('file', 'file', 'directory', 'directory', 'symlink', 'hardlink'),
      content: fc.constantFrom('', 'x', 'y', 'zz'),
      mode: fc.constantFrom(0o600, 0o644),
    }),
    { maxLength: 24 },
  )
  .map((drafts) => {
    const made = new Map<SharePath, Entry>();
    const wanted = drafts
      .map((draft) => ({ ...draft, path: path(draft.at.slice(0, draft.depth).join('/')) }))
      .sort((left, right) => comparePaths(left.path, right.path));
    for (const draft of wanted) {
      const parent = parentOf(draft.path);
      if (made.has(draft.path) || (parent !== '' && made.get(parent)?.kind !== 'directory')) continue;
      const target = [...made.values()].findLast((entry) => entry.kind === 'file');
      if (draft.kind === 'directory') made.set(draft.path, directory(draft.path, draft.mode));
      else if (draft.kind === 'symlink') made.set(draft.path, symlink(draft.path, draft.content || 'a'));
      else if (draft.kind === 'hardlink' && target !== undefined)
        made.set(draft.path, hardlink(draft.path, target.path));
      else made.set(draft.path, file(draft.path, draft.content, draft.mode));
    }
    return made;
  });

/** The same tree with a directory under another name, where it has one. */
function withRename(before: Tree, from: number, name: string): Tree {
  const directories = [...before.values()].filter((entry) => entry.kind === 'directory');
  const moved = directories[from % Math.max(1, directories.length)]?.path;
  if (moved === undefined || before.has(path(name))) return before;
  const renamed = (at: string): SharePath =>
    path(at === moved || at.startsWith(`${moved}/`) ? `${name}${at.slice(moved.length)}` : at);
  const entries = [...before.values()].map((entry): Entry => ({ ...entry, path: renamed(entry.path) }));
  return tree(...entries.filter((entry) => entry.kind !== 'hardlink'));
}

test('leads from any tree to the same one with a directory renamed', () => {
  let whole = 0;
  fc.assert(
    fc.property(anyTree, fc.nat(), fc.constantFrom('A', 'b', 'z'), (before, from, name) => {
      const steps = check(before, withRename(before, from, name), { whole: true });
      whole += steps.filter((step) => step.kind === 'moveDirectory').length;
    }),
    { numRuns: 1000 },
  );
  assert.ok(whole > 10, `${whole} directories were renamed whole`);
});

test('leads from any tree to any other', () => {
  fc.assert(
    fc.property(anyTree, anyTree, fc.boolean(), (before, after, whole) => {
      check(before, after, { whole });
    }),
    { numRuns: 2000 },
  );
});

test('cut short anywhere and begun again, ends the same', () => {
  fc.assert(
    fc.property(anyTree, anyTree, fc.boolean(), fc.nat(), fc.nat(), (before, after, whole, first, second) => {
      const disk = new Disk(before);
      const all = operations(plan(before, after, { whole }), disk);
      for (const cut of [first, second])
        for (const operation of all.slice(0, cut % (all.length + 1))) operation();
      for (const operation of all) operation();
      assert.equal(shown(disk), shown(new Disk(after)));
    }),
    { numRuns: 2000 },
  );
});

test('looks at every name whose inode changed and that no other step touches', () => {
  fc.assert(
    fc.property(anyTree, anyTree, (before, after) => {
      const steps = plan(before, after);
      const disk = new Disk(before);
      const old = new Map(
        [...disk.names].map(([at, inode]) => [at, { inode, links: linkCount(disk, inode) }]),
      );
      for (const operation of operations(steps, disk)) operation();
      const touched = new Set(steps.map((step): string => ('entry' in step ? step.entry.path : step.path)));
      for (const [at, inode] of disk.names) {
        if (inode.kind === 'directory' || touched.has(at)) continue;
        assert.is(old.get(at)?.inode, inode, `${at} has another inode and no step`);
        assert.is(old.get(at)?.links, linkCount(disk, inode), `${at} got or lost a name and no step`);
      }
    }),
    { numRuns: 1000 },
  );
});

const linkCount = (disk: Disk, inode: Inode) =>
  [...disk.names.values()].filter((other) => other === inode).length;

test.run();
