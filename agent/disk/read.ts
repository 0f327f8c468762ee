/**
 * Reads the files of a share in worker threads: whole files into blocks and their digests, single blocks for
 * serving. Owns the threads and the order of the work; never follows a symlink inside the share, never writes.
 * What changes while it is read is never passed for whole.
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { readBatchFiles, readSplitBytesMin } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { BlockRef, Content, CutClass } from '../core/entry.ts';
import type { SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { createPool, runBatches, workerUrl } from './pool.ts';
import type { PartOrder, ReadPart } from './read-part.ts';
import { readSplit } from './read-split.ts';
import { shareRoot } from './scan.ts';
import { type PackedStats, unpackStats } from './scan-pack.ts';

export type ReadItem = {
  readonly path: SharePath;
  /** Class of the previous version. */
  readonly cut: CutClass | null;
  /** Whether to give the bytes of a file of up to `inlineBytesMax`. */
  readonly keepBytes: boolean;
  /** The file never rests: take it as long as what was there at the start could be read, and call that its state. */
  readonly restless?: boolean;
  /** As it was seen: a long file is read by all threads. */
  readonly size?: number;
};

export type LinkText = { readonly kind: 'target'; readonly target: string } | { readonly kind: 'not-utf8' };
/** `gone`: there is no symlink (any more). */
export type LinkRead = LinkText | { readonly kind: 'gone' };

export type ReadOk = {
  readonly kind: 'ok';
  readonly path: SharePath;
  readonly stat: DiskStat;
  readonly content: Content;
  /** In the file's order; their lengths add up to the file's size. */
  readonly blocks: readonly BlockRef[];
  /** Pages of the block list; none where the content is empty or one block. */
  readonly listPages: readonly (readonly [Digest, Bytes])[];
  readonly bytes: Bytes | null;
};

export type ReadResult =
  | ReadOk
  /** It changed while it was read, or is no regular file any more: look again. */
  | { readonly kind: 'changed'; readonly path: SharePath }
  | { readonly kind: 'gone'; readonly path: SharePath }
  /** `code` is the system's (`EACCES`). */
  | { readonly kind: 'failed'; readonly path: SharePath; readonly code: string; readonly message: string };

/** Where a block lies. With `digest` the bytes are checked against it. */
export type BlockLocation = {
  readonly path: SharePath;
  readonly offset: number;
  readonly length: number;
  readonly digest?: Digest;
};

export type Reader = {
  /** Results in any order, each item once. */
  read(
    items: readonly ReadItem[],
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<readonly ReadResult[]>;
  /** @throws the system's error where nobody can say. */
  readLink(path: SharePath): Promise<LinkRead>;
  /**
   * Bytes of files, for serving, in the order asked; null where a file cannot be read, cannot give that many, or (with
   * `digest`) not these. Some may share memory, which is the caller's.
   */
  blocks(
    locations: readonly BlockLocation[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly (Bytes | null)[]>;
  close(): Promise<void>;
};

/** What a reading thread starts with. */
export type ReadData = { readonly root: string; readonly device: bigint | null };

export type ReadCalls = {
  /** Reads for a while: results of the first items, and the stats of those that are ok, in their order. */
  read(items: readonly ReadItem[]): {
    readonly results: readonly (Omit<ReadOk, 'stat'> | Exclude<ReadResult, ReadOk>)[];
    readonly stats: PackedStats;
  };
  blocks(locations: readonly BlockLocation[]): (Bytes | null)[];
  part(order: PartOrder): ReadPart | Exclude<ReadResult, ReadOk>;
  list(blocks: readonly BlockRef[]): {
    readonly digest: Digest;
    readonly pages: readonly (readonly [Digest, Bytes])[];
  };
  /** null: there is no symlink (any more). */
  link(path: SharePath): LinkText | null;
};

/**
 * @param root absolute path of the share's directory. A symlink there is followed once, now.
 * @param options.lasting whether a thread waits for what is to be read next, however long that takes.
 */
export function createReader(
  root: string,
  { threads = 2, lasting = true }: { readonly threads?: number; readonly lasting?: boolean } = {},
): Reader {
  const data = (): ReadData => shareRoot(root);
  const url = workerUrl('read-worker', import.meta.url);
  const lasts = (): boolean => lasting;
  const pool = createPool<ReadCalls>(url, { threads, data, lasts });
  // Serving has a thread of its own: a neighbour never waits for a gigabyte that is being hashed.
  const serving = createPool<ReadCalls>(url, { threads: 1, data, lasts });

  async function* read(all: readonly ReadItem[], { signal }: { readonly signal: AbortSignal }) {
    const isLong = ({ size = 0 }: ReadItem) => size >= readSplitBytesMin && pool.threads > 1;
    for (const item of all) if (isLong(item)) yield [await readSplit(pool, item, { signal })];
    const items = all.filter((item) => !isLong(item));
    let at = 0;
    const unfinished: ReadItem[] = [];
    const ahead = pool.threads * 2;
    const batchMax = Math.max(1, Math.min(readBatchFiles, Math.ceil(items.length / ahead)));
    const batches: Iterator<readonly ReadItem[]> = {
      next() {
        let batch: readonly ReadItem[] = unfinished.splice(0, batchMax);
        if (batch.length === 0) {
          batch = items.slice(at, at + batchMax);
          at += batch.length;
        }
        return batch.length === 0 ? { done: true, value: undefined } : { done: false, value: batch };
      },
    };
    const run = async (batch: readonly ReadItem[], options: { signal: AbortSignal }) => {
      const { results, stats } = await pool.call('read', batch, options);
      unfinished.push(...batch.slice(results.length));
      return withStats(results, stats);
    };
    yield* runBatches(batches, run, { signal, ahead });
  }

  return {
    read,
    readLink: async (path) => (await serving.call('link', path)) ?? { kind: 'gone' },
    blocks: (locations, options) => serving.call('blocks', locations, options),
    async close() {
      await Promise.all([pool.close(), serving.close()]);
    },
  };
}

function withStats(
  results: ReturnType<ReadCalls['read']>['results'],
  packed: PackedStats,
): readonly ReadResult[] {
  const stats = unpackStats(packed).values();
  return results.map((result) => {
    if (result.kind !== 'ok') return result;
    const stat = stats.next().value;
    assert(stat !== undefined, 'a stat for every file that was read');
    return { ...result, stat };
  });
}
