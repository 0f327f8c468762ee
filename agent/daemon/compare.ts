/** What the disk says against what the index says. Reads the index; never the disk. */
import { sameFingerprint } from '../core/fingerprint.ts';
import { ancestorsOf, type DirectoryPath, joinPath, type SharePath, topDirectory } from '../core/path.ts';
import { type DiskStat, sameStat } from '../core/stat.ts';
import type { Listing } from '../disk/scan.ts';
import type { PathRecord } from '../store/record.ts';
import type { ShareStore } from '../store/share-store.ts';

export type DiskChange =
  | {
      readonly kind: 'present';
      readonly path: SharePath;
      readonly stat: DiskStat;
      readonly before: PathRecord | undefined;
      /** It has not come to rest, and is taken as it is. */
      readonly restless: boolean;
    }
  | { readonly kind: 'gone'; readonly path: SharePath; readonly before: PathRecord };

export type Compared = {
  readonly changes: readonly DiskChange[];
  /** Nothing differs in these, and the index has another fingerprint of them: one that nobody has counted yet. */
  readonly uncounted: readonly DirectoryPath[];
};

/** Differences directly in these directories, and below what is no directory any more. */
export function compareListings(store: ShareStore, listings: readonly Listing[]): Compared {
  const changes: DiskChange[] = [];
  const uncounted: DirectoryPath[] = [];
  for (const listing of listings) {
    // What the index says the same of is not looked up path by path.
    if (listing.unreadable || isAsIndexed(store, listing)) continue;
    const found = compareEntries(store, listing);
    for (const change of found) changes.push(change);
    if (found.length === 0 && listing.held.length === 0) uncounted.push(listing.directory);
  }
  return { changes, uncounted };
}

function isAsIndexed(store: ShareStore, { directory, fingerprint }: Listing): boolean {
  return sameFingerprint(store.fingerprint(directory), fingerprint);
}

function compareEntries(store: ShareStore, listing: Listing): DiskChange[] {
  const { directory } = listing;
  const changes: DiskChange[] = [];
  const present = new Set<string>(listing.held);
  for (const { name, stat } of listing.entries()) {
    present.add(name);
    changes.push(...comparePath(store, { path: joinPath(directory, name), stat, restless: false }));
  }
  for (const name of store.children(directory)) {
    if (!present.has(name)) {
      changes.push(...comparePath(store, { path: joinPath(directory, name), stat: null, restless: false }));
    }
  }
  return changes;
}

/** @param found `stat` null: nothing is there. */
export function comparePath(
  store: ShareStore,
  found: { readonly path: SharePath; readonly stat: DiskStat | null; readonly restless: boolean },
): DiskChange[] {
  const { path, stat, restless } = found;
  const before = store.record(path);
  if (stat === null) return before === undefined ? [] : gone(store, path, before);
  if (before !== undefined && sameStat(before.stat, stat)) return [];
  const wasDirectory = before?.stat.kind === 'directory' && stat.kind !== 'directory';
  const lost = wasDirectory ? gone(store, path, before).slice(1) : [];
  return [...lost, { kind: 'present', path, stat, before, restless }];
}

/** A path that is no more, with everything the index knows below it. */
function gone(store: ShareStore, path: SharePath, before: PathRecord): DiskChange[] {
  const changes: DiskChange[] = [{ kind: 'gone', path, before }];
  if (before.stat.kind === 'directory') {
    for (const [below, record] of store.below(path))
      changes.push({ kind: 'gone', path: below, before: record });
  }
  return changes;
}

/** The directory, and all below it that the index knows. */
export function knownDirectories(store: ShareStore, path: SharePath): SharePath[] {
  const directories = [path];
  for (const [below, { kind }] of store.keptBelow(path)) if (kind === 'directory') directories.push(below);
  return directories;
}

/** Directories that are not those the index knew, without the ones below another of them. */
export function newDirectories(changes: readonly DiskChange[]): SharePath[] {
  const fresh = changes.flatMap((change) =>
    change.kind === 'present' && isOtherDirectory(change) ? [change.path] : [],
  );
  const all = new Set<DirectoryPath>(fresh);
  return fresh.filter((path) => !ancestorsOf(path).some((ancestor) => all.has(ancestor)));
}

/** Of those that were to be listed; the share's own is not told of. */
export function goneOf(listings: readonly Listing[]): SharePath[] {
  return listings.flatMap(({ directory, gone: isGone }) =>
    isGone && directory !== topDirectory ? [directory] : [],
  );
}

export function goneDirectories(changes: readonly DiskChange[]): SharePath[] {
  return changes.flatMap((change) =>
    change.kind === 'gone' && isOtherDirectory(change) ? [change.path] : [],
  );
}

/** What is at the path is not what was: another may be known by another name. */
export function isOtherName(change: DiskChange): boolean {
  return change.kind === 'gone' || change.before?.stat.ino !== change.stat.ino;
}

function isOtherDirectory(change: DiskChange): boolean {
  if (change.kind === 'gone') return change.before.stat.kind === 'directory';
  if (change.stat.kind !== 'directory') return false;
  // A number may be given to a directory that a file at this path had a moment ago.
  return change.before?.stat.kind !== 'directory' || change.before.stat.ino !== change.stat.ino;
}
