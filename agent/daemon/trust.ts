/** Taking back what the index says: paths whose bytes are to be hashed again. */
import { type SharePath, topDirectory } from '../core/path.ts';
import type { IndexEdit, ShareStore } from '../store/share-store.ts';

/** @param paths null: all of them. */
export async function distrust(store: ShareStore, paths: readonly SharePath[] | null): Promise<void> {
  const all = paths ?? [...store.below(topDirectory)].map(([path]) => path);
  const index = all.map((path): IndexEdit => ({ path, record: null }));
  if (index.length > 0) await store.write({ index });
}
