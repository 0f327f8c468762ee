/**
 * Directories that a person renamed, told by their inodes: one name has gone, another has come. Whether everything below is as
 * the index has it is looked at, for then nothing has to be read or compared path by path. Reads index and disk.
 */
import { sameFingerprint } from '../core/fingerprint.ts';
import { type DirectoryMove, pathAfter } from '../core/moved.ts';
import { ancestorsOf, type SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import type { Scanner } from '../disk/scan.ts';
import type { ShareStore } from '../store/share-store.ts';

export type Moved = DirectoryMove & { readonly stat: DiskStat };

export type RenamePorts = {
  readonly store: ShareStore;
  readonly scanner: Scanner;
  /** @returns false where it is to be told of path by path. Nobody who wants to hear of it: so it is. */
  readonly onMoved?: (moved: Moved) => Promise<boolean>;
};

export type Looked = { readonly path: SharePath; readonly stat: DiskStat | null };

export type Renamed<Item extends Looked> = {
  /** What has nothing to do with it. */
  readonly rest: Item[];
  /** Looked at before it was known that it moved: what was seen then may be of the other name. */
  readonly again: readonly SharePath[];
  /** Old and new names of what was handed over. */
  readonly ends: ReadonlySet<SharePath>;
  /** The old names. */
  readonly gone: readonly SharePath[];
  /** What is a directory below the new names, and these: nobody watches them yet. */
  readonly directories: readonly SharePath[];
};

/**
 * Hands over those directories of which both names were looked at. The old name does not have to come to rest first: the inode
 * tells where the directory is now.
 * @param pending what else was looked at and has not come to rest; `stat` undefined before the first look.
 */
export async function takeRenames<Item extends Looked>(
  found: {
    readonly ready: Item[];
    readonly pending: ReadonlyMap<SharePath, { readonly stat: DiskStat | null | undefined }>;
  },
  ports: RenamePorts,
  options: { readonly signal: AbortSignal },
): Promise<Renamed<Item>> {
  const [ends, gone, directories] = [new Set<SharePath>(), [] as SharePath[], [] as SharePath[]];
  const come = found.ready.flatMap(({ path, stat }) => (stat === null ? [] : [{ path, stat }]));
  const fresh = come.filter(
    ({ path, stat }) => stat.kind === 'directory' && ports.store.record(path) === undefined,
  );
  if (ports.onMoved === undefined || fresh.length === 0)
    return { rest: found.ready, again: [], ends, gone, directories };
  const left = found.ready.filter(({ stat }) => stat === null).map(({ path }) => path);
  for (const [path, { stat }] of found.pending) if (stat === null) left.push(path);
  const isBelowEnds = (path: SharePath): boolean => ancestorsOf(path).some((above) => ends.has(above));
  for (const moved of findRenames(ports.store, left, fresh)) {
    const { from, to } = moved;
    if ([from, to].some((end) => ends.has(end) || isBelowEnds(end))) continue;
    const below = await unchangedBelow(moved, ports, options);
    if (below === null || !(await ports.onMoved(moved))) continue;
    ends.add(from).add(to);
    gone.push(from);
    directories.push(...below);
  }
  const others = found.ready.filter(({ path }) => !ends.has(path));
  const again = others.filter(({ path }) => isBelowEnds(path)).map(({ path }) => path);
  return { rest: others.filter(({ path }) => !isBelowEnds(path)), again, ends, gone, directories };
}

function findRenames(
  store: ShareStore,
  gone: readonly SharePath[],
  come: readonly { readonly path: SharePath; readonly stat: DiskStat }[],
): Moved[] {
  const left = new Map<bigint, SharePath>();
  for (const path of gone) {
    const stat = store.record(path)?.stat;
    if (stat?.kind === 'directory') left.set(stat.ino, path);
  }
  return come.flatMap(({ path, stat }) => {
    const from = left.get(stat.ino);
    return from === undefined ? [] : [{ from, to: path, stat }];
  });
}

/**
 * Directories below the new name, where everything in them is as the index says of the old one. ctime tells of what was written since.
 * @returns null where anything differs, or cannot be looked at, or a file has other names.
 */
async function unchangedBelow(
  move: DirectoryMove,
  { store, scanner }: RenamePorts,
  { signal }: { readonly signal: AbortSignal },
): Promise<SharePath[] | null> {
  const directories: SharePath[] = [];
  let count = 0;
  for await (const listings of scanner.tree(move.to, { signal })) {
    for (const listing of listings) {
      const { directory, fingerprint, skipped, held, gone, unreadable, rulesChanged, linked } = listing;
      if (gone || unreadable || rulesChanged || linked || skipped.length > 0 || held.length > 0) return null;
      const now = directory as SharePath;
      const before = pathAfter(now, { from: move.to, to: move.from });
      if (!sameFingerprint(store.fingerprint(before), fingerprint)) return null;
      directories.push(now);
      count += listing.count;
    }
  }
  for (const [, { kind, content }] of store.keptBelow(move.from)) {
    if (kind === 'file' && content === null) return null;
    count -= 1;
  }
  return count === 0 ? directories : null;
}
