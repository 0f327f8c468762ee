/** `moved.ts`: directories that moved are found, and moving them in a tree is the tree without them and with them. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { movedEntriesMax } from '../../agent/base/limits.ts';
import { buildTree, updateTree } from '../../agent/core/build.ts';
import type { Entry } from '../../agent/core/entry.ts';
import { areApart, editsOfMoves, findDirectoryMoves, withMoves } from '../../agent/core/moved.ts';
import { isBelow, type SharePath } from '../../agent/core/path.ts';
import { throwsCode } from './documents.ts';
import { fileAt, salt, sorted } from './trees.ts';

const path = (text: string) => text as SharePath;
const move = (from: string, to: string) => ({ from: path(from), to: path(to) });
const owner = { uid: 0, gid: 0, user: '', group: '' };
const directory = (at: string): Entry => ({
  kind: 'directory',
  path: path(at),
  mode: 0o755,
  owner,
  mtimeUs: 1,
});

test('a tree with a directory moved is the tree of the moved entries, whatever edits follow', () => {
  const names = fc.uniqueArray(fc.constantFrom('1', '2', 'd/1', 'd/2', 'd-', 'é'), { minLength: 1 });
  fc.assert(
    fc.property(names, fc.constantFrom('a', 'az', 'c/new', 'zz'), fc.boolean(), (below, to, edited) => {
      const inMoved = [directory('b'), directory('b/d'), ...below.map((name) => fileAt(`b/${name}`))];
      const rest = [fileAt('a-'), directory('c'), fileAt('b0'), fileAt('b-')];
      const base = buildTree(sorted([...inMoved, ...rest]), salt);
      const pages = (digest: string) => base.pages.get(digest as typeof base.root);
      const other = fileAt(`${to}/${below[0]}`, 2);
      const edits = withMoves(pages, base.root, {
        moves: [move('b', to)],
        edits: edited ? [{ path: other.path, entry: other }] : [],
      });
      const moved = inMoved.map((entry): Entry => ({ ...entry, path: path(`${to}${entry.path.slice(1)}`) }));
      const expected = sorted([...moved, ...rest, ...(edited ? [other] : [])]);
      assert.is(updateTree(pages, base.root, edits, salt).root, buildTree(expected, salt).root);
    }),
    { numRuns: 200 },
  );
});

test('what is no directory, holds further names of files, or is too much, does not move', () => {
  const entries = sorted([
    directory('a'),
    fileAt('a/1'),
    { kind: 'hardlink', path: path('a/2'), target: path('a/1') },
    directory('many'),
    ...Array.from({ length: movedEntriesMax }, (_, at) => fileAt(`many/${at}`)),
  ]);
  const { root, pages } = buildTree(entries, salt);
  const edits = (from: string) => editsOfMoves((digest) => pages.get(digest), root, [move(from, 'z')]);
  throwsCode(() => edits('a'), 'malformed');
  throwsCode(() => edits('a/1'), 'malformed');
  throwsCode(() => edits('none'), 'malformed');
  throwsCode(() => edits('many'), 'limit-exceeded');
});

test('moves are apart where none comes from, or goes to, what another one touches', () => {
  assert.ok(areApart([move('a', 'b'), move('c', 'd/e'), move('a-', 'b-')]));
  for (const moves of [
    [move('a', 'a')],
    [move('a', 'a/b')],
    [move('a', 'b'), move('c', 'b')],
    [move('a', 'b'), move('b', 'c')],
    [move('a', 'b'), move('c', 'a/d')],
  ]) {
    assert.not(areApart(moves), JSON.stringify(moves));
  }
});

test('no directory that moves lies in another one that does', () => {
  const changes = sorted([
    directory('a'),
    directory('a/d'),
    fileAt('a/d/1'),
    directory('b'),
    directory('b/d'),
    fileAt('b/d/1'),
  ]).map((entry) => ({
    path: entry.path,
    before: isBelow(entry.path, path('a')) || entry.path === 'a' ? entry : null,
    after: isBelow(entry.path, path('b')) || entry.path === 'b' ? entry : null,
  }));
  const [found, ...others] = findDirectoryMoves(changes);
  assert.equal(
    [found?.from, found?.to, found?.entries.map((entry) => entry.path as string), others],
    ['a', 'b', ['a/d', 'a/d/1'], []],
  );
});

test.run();
