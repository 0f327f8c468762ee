/** Stub. */
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from './digest.ts';
import type { BlockRef } from './entry.ts';
import type { PageSource } from './page.ts';

export declare function buildBlockList(refs: Iterable<BlockRef>): {
  readonly digest: Digest;
  readonly pages: ReadonlyMap<Digest, Bytes>;
  /** Sum of the blocks' lengths, bytes. */
  readonly size: number;
};
/** With `size`, a list of another total length is malformed. */
export declare function iterateBlocks(
  pages: PageSource,
  digest: Digest,
  size?: number,
): Generator<BlockRef, void, void>;
export declare function listPageReferences(bytes: Bytes): {
  readonly level: number;
  readonly pages: readonly Digest[];
  readonly blocks: readonly BlockRef[];
};
