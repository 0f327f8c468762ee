/**
 * Changes that a scan found and nobody was told of yet. Each telling writes the pages of the tree that it touches, begins a
 * transaction and waits for its files to be read: for a few directories at a time that costs more than the files do. Pure.
 */
import { observeGatherMs, observeGatherPaths } from '../base/limits.ts';
import type { DiskChange } from './compare.ts';

export type Gathered = {
  /** @returns all of them, in their order, once there are enough or the first has waited; else none. */
  add(changes: readonly DiskChange[], nowMs: number): readonly DiskChange[];
  /** What is left. */
  rest(): readonly DiskChange[];
};

/** @param enough how many changes, or how long the first may wait, ms. */
export function createGathered(
  enough: { readonly paths: number; readonly waitMs: number } = {
    paths: observeGatherPaths,
    waitMs: observeGatherMs,
  },
): Gathered {
  // Changes while running.
  let changes: DiskChange[] = [];
  let sinceMs = 0;

  function rest(): readonly DiskChange[] {
    const all = changes;
    changes = [];
    return all;
  }

  return {
    rest,
    add(more, nowMs) {
      if (changes.length === 0) sinceMs = nowMs;
      for (const change of more) changes.push(change);
      return changes.length >= enough.paths || nowMs >= sinceMs + enough.waitMs ? rest() : [];
    },
  };
}
