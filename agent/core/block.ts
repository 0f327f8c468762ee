/**
 * Cuts a file's bytes into blocks by content, so that an edit changes the blocks around it and no others. Frozen:
 * another cut of the same bytes would send every file again, so test vectors hold it. Pure; knows no file.
 * FastCDC with normalised chunking at level 2, after Xia et al. 2020, in 32 bits.
 */
import { createHash } from 'node:crypto';
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { KIB, MIB } from '../base/limits.ts';
import type { CutClass } from './entry.ts';

export type CutSizes = { readonly min: number; readonly average: number; readonly max: number };

/** Bytes. The last block of a file may be shorter than `min`. */
export const cutSizes: Readonly<Record<CutClass, CutSizes>> = {
  small: { min: 16 * KIB, average: 64 * KIB, max: 256 * KIB },
  large: { min: 128 * KIB, average: 512 * KIB, max: 2 * MIB },
};

/** Files above this size start in the large class, bytes: a list of small blocks would pass 1 MiB there. */
const largeFileBytes = 1024 * MIB;
/** A file keeps its class until its size leaves it by this factor, so that growth does not cut it anew each time. */
const stickiness = 4;

/** For files above `wholeFileBytesMax`. `previous` is the class of the version before, null where there is none. */
export function cutClassFor(size: number, previous: CutClass | null): CutClass {
  if (previous === 'small') return size > largeFileBytes * stickiness ? 'large' : 'small';
  if (previous === 'large') return size < largeFileBytes / stickiness ? 'small' : 'large';
  return size > largeFileBytes ? 'large' : 'small';
}

/**
 * @param hash of what lies before `from`, as far as it counts.
 * @returns the offset after the first byte where the hash has the mask's bits all zero, or 0.
 */
export type Scan = (bytes: Bytes, from: number, limit: number, mask: number, hash: number) => number;

/**
 * Where the block that starts at `start` ends. The hash is zero `min` bytes into the block; from there each byte
 * makes it (hash * 2 + gear[byte]) mod 2^32, and the block ends after the byte where bits 30, 29, … of it are zero:
 * log2(average) + 2 of them up to `average` bytes, log2(average) - 2 beyond. At `max` it ends anyway.
 * Asked again with more bytes it scans again: hand it `max` bytes where the file has them.
 * @param isLast true where the file ends at `end`. @param scan another way to the same cuts.
 * @returns the offset after the block, or -1 where more bytes are needed to tell.
 */
export function nextCut(
  bytes: Bytes,
  start: number,
  end: number,
  cut: CutClass,
  isLast: boolean,
  scan: Scan = scanHere,
): number {
  assert(start < end && end <= bytes.byteLength, 'a block has bytes, inside the buffer');
  const { min, average, max } = cutSizes[cut];
  const most = Math.min(end, start + max);
  const middle = Math.min(most, start + average);
  const { strict, loose } = masks[cut];
  const early = scan(bytes, start + min, middle, strict, 0);
  if (early > 0) return early;
  const late = middle < most ? scan(bytes, middle, most, loose, hashBefore(bytes, middle)) : 0;
  if (late > 0) return late;
  return isLast || most === start + max ? most : -1;
}

function scanHere(bytes: Bytes, from: number, limit: number, mask: number, hashAtStart: number): number {
  // Two bytes a turn: the hash after the first is kept doubled, so its mask is doubled too (bit 31 was left free).
  const doubled = mask << 1;
  let hash = hashAtStart;
  let at = from;
  for (; at + 1 < limit; at += 2) {
    hash = ((hash << 2) + (gearDoubled[bytes[at] as number] as number)) | 0;
    if ((hash & doubled) === 0) return at + 1;
    hash = (hash + (gear[bytes[at + 1] as number] as number)) | 0;
    if ((hash & mask) === 0) return at + 2;
  }
  if (at >= limit) return 0;
  hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
  return (hash & mask) === 0 ? at + 1 : 0;
}

/** A byte leaves the hash when 32 have followed it, so those before an offset tell the hash there. */
function hashBefore(bytes: Bytes, offset: number): number {
  let hash = 0;
  for (let at = offset - 32; at < offset; at += 1)
    hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
  return hash;
}

const masks = { small: masksOf(cutSizes.small), large: masksOf(cutSizes.large) };

function masksOf({ average }: CutSizes): { readonly strict: number; readonly loose: number } {
  const bits = Math.log2(average);
  return { strict: upperBits(bits + 2), loose: upperBits(bits - 2) };
}

/** Bits 30, 29, …: the upper ones have seen the most bytes. */
function upperBits(count: number): number {
  return ((1 << count) - 1) << (31 - count);
}

/** The first four bytes, highest first, of SHA-256 of `p2psync gear 0`, `p2psync gear 1`, …, `p2psync gear 255`. */
export const gear = Int32Array.from({ length: 256 }, (_, byte) =>
  createHash('sha256').update(`p2psync gear ${byte}`).digest().readInt32BE(0),
);
const gearDoubled = gear.map((value) => value << 1);
