/**
 * Listings on their way from a worker thread: stats as columns of one buffer that moves, names as one string.
 * Cloning them object by object would cost more than the scan. Pure.
 */
import { assert } from '../base/assert.ts';
import type { DirectoryPath } from '../core/path.ts';
import type { DiskKind, DiskStat } from '../core/stat.ts';
import type { Skipped } from './scan.ts';

/** What a worker saw of one directory. */
export type Listed = {
  readonly directory: DirectoryPath;
  readonly entries: readonly { readonly name: string; readonly stat: DiskStat }[];
  readonly skipped: readonly Skipped[];
  readonly held: readonly string[];
  readonly gone: boolean;
  readonly unreadable: boolean;
  /** Text of the rules file in this directory; null where there is none, undefined where that is not known. */
  readonly rules: string | null | undefined;
};

export type PackedStats = {
  readonly integers: BigInt64Array<ArrayBuffer>;
  readonly numbers: Float64Array<ArrayBuffer>;
};
export type PackedListings = {
  readonly listings: readonly (Omit<Listed, 'entries'> & { readonly count: number })[];
  /** Names of all entries in order; a name never holds the separator. */
  readonly names: string;
  readonly stats: PackedStats;
};

const separator = '\0';
const kinds: readonly DiskKind[] = ['file', 'directory', 'symlink', 'special'];
const integersEach = 4;
const numbersEach = 7;

export function packListings(listed: readonly Listed[]): PackedListings {
  const entries = listed.flatMap(({ entries }) => entries);
  return {
    listings: listed.map(({ entries, ...rest }) => ({ ...rest, count: entries.length })),
    names: entries.map(({ name }) => name).join(separator),
    stats: packStats(entries.map(({ stat }) => stat)),
  };
}

export function unpackListings(packed: PackedListings): Listed[] {
  const names = packed.names.split(separator);
  const stats = unpackStats(packed.stats);
  let at = 0;
  return packed.listings.map(({ count, ...rest }) => {
    const entries = [];
    for (const end = at + count; at < end; at += 1) {
      const [name, stat] = [names[at], stats[at]];
      assert(name !== undefined && stat !== undefined, 'as many names and stats as were counted');
      entries.push({ name, stat });
    }
    return { ...rest, entries };
  });
}

export function packStats(stats: readonly DiskStat[]): PackedStats {
  const integers = new BigInt64Array(stats.length * integersEach);
  const numbers = new Float64Array(stats.length * numbersEach);
  let integer = 0;
  let number = 0;
  for (const stat of stats) {
    integers[integer] = stat.dev;
    integers[integer + 1] = stat.ino;
    integers[integer + 2] = stat.mtimeNs;
    integers[integer + 3] = stat.ctimeNs;
    numbers[number] = kinds.indexOf(stat.kind);
    numbers[number + 1] = stat.nlink;
    numbers[number + 2] = stat.mode;
    numbers[number + 3] = stat.uid;
    numbers[number + 4] = stat.gid;
    numbers[number + 5] = stat.size;
    numbers[number + 6] = stat.allocated;
    integer += integersEach;
    number += numbersEach;
  }
  return { integers, numbers };
}

export function unpackStats({ integers, numbers }: PackedStats): DiskStat[] {
  const stats: DiskStat[] = [];
  for (
    let integer = 0, number = 0;
    integer < integers.length;
    integer += integersEach, number += numbersEach
  ) {
    stats.push({
      kind: kinds[numbers[number] ?? 0] ?? 'special',
      // Inode and device numbers are unsigned: FUSE and NFS use the highest bit.
      dev: BigInt.asUintN(64, integers[integer] ?? 0n),
      ino: BigInt.asUintN(64, integers[integer + 1] ?? 0n),
      mtimeNs: integers[integer + 2] ?? 0n,
      ctimeNs: integers[integer + 3] ?? 0n,
      nlink: numbers[number + 1] ?? 0,
      mode: numbers[number + 2] ?? 0,
      uid: numbers[number + 3] ?? 0,
      gid: numbers[number + 4] ?? 0,
      size: numbers[number + 5] ?? 0,
      allocated: numbers[number + 6] ?? 0,
    });
  }
  return stats;
}
