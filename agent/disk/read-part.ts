/**
 * A part of a long file: read once, cut, and hashed where it lies. Where it ends is said as soon as it is cut, so that another
 * thread goes on with the next part meanwhile. Synchronous; for the threads that read. Who puts the parts together sees to it
 * that all are of one file that stood still.
 */
import { fstatSync } from 'node:fs';
import { readPartBytes, wholeFileBytesMax } from '../base/limits.ts';
import { cutClassFor } from '../core/block.ts';
import type { BlockRef, CutClass } from '../core/entry.ts';
import type { SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { diskStatOf } from './disk-stat.ts';
import type { ReadOk, ReadResult } from './read.ts';
import { cutRange, withFile } from './read-file.ts';

export type PartOrder = {
  readonly path: SharePath;
  /** Of the version before. */
  readonly cut: CutClass | null;
  /** Where a block starts. */
  readonly from: number;
  /** Of the file, as the first part had it; null: this is the first. */
  readonly size: number | null;
  /** One number that threads share: 0 until the length of the part is known, -1 where it will not be. */
  readonly length: Int32Array<SharedArrayBuffer>;
};

export type ReadPart = {
  readonly kind: 'part';
  /** When it was opened, and when it was read. */
  readonly before: DiskStat;
  readonly after: DiskStat;
  readonly cut: CutClass;
  readonly blocks: readonly BlockRef[];
};
type Failed = Exclude<ReadResult, ReadOk>;

/** @param at a path that leads through no symlink. */
export function readPart(at: string, order: PartOrder, cancelled: () => boolean): ReadPart | Failed {
  const { path, from } = order;
  return withFile(at, path, (fd): ReadPart | Failed => {
    const before = statOf(fd);
    const size = order.size ?? before.size;
    // One that became short is read as short ones are, when it is looked at again.
    const isLong = before.kind === 'file' && before.size >= size && size > wholeFileBytesMax;
    if (!isLong || cancelled()) return { kind: 'changed', path };
    const cut = cutClassFor(size, order.cut);
    const part = cutRange(fd, { from, until: Math.min(size, from + readPartBytes), size, cut });
    if (part === null) return { kind: 'changed', path };
    say(order.length, part.byteLength);
    const after = statOf(fd);
    return { kind: 'part', before, after, cut, blocks: part.hash() };
  });
}

/** Says that the part has this length, where nothing was said yet. */
export function say(length: PartOrder['length'], bytes: number): void {
  Atomics.compareExchange(length, 0, 0, bytes);
  Atomics.notify(length, 0);
}

function statOf(fd: number): DiskStat {
  return diskStatOf(fstatSync(fd, { bigint: true }));
}
