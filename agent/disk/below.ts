/** Everything below a directory, as the committer's worker sees it: whatever lies there, ignored or not. Synchronous. */
import { assert } from '../base/assert.ts';
import { pathBytesMax } from '../base/limits.ts';
import { addEntry, emptyFingerprint, type Fingerprint } from '../core/fingerprint.ts';
import type { SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import type { Confined } from './confined.ts';
import { diskStatOf } from './disk-stat.ts';

export type Below = { readonly path: SharePath; readonly stat: DiskStat };

/** `sums`: of each directory, the first one too. */
export type SummedBelow = {
  readonly count: number;
  readonly sums: readonly { readonly directory: SharePath; readonly fingerprint: Fingerprint }[];
};

/**
 * Sums to be compared with those that are known: nothing else may follow from them.
 * @returns null where something cannot be named, was gone when it was looked at, or is a file with another name.
 * @throws the system's error, where a directory cannot be listed.
 */
export function sumBelow(confined: Confined, directory: SharePath): SummedBelow | null {
  const sums = new Map([[directory, emptyFingerprint()]]);
  let count = 0;
  for (const found of lookBelow(confined, directory)) {
    // With another name outside, ctime and the order of names are not this directory's alone.
    if (found === null || (found.stat.kind === 'file' && found.stat.nlink !== 1)) return null;
    const { stat, path, above, name } = found;
    const sum = sums.get(above);
    assert(sum !== undefined, 'a directory comes before what lies in it');
    addEntry(sum, name, stat);
    if (stat.kind === 'directory') sums.set(path, emptyFingerprint());
    count += 1;
  }
  return { count, sums: [...sums].map(([each, fingerprint]) => ({ directory: each, fingerprint })) };
}

/**
 * @returns null where something cannot be named, or was gone when it was looked at; else in no order.
 * @throws the system's error, where a directory cannot be listed.
 */
export function listBelow(confined: Confined, directory: SharePath): Below[] | null {
  const all: Below[] = [];
  for (const found of lookBelow(confined, directory)) {
    if (found === null) return null;
    all.push(found);
  }
  return all;
}

type Looked = Below & { readonly above: SharePath; readonly name: string };

function* lookBelow(confined: Confined, directory: SharePath): Generator<Looked | null> {
  const open = [directory];
  for (let above = open.pop(); above !== undefined; above = open.pop()) {
    for (const name of confined.list(above)) {
      const path = `${above}/${name}` as SharePath;
      const stat = lookAt(confined, path);
      yield stat === null ? null : { path, stat, above, name };
      if (stat?.kind === 'directory') open.push(path);
    }
  }
}

/** By the plain path, which is twice as fast: an inode that is not the known one is seen, wherever a link led. */
function lookAt(confined: Confined, path: SharePath): DiskStat | null {
  const full = `${confined.root}/${path}`;
  if (Buffer.byteLength(full) > pathBytesMax) return confined.lstat(path);
  const stat = confined.calls.lstatSync(full, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : diskStatOf(stat);
}
