/**
 * Which names on the writer's disk are one file. A name that comes or goes changes link count and ctime of the file's other
 * names, of which no event tells; and looks at several names are looks at several moments. So names of one inode
 * whose looks disagree are looked at once more, together. Reads the index and stats; never reads a file.
 */
import { comparePaths, type SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import type { Scanner } from '../disk/scan.ts';
import type { PathRecord } from '../store/record.ts';
import type { ShareStore } from '../store/share-store.ts';

export type Present = {
  readonly stat: DiskStat;
  readonly before: PathRecord | undefined;
  readonly restless: boolean;
};

export type LinkGroups = {
  /** Each further name of a file, with the first in byte order, which stays in `present` as the file. */
  readonly links: ReadonlyMap<SharePath, { readonly target: SharePath; readonly stat: DiskStat }>;
  /** What the index knows of the inodes that were asked about: those with several names, and those of new names. */
  readonly names: ReadonlyMap<bigint, readonly SharePath[]>;
  /** Taken out of `present`, since nobody can say now what they are: to be looked at again. */
  readonly again: readonly SharePath[];
};

export type LinkPorts = {
  readonly store: ShareStore;
  readonly scanner: Scanner;
};

/** For every inode that a change concerns, its names as they are now. Those that only the index knows join `present`. */
export async function linkGroups(
  gone: ReadonlyMap<SharePath, PathRecord>,
  present: Map<SharePath, Present>,
  ports: LinkPorts,
): Promise<LinkGroups> {
  const inodes = concerned(gone, present);
  const names = new Map([...inodes].map((ino) => [ino, ports.store.linkGroup(ino)]));
  const others = new Set([...names.values()].flat().filter((path) => !gone.has(path)));
  for (const path of present.keys()) others.delete(path);
  for (const [path, stat] of await look([...others], ports)) {
    // What has become another file is told of by an event of its own.
    if (stat !== null && inodes.has(stat.ino))
      present.set(path, { stat, before: ports.store.record(path), restless: false });
  }

  const doubtful = groupsOf(present).filter((group) => !agree(group, present));
  const again: SharePath[] = [];
  for (const [path, stat] of await look(doubtful.flat(), ports)) {
    const known = present.get(path);
    present.delete(path);
    if (stat !== null && known?.stat.ino === stat.ino) present.set(path, { ...known, stat });
    else again.push(path);
  }

  const links = new Map<SharePath, { readonly target: SharePath; readonly stat: DiskStat }>();
  for (const group of groupsOf(present)) {
    if (!agree(group, present)) {
      for (const path of group) present.delete(path);
      again.push(...group);
      continue;
    }
    const [target, ...further] = group.sort(comparePaths);
    for (const path of further) {
      const stat = present.get(path)?.stat;
      if (target !== undefined && stat !== undefined) links.set(path, { target, stat });
    }
  }
  return { links, names, again };
}

/**
 * False where what was read may be a name of a file that was grouped without it: it has to be looked at again, with its
 * other names.
 */
export function isAsGrouped(looked: DiskStat, read: DiskStat, isTarget: boolean): boolean {
  if (looked.ino !== read.ino) return read.nlink < 2 && !isTarget;
  return looked.nlink > 1 || read.nlink < 2;
}

/** Inodes that have or had several names, or of which a name is new: another may have been taken in before it. */
function concerned(
  gone: ReadonlyMap<SharePath, PathRecord>,
  present: ReadonlyMap<SharePath, Present>,
): Set<bigint> {
  const inodes = new Set<bigint>();
  const note = (stat: DiskStat): void => {
    if (stat.kind === 'file' && stat.nlink > 1) inodes.add(stat.ino);
  };
  for (const { stat } of gone.values()) note(stat);
  for (const { stat, before } of present.values()) {
    note(stat);
    if (before !== undefined) note(before.stat);
    if (stat.kind === 'file' && before?.stat.ino !== stat.ino) inodes.add(stat.ino);
  }
  return inodes;
}

/** Several names that were seen to be one inode. */
function groupsOf(present: ReadonlyMap<SharePath, Present>): SharePath[][] {
  const groups = new Map<bigint, SharePath[]>();
  for (const [path, { stat }] of present) {
    if (stat.kind !== 'file') continue;
    const group = groups.get(stat.ino);
    if (group === undefined) groups.set(stat.ino, [path]);
    else group.push(path);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** A name that was seen alone, or with more or fewer others, was seen at another moment. */
function agree(group: readonly SharePath[], present: ReadonlyMap<SharePath, Present>): boolean {
  const counts = new Set(group.map((path) => present.get(path)?.stat.nlink));
  return counts.size === 1 && !counts.has(1);
}

/** null also where nobody can say, or what is there is no file. */
async function look(
  paths: readonly SharePath[],
  { scanner }: LinkPorts,
): Promise<(readonly [SharePath, DiskStat | null])[]> {
  if (paths.length === 0) return [];
  const stats = await scanner.stat(paths);
  return paths.map((path, at) => {
    const stat = stats[at] ?? null;
    return [path, stat !== null && stat !== 'unreadable' && stat.kind === 'file' ? stat : null];
  });
}
