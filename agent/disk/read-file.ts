/** Reads one file with synchronous calls and sums it up as blocks. Keeps nothing but a buffer. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { messageOf, systemCode } from '../base/errors.ts';
import { blockBytesMax, inlineBytesMax, readPartBytes, wholeFileBytesMax } from '../base/limits.ts';
import { cutClassFor, cutSizes, nextCut } from '../core/block.ts';
import { buildBlockList } from '../core/blocklist.ts';
import { digestOf } from '../core/digest.ts';
import type { BlockRef, CutClass } from '../core/entry.ts';
import { createFastScan } from '../core/fast-scan.ts';
import type { SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { diskStatOf } from './disk-stat.ts';
import type { ReadItem, ReadOk, ReadResult } from './read.ts';
import { held } from './read-held.ts';
import { meansGone } from './read-open.ts';

/** Never waits for the writer of a fifo that was put where a file was. */
export const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A part and the largest block behind it, and two of those: the cutter can always tell where the next block ends. */
const { window, scan } = createFastScan(readPartBytes + blockBytesMax);

/** @param at a path that leads through no symlink, for `item`. @param cancelled ends a long read, with any result. */
export function readWhole(at: string, item: ReadItem, cancelled: () => boolean): ReadResult {
  return withFile(at, item.path, (fd) => readOpened(fd, item, cancelled));
}

/** @param at a path that leads through no symlink, for `path`. @returns why not, where it cannot be opened or read. */
export function withFile<Result>(
  at: string,
  path: SharePath,
  use: (fd: number) => Result,
): Result | Exclude<ReadResult, ReadOk> {
  let fd: number;
  try {
    fd = openSync(at, openFlags);
  } catch (error) {
    // A symlink (ELOOP) or socket (ENXIO) is something else than the file that was seen.
    const code = systemCode(error);
    if (code === 'ELOOP' || code === 'ENXIO') return { kind: 'changed', path };
    return meansGone(error) ? { kind: 'gone', path } : failed(path, error);
  }
  try {
    return use(fd);
  } catch (error) {
    return failed(path, error);
  } finally {
    closeSync(fd);
  }
}

/** Fills `target` from there on. @returns how many bytes the file gave. */
export function readFully(fd: number, target: Bytes, position: number): number {
  let length = 0;
  while (length < target.byteLength) {
    const got = readSync(fd, target, length, target.byteLength - length, position + length);
    if (got === 0) break;
    length += got;
  }
  return length;
}

/** @throws what is no system error: a bug is not the file's fault. */
export function failed(path: SharePath, error: unknown): Exclude<ReadResult, ReadOk> {
  const code = systemCode(error);
  if (code === undefined) throw error;
  return { kind: 'failed', path, code, message: messageOf(error) };
}

function readOpened(fd: number, item: ReadItem, cancelled: () => boolean): ReadResult {
  const { path } = item;
  const stat = diskStatOf(fstatSync(fd, { bigint: true }));
  if (stat.kind !== 'file') return { kind: 'changed', path };
  const sum = stat.size <= wholeFileBytesMax ? sumSmall(fd, stat, item) : sumLarge(fd, stat, item, cancelled);
  if (sum === undefined || !held(stat, diskStatOf(fstatSync(fd, { bigint: true })), item.restless === true)) {
    return { kind: 'changed', path };
  }
  return { kind: 'ok', path, stat, ...sum };
}

type Sum = Pick<ReadOk, 'content' | 'blocks' | 'listPages' | 'bytes'>;

/** undefined where the file is shorter than its stat said. */
function sumSmall(fd: number, { size }: DiskStat, { keepBytes }: ReadItem): Sum | undefined {
  const seen = window.subarray(0, size);
  if (readFully(fd, seen, 0) !== size) return undefined;
  const bytes = keepBytes && size <= inlineBytesMax ? new Uint8Array(seen) : null;
  if (size === 0) return { content: { kind: 'empty' }, blocks: [], listPages: [], bytes };
  const digest = digestOf(seen);
  return { content: { kind: 'block', digest }, blocks: [{ digest, length: size }], listPages: [], bytes };
}

function sumLarge(
  fd: number,
  { size }: DiskStat,
  { cut: previous }: ReadItem,
  cancelled: () => boolean,
): Sum | undefined {
  const cut = cutClassFor(size, previous);
  const blocks = cutBlocks(fd, size, cut, cancelled);
  if (blocks === undefined) return undefined;
  const { digest, pages } = buildBlockList(blocks);
  return { content: { kind: 'list', digest, cut }, blocks, listPages: [...pages], bytes: null };
}

function cutBlocks(
  fd: number,
  size: number,
  cut: CutClass,
  cancelled: () => boolean,
): BlockRef[] | undefined {
  const blocks: BlockRef[] = [];
  const whole = eachBlock(fd, { size, cut }, cancelled, (block) =>
    blocks.push({ digest: digestOf(block), length: block.byteLength }),
  );
  return whole ? blocks : undefined;
}

/** Blocks in the file's order, each good until the next. @returns false where the file is shorter than `size`, or it was cancelled. */
function eachBlock(
  fd: number,
  { size, cut }: { readonly size: number; readonly cut: CutClass },
  cancelled: () => boolean,
  take: (block: Bytes) => void,
): boolean {
  let read = 0;
  let end = 0;
  while (read < size || end > 0) {
    if (cancelled()) return false;
    const wanted = Math.min(window.byteLength - end, size - read);
    if (readFully(fd, window.subarray(end, end + wanted), read) !== wanted) return false;
    read += wanted;
    end += wanted;
    const isLast = read === size;
    let start = 0;
    // With fewer bytes than the largest block the cutter might have to look again.
    while (start < end && (isLast || end - start >= cutSizes[cut].max)) {
      const next = nextCut(window, start, end, cut, isLast, scan);
      assert(next > start, 'enough bytes to tell where a block ends');
      take(window.subarray(start, next));
      start = next;
    }
    window.copyWithin(0, start, end);
    end -= start;
  }
  return true;
}

/**
 * From where a block starts to the end of the first that ends at `until` or behind it: at most `readPartBytes` and a block.
 * @returns its length, and what hashes it, until anything else is read; null where the file is shorter than `size`.
 */
export function cutRange(
  fd: number,
  {
    from,
    until,
    size,
    cut,
  }: { readonly from: number; readonly until: number; readonly size: number; readonly cut: CutClass },
): { readonly byteLength: number; hash(): BlockRef[] } | null {
  const have = Math.min(size, until + cutSizes[cut].max) - from;
  assert(have <= window.byteLength, 'a part fits into memory');
  if (readFully(fd, window.subarray(0, have), from) !== have) return null;
  const ends: number[] = [];
  let end = 0;
  while (from + end < until) {
    end = nextCut(window, end, have, cut, from + have === size, scan);
    assert(end > (ends.at(-1) ?? 0), 'enough bytes to tell where a block ends');
    ends.push(end);
  }
  return {
    byteLength: end,
    hash: () =>
      ends.map((blockEnd, at) => {
        const block = window.subarray(ends[at - 1] ?? 0, blockEnd);
        return { digest: digestOf(block), length: block.byteLength };
      }),
  };
}
