/**
 * Paths whose disk is no longer as the applied tree says. Owns which of them the next apply puts right; what the
 * tree does not have is not ours to put right.
 */
import { driftedAtOnceMax, driftedMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { Change, Entry } from '../core/entry.ts';
import type { PageSource } from '../core/page.ts';
import { comparePaths, type SharePath } from '../core/path.ts';
import { lookup } from '../core/tree.ts';
import type { Effect } from './events.ts';

export type Drift = {
  add(paths: readonly SharePath[]): readonly Effect[];
  isEmpty(): boolean;
  /** Entries of the tree at `root` for the next apply, in byte order of path. @throws page-missing, malformed. */
  take(pages: PageSource, root: Digest | null): readonly Entry[];
  /** @param changes all between the applied tree and the one that is applied next. @returns them with what was taken among them. */
  addTo(changes: Change[]): readonly Change[];
  /** What was taken is applied. */
  settled(): void;
};

export function createDrift(): Drift {
  // Changes while running.
  const paths = new Set<SharePath>();
  const taken = new Set<SharePath>();
  let entries: Entry[] = [];

  return {
    add(more) {
      for (const path of more) {
        // It drifted once more, so what is being applied does not settle it.
        taken.delete(path);
        if (paths.size >= driftedMax && !paths.has(path)) {
          const text = 'more paths drifted than are remembered; the next scan finds the rest';
          return [{ kind: 'note', text, fields: { driftedMax } }];
        }
        paths.add(path);
      }
      return [];
    },
    isEmpty: () => paths.size === 0,
    take(pages, root) {
      taken.clear();
      entries = [];
      for (const path of paths) {
        if (taken.size >= driftedAtOnceMax) break;
        taken.add(path);
        const entry = root === null ? undefined : lookup(pages, root, path);
        if (entry !== undefined) entries.push(entry);
      }
      entries.sort((left, right) => comparePaths(left.path, right.path));
      return entries;
    },
    addTo(changes) {
      if (entries.length === 0) return changes;
      const changed = new Set(changes.map((change) => change.path));
      for (const entry of entries) {
        // Both trees have the same of it: one entry on both sides makes it a repair.
        if (!changed.has(entry.path)) changes.push({ path: entry.path, before: entry, after: entry });
      }
      return changes.sort((left, right) => comparePaths(left.path, right.path));
    },
    settled() {
      for (const path of taken) paths.delete(path);
      taken.clear();
      entries = [];
    },
  };
}
