/**
 * Puts a watch on one directory each, by chokidar 6. Owns the watches; what their events mean is the caller's.
 *
 * chokidar waits for a missing path by watching its parent: so it is asked for a name in each directory that is
 * never there. Asked for the directory itself it would lstat every entry at the start (six times the time, five
 * times the memory at 100,000 files), for events of which only the `raw` ones are used here.
 */
import { type BigIntStats, closeSync, fstatSync, lstatSync, watch as watchOne } from 'node:fs';
import { FSWatcher } from 'chokidar';
import { systemCode } from '../base/errors.ts';
import { pathBytesMax, watchGroupDirectories } from '../base/limits.ts';
import type { DirectoryPath } from '../core/path.ts';
import { openDirectory } from './read-open.ts';

const neverThere = '.p2psync-never-there';

class RawWatcher extends FSWatcher {
  /**
   * Only raw events are used, so nothing is ever listed: chokidar would read the whole directory at each event (1,000
   * chmods in a directory of 1,000 files cost 15 CPU seconds, without listing 0.1).
   */
  override createScanStream(): undefined {
    return undefined;
  }

  /**
   * For a directory that is not there chokidar climbs, and waits for it in what is above. Such a watch outlives `unwatch`,
   * and all watchers of a process share one handle a path: whoever watches there next would get the handle of a
   * directory that is gone, and hear nothing. So nobody climbs.
   */
  override addPathCloser(path: string, closer: () => void | Promise<void>): void {
    if (path.endsWith(`/${neverThere}`)) super.addPathCloser(path, closer);
    else void closer();
  }

  override rewatchMissingPath(path: string): void {
    this.closePath(path);
  }
}

export type RawListener = (event: 'rename' | 'change', watched: DirectoryPath, name: string | null) => void;

type Placement = {
  readonly end: () => void;
  /** Inode that was there while the watch was placed; null where no directory was, or not the same all the time. */
  readonly inode: bigint | null;
  /** When that directory was made, ns; null where the file system does not say, or it was a moment before. */
  readonly bornNs: bigint | null;
};

type Found = { readonly inode: bigint; readonly bornNs: bigint | null };

export type Places = {
  /** Also of one that is being placed. */
  has(directory: DirectoryPath): boolean;
  all(): IterableIterator<DirectoryPath>;
  /** What was there when the directory was placed. */
  inodeOf(directory: DirectoryPath): bigint | null;
  /** True where the very directory that was placed is there: one that is made in its place is younger. */
  isSame(directory: DirectoryPath): boolean;
  /** Anew where there was a watch. @returns those that the system does not watch. */
  place(directories: readonly DirectoryPath[]): Promise<DirectoryPath[]>;
  remove(directory: DirectoryPath): void;
};

/** Also of one that is being placed, or was replaced meanwhile. */
const notThere: Placement = { end: () => {}, inode: null, bornNs: null };
/** Two directories made within one tick of a file system's clock seem equally old; one this old, ms, when it was placed has no such twin. */
const settledAgeMs = 1_000;

