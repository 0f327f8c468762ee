/**
 * Directories that are, with everything below them, under another name in the next tree: found among the changes
 * between two trees, and turned into edits of one. Pure; whether the disk agrees is for others to find out.
 */
import { P2psyncError } from '../base/errors.ts';
import { movedEntriesMax } from '../base/limits.ts';
import type { Digest } from './digest.ts';
import { type Change, type Edit, type Entry, sameEntry } from './entry.ts';
import type { PageSource } from './page.ts';
import { ancestorsOf, comparePaths, type SharePath } from './path.ts';
import { iterate, lookup } from './tree.ts';

export type DirectoryMove = { readonly from: SharePath; readonly to: SharePath };

/** With what lies below `from` in the old tree, in byte order of path. */
export type FoundMove = DirectoryMove & { readonly entries: readonly Entry[] };

/** The same place, seen from the directory's other name. */
export function pathAfter(path: SharePath, { from, to }: DirectoryMove): SharePath {
  return `${to}${path.slice(from.length)}` as SharePath;
}

/**
 * None lies in another. What is below is the same in everything that is signed, at least one entry, and no further name of a
 * file; what the directory itself says of mode, owner and time may differ.
 * @param changes in byte order of path, each path once.
 */
export function findDirectoryMoves(changes: readonly Change[]): FoundMove[] {
  const gone = new Map<string, Below[]>();
  for (const { path, before, after } of changes) {
    if (before?.kind !== 'directory' || after !== null) continue;
    const below = belowOf(changes, path);
    const key = signOf(changes, below, 'before');
    if (key === null) continue;
    const same = gone.get(key);
    if (same === undefined) gone.set(key, [below]);
    else same.push(below);
  }
  const moves: FoundMove[] = [];
  if (gone.size === 0) return moves;
  const targets = new Set<SharePath>();
  const sources = new Set<SharePath>();
  const aboveSources = new Set<SharePath>();
  const isFree = (directory: SharePath): boolean =>
    !sources.has(directory) && !aboveSources.has(directory) && !isIn(directory, sources);
  for (const { path, before, after } of changes) {
    if (before !== null || after?.kind !== 'directory') continue;
    // Parents come before what is below them.
    if (isIn(path, targets)) continue;
    const come = belowOf(changes, path);
    const key = signOf(changes, come, 'after');
    const found = (key === null ? undefined : gone.get(key))?.find(
      (source) => isFree(source.directory) && isSame(changes, source, come),
    );
    if (found === undefined) continue;
    const from = found.directory;
    targets.add(path);
    sources.add(from);
    for (const above of ancestorsOf(from)) aboveSources.add(above);
    const entries = changes.slice(found.start, found.end).flatMap((change) => change.before ?? []);
    moves.push({ from, to: path, entries });
  }
  return moves;
}

/** The changes that are left to be done one by one where these directories move whole. */
export function withoutMoved(changes: readonly Change[], moves: readonly DirectoryMove[]): readonly Change[] {
  if (moves.length === 0) return changes;
  const ends = new Set(moves.flatMap(({ from, to }) => [from, to]));
  return changes.filter(({ path }) => !ends.has(path) && !ancestorsOf(path).some((above) => ends.has(above)));
}

/**
 * Edits of the tree at `root` that do these moves, in byte order of path.
 * @throws {P2psyncError} malformed, where there is no such directory, or a further name of a file in it; limit-exceeded; as `lookup`.
 */
export function editsOfMoves(pages: PageSource, root: Digest, moves: readonly DirectoryMove[]): Edit[] {
  const gone: Edit[][] = [];
  const come: Edit[][] = [];
  let count = 0;
  for (const move of moves) {
    const directory = lookup(pages, root, move.from);
    if (directory?.kind !== 'directory') throw cannotMove(move, 'is no directory');
    const [goneHere, comeHere]: [Edit[], Edit[]] = [[], []];
    for (const entry of [directory, ...iterate(pages, root, { below: move.from })]) {
      if (entry.kind === 'hardlink') throw cannotMove(move, 'holds a further name of a file');
      if (count >= movedEntriesMax)
        throw new P2psyncError('limit-exceeded', `more than ${movedEntriesMax} entries move at once`);
      const path = pathAfter(entry.path, move);
      goneHere.push({ path: entry.path, entry: null });
      comeHere.push({ path, entry: { ...entry, path } });
      count += 1;
    }
    gone.push(goneHere);
    come.push(comeHere);
  }
  return [...gone, ...come].reduce(mergeEdits, []);
}

