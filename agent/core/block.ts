/** Stub. */
import type { Bytes } from '../base/bytes.ts';
import type { CutClass } from './entry.ts';

/** For files above wholeFileBytesMax. */
export declare function cutClassFor(size: number, previous: CutClass | null): CutClass;
/** @returns the offset where the block that starts at `start` ends, or -1 where more bytes are needed to tell. */
export declare function nextCut(
  bytes: Bytes,
  start: number,
  end: number,
  cut: CutClass,
  isLast: boolean,
): number;
