/** The thread that scans: lists directories of one share with synchronous calls. Started by `scan.ts`. */
import { lstatSync } from 'node:fs';
import { systemCode } from '../base/errors.ts';
import { scanSliceEntries, scanSliceMs } from '../base/limits.ts';
import { type DirectoryPath, joinPath, nameOf, parentOf, type SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { diskStatOf } from './disk-stat.ts';
import { createIgnore } from './ignore.ts';
import { poolData, serveCalls } from './pool-worker.ts';
import { rootFault, withDirectory } from './read-open.ts';
import type { ScanCalls, ScanData, StatResult } from './scan.ts';
import { listDirectory } from './scan-list.ts';
import { type Listed, packListings, packStats } from './scan-pack.ts';

const share = poolData() as ScanData;
const ignore = createIgnore(share.rules.patterns, share.rules.files);

serveCalls<ScanCalls>({
  rules: (change) => {
    ignore.change(change);
  },

  /** At least the first of them, and more while there is time. */
  list(directories, { transfer, cancelled }) {
    const listed: Listed[] = [];
    const untilMs = performance.now() + scanSliceMs;
    let entries = 0;
    for (const directory of directories) {
      if (cancelled()) break;
      const listing = listDirectory(share, directory, ignore);
      listed.push(listing);
      entries += listing.entries.length;
      if (entries >= scanSliceEntries || performance.now() >= untilMs) break;
    }
    const packed = packListings(listed);
    transfer.push(packed.stats.integers.buffer, packed.stats.numbers.buffer);
    return { packed, found: listed.flatMap(below) };
  },

  stat(paths, { transfer }) {
    const byParent = Map.groupBy(
      paths.map((path, at) => ({ path, at })),
      ({ path }) => parentOf(path),
    );
    const results = paths.map((): StatResult => null);
    for (const [directory, items] of byParent) {
      for (const [at, result] of statIn(directory, items)) results[at] = result;
    }
    // A path that is missing because the whole share is away is not known to be missing.
    const away = results.includes(null) && rootFault(share.root, share.device) !== null;
    const stats: DiskStat[] = [];
    const states = results.map((result) => {
      if (result === null) return away ? 'unreadable' : 'missing';
      if (result === 'unreadable') return result;
      stats.push(result);
      return 'there';
    });
    const packed = packStats(stats);
    transfer.push(packed.integers.buffer, packed.numbers.buffer);
    return { states, stats: packed };
  },
});

function below({ directory, entries }: Listed): DirectoryPath[] {
  const directories: DirectoryPath[] = [];
  for (const { name, stat } of entries) {
    if (stat.kind === 'directory') directories.push(joinPath(directory, name));
  }
  return directories;
}

/** What a listing would leave out is not there, as far as the share goes. */
function shared(path: SharePath, stat: DiskStat): DiskStat | null {
  return stat.kind === 'special' || ignore.ignores(path, stat.kind === 'directory') ? null : stat;
}

function statIn(
  directory: DirectoryPath,
  items: readonly { readonly path: SharePath; readonly at: number }[],
): [number, StatResult][] {
  try {
    const results = withDirectory(share.root, directory, ({ base }) =>
      items.map(({ path, at }): [number, StatResult] => {
        const stat = lstatSync(`${base}/${nameOf(path)}`, { bigint: true, throwIfNoEntry: false });
        return [at, stat === undefined ? null : shared(path, diskStatOf(stat))];
      }),
    );
    return results ?? [];
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return items.map(({ at }) => [at, 'unreadable']);
  }
}