export function createPlaces(root: string, onRaw: RawListener): Places {
  const placements = new Map<DirectoryPath, Placement>();

  function remove(directory: DirectoryPath): void {
    placements.get(directory)?.end();
    placements.delete(directory);
  }

  async function placeGroup(directories: readonly DirectoryPath[]): Promise<DirectoryPath[]> {
    const refused = new Set<string>();
    const watcher = new RawWatcher({ ignoreInitial: true, followSymlinks: false, atomic: false });
    watcher.on('raw', (event, name, details) => {
      const watched = relativeTo(root, watchedPathOf(details));
      if (watched !== undefined) onRaw(event === 'rename' ? 'rename' : 'change', watched, name ?? null);
    });
    watcher.on('error', (error) => refused.add(pathOf(error)));
    const ready = new Promise<void>((resolve) => watcher.once('ready', resolve));
    const found = new Map(directories.map((directory) => [directory, findAt(root, directory)]));
    watcher.add(directories.map((directory) => probeOf(root, directory)));
    await ready;
    let live = directories.length;
    for (const directory of directories) {
      const end = () => {
        live -= 1;
        if (live === 0) void watcher.close();
        else watcher.unwatch(probeOf(root, directory));
      };
      const now = findAt(root, directory);
      const isSame = now !== null && now.inode === found.get(directory)?.inode;
      placements.set(directory, isSame ? { end, ...now } : notThere);
      // Where a file has come chokidar would go on watching the directory that it is in.
      if (!isSame) end();
    }
    return directories.filter((directory) => refused.has(absolute(root, directory)));
  }

  /** For a path that chokidar cannot name: the system is given the directory itself. @returns whether it is watched, or not there. */
  function placeAlone(directory: DirectoryPath): boolean {
    let end = () => {};
    let watched = true;
    let found: Found | null = null;
    try {
      const opened = openDirectory(root, directory);
      if (opened !== null) {
        try {
          found = foundIn(fstatSync(opened.fd, { bigint: true }));
          const watcher = watchOne(opened.base, (event, name) => onRaw(event, directory, name));
          watcher.on('error', () => watcher.close());
          end = () => watcher.close();
        } finally {
          closeSync(opened.fd);
        }
      }
    } catch {
      watched = false;
    }
    placements.set(directory, { ...notThere, ...found, end });
    return watched;
  }

  return {
    has: (directory) => placements.has(directory),
    all: () => placements.keys(),
    inodeOf: (directory) => placements.get(directory)?.inode ?? null,
    isSame(directory) {
      const placed = placements.get(directory);
      if (placed === undefined || placed.inode === null || placed.bornNs === null) return false;
      const now = findAt(root, directory);
      return now?.inode === placed.inode && now.bornNs === placed.bornNs;
    },
    async place(directories) {
      for (const directory of directories) {
        remove(directory);
        placements.set(directory, notThere);
      }
      const [named, unnamed] = [new Set<DirectoryPath>(), new Set<DirectoryPath>()];
      for (const directory of directories) {
        if (!isNameable(root, directory)) unnamed.add(directory);
        else if (inodeAt(root, directory) !== null) named.add(directory);
      }
      const unwatched = [...unnamed].filter((directory) => !placeAlone(directory));
      const queue = [...named];
      while (queue.length > 0) unwatched.push(...(await placeGroup(queue.splice(0, watchGroupDirectories))));
      return unwatched;
    },
    remove,
  };
}

/** Inode of the directory that is at this path now; null where there is none that can be looked at. */
export function inodeAt(root: string, directory: DirectoryPath): bigint | null {
  return findAt(root, directory)?.inode ?? null;
}

function findAt(root: string, directory: DirectoryPath): Found | null {
  try {
    if (isNameable(root, directory)) {
      const stat = lstatSync(absolute(root, directory), { bigint: true });
      return stat.isDirectory() ? foundIn(stat) : null;
    }
    const opened = openDirectory(root, directory);
    if (opened === null) return null;
    try {
      return foundIn(fstatSync(opened.fd, { bigint: true }));
    } finally {
      closeSync(opened.fd);
    }
  } catch {
    return null;
  }
}

function foundIn({ ino, birthtimeNs }: BigIntStats): Found {
  const isOld = BigInt(Date.now() - settledAgeMs) * 1_000_000n > birthtimeNs;
  return { inode: ino, bornNs: birthtimeNs > 0n && isOld ? birthtimeNs : null };
}

/** chokidar takes backslashes for separators, and the system refuses a long path. */
function isNameable(root: string, directory: DirectoryPath): boolean {
  return !directory.includes('\\') && Buffer.byteLength(probeOf(root, directory)) <= pathBytesMax;
}

function probeOf(root: string, directory: DirectoryPath): string {
  return `${absolute(root, directory)}/${neverThere}`;
}

function absolute(root: string, directory: DirectoryPath): string {
  return directory === '' ? root : `${root}/${directory}`;
}

/** undefined where the path is not inside the share. */
function relativeTo(root: string, full: string): DirectoryPath | undefined {
  if (full === root) return '';
  return full.startsWith(`${root}/`) ? (full.slice(root.length + 1) as DirectoryPath) : undefined;
}

function watchedPathOf(details: unknown): string {
  return typeof details === 'object' && details !== null && 'watchedPath' in details
    ? String(details.watchedPath)
    : '';
}

function pathOf(error: unknown): string {
  return systemCode(error) !== undefined && error instanceof Error && 'path' in error
    ? String(error.path)
    : '';
}
