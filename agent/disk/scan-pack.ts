/**
 * Listings on their way from a worker thread: stats as columns of one buffer that moves, names as one string.
 * Cloning them object by object would cost more than the scan; and they stay packed until somebody asks, as whoever
 * knows a directory's fingerprint has no need to. Pure.
 */
import { assert } from '../base/assert.ts';
import { addEntry, emptyFingerprint, type Fingerprint } from '../core/fingerprint.ts';
import type { DirectoryPath } from '../core/path.ts';
import type { DiskKind, DiskStat } from '../core/stat.ts';
import type { Skipped } from './scan.ts';

export type ListedEntry = { readonly name: string; readonly stat: DiskStat };

/** What a worker saw of one directory. */
export type Listed = {
  readonly directory: DirectoryPath;
  readonly entries: readonly ListedEntry[];
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
  readonly listings: readonly (Omit<Listed, 'entries'> & {
    readonly count: number;
    readonly fingerprint: Fingerprint;
    readonly linked: boolean;
  })[];
  /** Names of all entries in order; a name never holds the separator. */
  readonly names: string;
  readonly stats: PackedStats;
};
/** The same on the other side. */
export type UnpackedListing = Omit<Listed, 'entries'> & {
  readonly count: number;
  readonly fingerprint: Fingerprint;
  readonly linked: boolean;
  entries(): readonly ListedEntry[];
};

const separator = '\0';
const kinds: readonly DiskKind[] = ['file', 'directory', 'symlink', 'special'];
const integersEach = 4;
const numbersEach = 7;

export function packListings(listed: readonly Listed[]): PackedListings {
  const entries = listed.flatMap(({ entries }) => entries);
  return {
    listings: listed.map(({ entries, ...rest }) => ({
      ...rest,
      count: entries.length,
      fingerprint: fingerprintOf(entries),
      linked: entries.some(({ stat }) => stat.kind === 'file' && stat.nlink !== 1),
    })),
    names: entries.map(({ name }) => name).join(separator),
    stats: packStats(entries.map(({ stat }) => stat)),
  };
}

function fingerprintOf(entries: readonly ListedEntry[]): Fingerprint {
  const sum = emptyFingerprint();
  for (const { name, stat } of entries) addEntry(sum, name, stat);
  return sum;
}

export function unpackListings({ listings, names, stats }: PackedListings): UnpackedListing[] {
  let apart: readonly string[] | undefined;
  let next = 0;
  return listings.map(({ count, ...rest }) => {
    const from = next;
    next += count;
    let unpacked: readonly ListedEntry[] | undefined;
    const entries = (): readonly ListedEntry[] => {
      apart ??= names.split(separator);
      unpacked ??= unpackEntries(apart.slice(from, from + count), unpackStats(stats, from, count));
      return unpacked;
    };
    return { ...rest, count, entries };
  });
}

function unpackEntries(names: readonly string[], stats: readonly DiskStat[]): ListedEntry[] {
  return stats.map((stat, at) => {
    const name = names[at];
    assert(name !== undefined, 'as many names as stats');
    return { name, stat };
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

/** @param from which stat is the first, of how many; all of them by default. */
export function unpackStats(
  { integers, numbers }: PackedStats,
  from = 0,
  count = integers.length / integersEach - from,
): DiskStat[] {
  const stats: DiskStat[] = [];
  for (let at = from; at < from + count; at += 1) {
    const integer = at * integersEach;
    const number = at * numbersEach;
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
