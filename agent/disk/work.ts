/**
 * What a commit does to one path, with everything it needs to do it again after a kill: a line of the journal.
 * Pure.
 */

import { assert } from '../base/assert.ts';
import { parseJson } from '../base/json.ts';
import type { Digest } from '../core/digest.ts';
import type { SharePath } from '../core/path.ts';
import { type DiskStat, sameStat } from '../core/stat.ts';
import type { Metadata } from './metadata.ts';

type Common = {
  readonly path: SharePath;
  /** What the index says lies there. */
  readonly expected: DiskStat | null;
  /**
   * How to tell whether that is so. `strict`: the stat says it. `verified`, `changed`: it was looked at before the
   * first rename, because the commit itself changes the inode (another of its names goes, or it is linked elsewhere).
   */
  readonly check: 'strict' | 'verified' | 'changed';
};

export type Work = Common &
  (
    | { readonly kind: 'mkdir' | 'remove' | 'rmdir' | 'look' }
    /** `aside`: where a directory goes; null where something else is to make room for a directory. */
    | { readonly kind: 'setAside'; readonly aside: string | null }
    /** Rename `staged` over the path: a file or symlink with all its metadata. */
    | {
        readonly kind: 'place';
        readonly staged: string;
        readonly ino: bigint;
        readonly size: number;
        readonly mtimeNs: bigint;
        /** Digest of all its bytes; null where that is not known. */
        readonly whole: Digest | null;
      }
    /** Link the file at `from` to `staged`, before anything else is done; then rename that over the path. */
    | {
        readonly kind: 'move';
        readonly from: SharePath;
        readonly staged: string;
        readonly ino: bigint;
        readonly size: number;
        readonly metadata: Metadata;
      }
    /** Rename the directory with this inode, whole. */
    | { readonly kind: 'moveDirectory'; readonly from: SharePath; readonly ino: bigint }
    | { readonly kind: 'hardlink'; readonly target: SharePath; readonly staged: string }
    | { readonly kind: 'metadata' | 'finish'; readonly metadata: Metadata }
  );

/** True where nobody but this commit has touched what lies at the work's path. */
export function asExpected(work: Work, found: DiskStat): boolean {
  const { expected, check } = work;
  if (expected === null || check === 'changed') return false;
  if (check === 'strict') return sameStat(found, expected);
  return found.ino === expected.ino && found.size === expected.size;
}

const bigintKeys: ReadonlySet<string> = new Set(['dev', 'ino', 'mtimeNs', 'ctimeNs']);

export function encodeWork(work: Work): string {
  return JSON.stringify(work, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** Of a line that `encodeWork` made; whether the journal is whole is known by then. */
export function decodeWork(line: string): Work {
  const work = parseJson(line, (key, value) =>
    bigintKeys.has(key) && typeof value === 'string' ? BigInt(value) : value,
  ) as Work;
  assert(typeof work.path === 'string' && typeof work.kind === 'string', 'a line of the journal is a work');
  return work;
}