/** The moves, and then the edits, as edits in byte order of path. @throws as `editsOfMoves`. */
export function withMoves(
  pages: PageSource,
  root: Digest,
  { moves, edits }: { readonly moves: readonly DirectoryMove[]; readonly edits: readonly Edit[] },
): readonly Edit[] {
  if (moves.length === 0) return edits;
  return mergeEdits(editsOfMoves(pages, root, moves), edits);
}

/** Both in byte order of path, each path once in each; of one path the later edit counts. */
function mergeEdits(earlier: readonly Edit[], later: readonly Edit[]): Edit[] {
  const merged: Edit[] = [];
  let next = 0;
  for (const edit of later) {
    let one = earlier[next];
    for (; one !== undefined && comparePaths(one.path, edit.path) < 0; one = earlier[next]) {
      merged.push(one);
      next += 1;
    }
    if (one?.path === edit.path) next += 1;
    merged.push(edit);
  }
  for (; next < earlier.length; next += 1) {
    const one = earlier[next];
    if (one !== undefined) merged.push(one);
  }
  return merged;
}

/** True where the moves can be done in any order: none comes from, or goes to, what another one touches. */
export function areApart(moves: readonly DirectoryMove[]): boolean {
  const ends = moves.flatMap(({ from, to }) => [from, to]);
  const all = new Set(ends);
  return all.size === ends.length && !ends.some((one) => isIn(one, all));
}

function cannotMove({ from }: DirectoryMove, why: string): P2psyncError {
  return new P2psyncError('malformed', `cannot move ${JSON.stringify(from.slice(0, 200))}: it ${why}`);
}

/** Where the changes below a directory are: from `start` up to `end`. */
type Below = { readonly directory: SharePath; readonly start: number; readonly end: number };

function belowOf(changes: readonly Change[], directory: SharePath): Below {
  const start = lowerBound(changes, `${directory}/`);
  // `0` follows `/` in ASCII.
  return { directory, start, end: lowerBound(changes, `${directory}0`) };
}

function lowerBound(changes: readonly Change[], path: string): number {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePaths(changes[middle]?.path ?? '', path) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What two directories that are the same have in common; null where there is nothing below, or something else than that side. */
function signOf(
  changes: readonly Change[],
  { directory, start, end }: Below,
  side: 'before' | 'after',
): string | null {
  const first = changes[start]?.[side];
  if (end === start || first === null || first === undefined) return null;
  const content = first.kind === 'file' && first.content.kind !== 'empty' ? first.content.digest : '';
  return `${end - start} ${content} ${first.path.slice(directory.length)}`;
}

function isIn(path: SharePath, directories: ReadonlySet<SharePath>): boolean {
  return ancestorsOf(path).some((above) => directories.has(above));
}

function isSame(changes: readonly Change[], gone: Below, come: Below): boolean {
  const move = { from: gone.directory, to: come.directory };
  for (let at = 0; at < gone.end - gone.start; at += 1) {
    const left = changes[gone.start + at];
    const right = changes[come.start + at];
    if (left === undefined || right === undefined || left.before === null || right.after === null)
      return false;
    if (left.after !== null || right.before !== null) return false;
    if (!isSameMoved(left.before, right.after, move)) return false;
  }
  return true;
}

function isSameMoved(before: Entry, after: Entry, move: DirectoryMove): boolean {
  if (before.kind === 'hardlink') return false;
  return sameEntry({ ...before, path: pathAfter(before.path, move) }, after);
}
