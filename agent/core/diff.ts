/**
 * What differs between two trees. Reads exactly the pages that one tree has and the other has not: pages with one
 * digest hold the same entries, so both sides leave them out where they meet. Pure.
 */
import type { Digest } from './digest.ts';
import { type Change, type Edit, type Entry, sameEntry } from './entry.ts';
import { lastKeyOf, type PageSource } from './page.ts';
import { comparePaths } from './path.ts';
import { createCursor, isInner, type Located, readChild, readRoot } from './walk.ts';

/**
 * Changes in byte order of path.
 * @throws {P2psyncError} page-missing (field `digest`), malformed, limit-exceeded, bad-path.
 */
export function* diffTrees(pages: PageSource, from: Digest, to: Digest): Generator<Change, void, void> {
  if (from !== to) yield* diffRuns([rootPlace(pages, from)], [rootPlace(pages, to)]);
}

/**
 * What `diffTrees` tells of the tree at `root` and the one that these edits make of it, without that one's pages.
 * @param edits in byte order of path, each path once. @throws as diffTrees.
 */
export function changesOfEdits(pages: PageSource, root: Digest, edits: readonly Edit[]): Change[] {
  const changes: Change[] = [];
  const cursor = createCursor(pages, root);
  cursor.seek('');
  for (const { path, entry: after } of edits) {
    // Edits come close together: the next entry is tried before the way is looked for.
    if (isBefore(cursor.entry(), path)) cursor.next();
    if (isBefore(cursor.entry(), path)) cursor.seek(path);
    const found = cursor.entry();
    const before = found?.path === path ? found : null;
    const isSame = before === null || after === null ? before === after : sameEntry(before, after);
    if (!isSame) changes.push({ path, before, after });
  }
  return changes;
}

function isBefore(entry: Entry | undefined, path: string): boolean {
  return entry !== undefined && comparePaths(entry.path, path) < 0;
}

/** Every entry of the tree as a change from nothing. @throws as diffTrees. */
export function* diffFromEmpty(pages: PageSource, to: Digest): Generator<Change, void, void> {
  yield* diffRuns([], [rootPlace(pages, to)]);
}

/** A page in its place, read when it is needed. */
type Place = {
  readonly level: number;
  readonly lastKey: string;
  readonly digest: Digest;
  readonly open: () => Opened;
};
type Opened = { readonly located: Located; readonly pages: PageSource };

function rootPlace(pages: PageSource, digest: Digest): Place {
  const located = readRoot(pages, digest);
  const { page } = located;
  return { level: page.level, lastKey: lastKeyOf(page) ?? '', digest, open: () => ({ located, pages }) };
}

function placesBelow({ open }: Place): Place[] {
  const { located, pages } = open();
  if (!isInner(located)) return [];
  const level = located.page.level - 1;
  return located.page.children.map(({ lastKey, digest }, index) => {
    return { level, lastKey, digest, open: () => ({ located: readChild(pages, located, index), pages }) };
  });
}

/** Both sides are neighbouring pages of one level each, and cover the same range of paths. */
function* diffRuns(before: readonly Place[], after: readonly Place[]): Generator<Change, void, void> {
  const beforeLevel = before[0]?.level ?? 0;
  const afterLevel = after[0]?.level ?? 0;
  if (before.length === 0 || after.length === 0 || (beforeLevel === 0 && afterLevel === 0)) {
    yield* mergeEntries(entriesOf(before), entriesOf(after));
  } else if (beforeLevel !== afterLevel) {
    yield* beforeLevel > afterLevel
      ? diffAligned(before.flatMap(placesBelow), after)
      : diffAligned(before, after.flatMap(placesBelow));
  } else {
    yield* diffAligned(before.flatMap(placesBelow), after.flatMap(placesBelow));
  }
}

/** Splits both sides where a page of each ends at the same path, and leaves out pages that are the same. */
function* diffAligned(before: readonly Place[], after: readonly Place[]): Generator<Change, void, void> {
  let [beforeStart, afterStart, beforeEnd, afterEnd] = [0, 0, 0, 0];
  while (beforeEnd < before.length || afterEnd < after.length) {
    const left = before[beforeEnd];
    const right = after[afterEnd];
    const order =
      left === undefined ? 1 : right === undefined ? -1 : comparePaths(left.lastKey, right.lastKey);
    if (order <= 0) beforeEnd += 1;
    if (order >= 0) afterEnd += 1;
    if (order !== 0) continue;
    const same = left?.digest === right?.digest ? 1 : 0;
    yield* diffRuns(before.slice(beforeStart, beforeEnd - same), after.slice(afterStart, afterEnd - same));
    beforeStart = beforeEnd;
    afterStart = afterEnd;
  }
  yield* diffRuns(before.slice(beforeStart), after.slice(afterStart));
}

/** One page after another, so that a whole tree is never held. */
function* entriesOf(places: readonly Place[]): Generator<Entry, void, void> {
  for (const place of places) {
    const { page } = place.open().located;
    if (page.kind === 'leaf') yield* page.entries;
    else yield* entriesOf(placesBelow(place));
  }
}

function* mergeEntries(before: Iterator<Entry>, after: Iterator<Entry>): Generator<Change, void, void> {
  let left = before.next();
  let right = after.next();
  while (left.done !== true || right.done !== true) {
    const order =
      left.done === true ? 1 : right.done === true ? -1 : comparePaths(left.value.path, right.value.path);
    const gone = order <= 0 && left.done !== true ? left.value : null;
    const come = order >= 0 && right.done !== true ? right.value : null;
    if (order <= 0) left = before.next();
    if (order >= 0) right = after.next();
    const path = gone?.path ?? come?.path;
    const isSame = gone !== null && come !== null && sameEntry(gone, come);
    if (path !== undefined && !isSame) yield { path, before: gone, after: come };
  }
}
