/**
 * A long file by parts, so that one thread hashes what another has cut. Synchronous; for the threads that read. Who puts
 * the parts together sees to it that all are of one file that stood still.
 */
import { fstatSync } from 'node:fs';
import { readPartBytes, wholeFileBytesMax } from '../base/limits.ts';
import { cutClassFor } from '../core/block.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import type { CutClass } from '../core/entry.ts';
import type { SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { diskStatOf } from './disk-stat.ts';
import type { ReadOk, ReadResult } from './read.ts';
import { eachBlock, readFully, withFile } from './read-file.ts';

export type CutOrder = {
  readonly path: SharePath;
  /** Of the version before. */
  readonly cut: CutClass | null;
  /** Where a block starts. */
  readonly from: number;
  /** Of the file, as the first part had it; null: this is the first. */
  readonly size: number | null;
};
export type SumOrder = { readonly path: SharePath; readonly from: number; readonly lengths: Uint32Array };

/** `stat` is of the end. */
export type CutPart = {
  readonly kind: 'cut';
  readonly stat: DiskStat;
  readonly cut: CutClass;
  readonly lengths: Uint32Array;
};
export type SumPart = { readonly kind: 'sum'; readonly stat: DiskStat; readonly digests: readonly Digest[] };
type Failed = Exclude<ReadResult, ReadOk>;

/** @param at a path that leads through no symlink. */
export function cutPart(at: string, order: CutOrder, cancelled: () => boolean): CutPart | Failed {
  const { path, from } = order;
  return withFile(at, path, (fd): CutPart | Failed => {
    const stat = statOf(fd);
    const size = order.size ?? stat.size;
    // One that became short is read as short ones are, when it is looked at again.
    const isLong = stat.kind === 'file' && stat.size >= size && size > wholeFileBytesMax;
    if (!isLong) return { kind: 'changed', path };
    const cut = cutClassFor(size, order.cut);
    const lengths: number[] = [];
    const until = Math.min(size, from + readPartBytes);
    const range = { from, until, size, cut };
    if (!eachBlock(fd, range, cancelled, ({ byteLength }) => lengths.push(byteLength)))
      return { kind: 'changed', path };
    // Of the first part the stat before it counts: whatever changed since shows in a later one.
    return {
      kind: 'cut',
      stat: order.size === null ? stat : statOf(fd),
      cut,
      lengths: new Uint32Array(lengths),
    };
  });
}

/** @param at as above. */
export function sumPart(at: string, { path, from, lengths }: SumOrder): SumPart | Failed {
  return withFile(at, path, (fd): SumPart | Failed => {
    const digests: Digest[] = [];
    let offset = from;
    const buffer = Buffer.allocUnsafeSlow(lengths.reduce((most, length) => Math.max(most, length), 0));
    for (const length of lengths) {
      const bytes = buffer.subarray(0, length);
      if (readFully(fd, bytes, offset) !== length) return { kind: 'changed', path };
      digests.push(digestOf(bytes));
      offset += length;
    }
    return { kind: 'sum', stat: statOf(fd), digests };
  });
}

function statOf(fd: number): DiskStat {
  return diskStatOf(fstatSync(fd, { bigint: true }));
}
