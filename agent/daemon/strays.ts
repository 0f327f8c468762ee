/** What the index knows and a tree has not. Reads only. */
import { setImmediate } from 'node:timers/promises';
import { treeWalkPauseEntries } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { Change } from '../core/entry.ts';
import { topDirectory } from '../core/path.ts';
import { lookup } from '../core/tree.ts';
import type { ShareStore } from '../store/share-store.ts';
import { asEntry } from './found.ts';

/** As changes that take them away, in the order of the index. @throws as `lookup`. */
export async function findStrays(store: ShareStore, root: Digest): Promise<readonly Change[]> {
  const strays: Change[] = [];
  let count = 0;
  for (const [path, { stat }] of store.below(topDirectory)) {
    if (lookup((digest) => store.page(digest), root, path) === undefined)
      strays.push({ path, before: asEntry(path, stat), after: null });
    count += 1;
    if (count % treeWalkPauseEntries === 0) await setImmediate();
  }
  return strays;
}
