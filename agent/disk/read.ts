/** Reads files. */
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { BlockRef, Content, CutClass } from '../core/entry.ts';
import type { SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';

export type ReadItem = {
  readonly path: SharePath;
  /** Class of the previous version. */
  readonly cut: CutClass | null;
  /** Whether to give the bytes of a file of up to `inlineBytesMax`. */
  readonly keepBytes: boolean;
};

export type ReadResult =
  | {
      readonly kind: 'ok';
      readonly path: SharePath;
      readonly stat: DiskStat;
      readonly content: Content;
      /** In the file's order; their lengths add up to the file's size. */
      readonly blocks: readonly BlockRef[];
      /** Pages of the block list; none where the content is empty or one block. */
      readonly listPages: readonly (readonly [Digest, Bytes])[];
      readonly bytes: Bytes | null;
    }
  /** It changed while it was read, or is no regular file any more: look again. */
  | { readonly kind: 'changed'; readonly path: SharePath }
  | { readonly kind: 'gone'; readonly path: SharePath }
  | { readonly kind: 'failed'; readonly path: SharePath; readonly code: string; readonly message: string };

export type Reader = {
  /** Results in any order, each item once. */
  read(
    items: readonly ReadItem[],
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<readonly ReadResult[]>;
  /** Target of a symlink; null where there is none. */
  readLink(path: SharePath): Promise<string | null | 'not-utf8'>;
  /** Bytes of a file, for serving; null where the file cannot give that many, or (with `digest`) not these. */
  block(
    location: {
      readonly path: SharePath;
      readonly offset: number;
      readonly length: number;
      readonly digest?: Digest;
    },
    options: { readonly signal: AbortSignal },
  ): Promise<Bytes | null>;
  close(): Promise<void>;
};

/** @param root absolute path of the share's directory. */
export function createReader(_root: string, _options: { readonly threads?: number } = {}): Reader {
  throw new Error('not yet');
}
