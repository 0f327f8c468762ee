/**
 * Pages read or written last, so that the way from a root to its leaves is not copied out of the database at every
 * step. A page is named by its content: what is kept here is never wrong, only gone.
 */
import type { Bytes } from '../base/bytes.ts';
import { pageCacheBytesMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';

export type PageCache = {
  /** @param read asked where it is not here; its bytes are not changed any more. */
  get(digest: Digest, read: () => Bytes | undefined): Bytes | undefined;
  drop(digest: Digest): void;
};

export function createPageCache(bytesMax: number = pageCacheBytesMax): PageCache {
  // Changes while running. The least recently used comes first.
  const pages = new Map<Digest, Bytes>();
  let total = 0;

  function drop(digest: Digest): void {
    total -= pages.get(digest)?.byteLength ?? 0;
    pages.delete(digest);
  }

  function put(digest: Digest, bytes: Bytes): void {
    drop(digest);
    pages.set(digest, bytes);
    total += bytes.byteLength;
    for (const oldest of pages.keys()) {
      if (total <= bytesMax) return;
      drop(oldest);
    }
  }

  return {
    get(digest, read) {
      const bytes = pages.get(digest) ?? read();
      if (bytes !== undefined) put(digest, bytes);
      return bytes;
    },
    drop,
  };
}
