/** Stub. */
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from './digest.ts';
import type { Counts, Edit, Entry } from './entry.ts';
import type { PageSource } from './page.ts';

export type TreeWrite = {
  readonly root: Digest;
  /** Encoded pages that the old tree did not have. */
  readonly pages: ReadonlyMap<Digest, Bytes>;
  /** Pages of the old tree that the new one does not have. */
  readonly replaced: readonly Digest[];
  readonly counts: Counts;
  readonly levels: number;
};

export declare function emptyTree(): TreeWrite;
export declare function buildTree(entries: Iterable<Entry>, salt: Bytes): TreeWrite;
export declare function updateTree(
  pages: PageSource,
  root: Digest,
  edits: readonly Edit[],
  salt: Bytes,
): TreeWrite;
