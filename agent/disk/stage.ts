/**
 * Fetched blocks wait here, on the share's own file system, until a commit places them. Owns
 * `.p2psync/stage`; never touches anything else of the share.
 */
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { BlockRef, FileEntry } from '../core/entry.ts';

export type Stage = {
  /** True where the block is here: as a file of its own or inside an assembly. */
  has(digest: Digest): boolean;
  /**
   * Hashes and stages them, in a worker thread; what is here already is left alone. The bytes are copied.
   * @returns the digests whose bytes are others; those are not staged, all the rest is.
   * @throws {P2psyncError} disk-full; none of these blocks is registered then.
   */
  put(blocks: readonly { readonly digest: Digest; readonly bytes: Bytes }[]): Promise<readonly Digest[]>;
  /** From now on blocks of this file go to their offsets. What an earlier run left of it is hashed and taken over. */
  assemble(entry: FileEntry, blocks: readonly BlockRef[]): Promise<void>;
  /** A staged block, for serving; null where it is not here (any more). Hashed. */
  read(digest: Digest): Promise<Bytes | null>;
  /** Drops the blocks and assemblies that are not named. */
  prune(keep: {
    readonly digests: ReadonlySet<Digest>;
    readonly contents: ReadonlySet<Digest>;
  }): Promise<void>;
  close(): Promise<void>;
};

/** @param root absolute path of the share's directory. */
export async function openStage(_root: string): Promise<Stage> {
  throw new Error('not yet');
}
