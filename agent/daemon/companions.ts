/**
 * A directory's time changes with what comes and goes in it, and needs no rest, while a file does: so a directory waits for what
 * is coming to rest in it, and both are told together. Told alone it would be a version of its own, and the file's would have to
 * wait for it everywhere. Owns those that wait; never looks. Time is an argument.
 */
import { companionPathsMax, companionWaitMs } from '../base/limits.ts';
import { type DirectoryPath, parentOf, type SharePath } from '../core/path.ts';
import { type DiskStat, sameStat } from '../core/stat.ts';

type Found = { readonly path: SharePath; readonly stat: DiskStat | null };

/** What has not come to rest. One whose look never came back (nobody could say) is not waited for. */
export type Restless = ReadonlyMap<SharePath, { readonly looking: boolean }>;

export type Companions = {
  /** @param except what is told in another way, and is not waited for. @returns what is to be told now. */
  hold<Item extends Found>(
    ready: readonly Item[],
    input: { readonly pending: Restless; readonly except: ReadonlySet<SharePath> },
    nowMs: number,
  ): Item[];
  /** @returns those that have waited: what was seen of them is old, so that they are looked at again, now. */
  due(pending: Restless, nowMs: number): SharePath[];
};

/** @param indexed what the index says: a directory that is another one is news, one that is the same says nothing, and neither waits. */
export function createCompanions(indexed: (path: SharePath) => DiskStat | undefined): Companions {
  // Changes while running.
  /** Until when. */
  const waiting = new Map<SharePath, number>();

  function isChanged({ path, stat }: Found): boolean {
    if (stat?.kind !== 'directory') return false;
    const before = indexed(path);
    return before?.kind === 'directory' && before.ino === stat.ino && !sameStat(before, stat);
  }

  return {
    hold(ready, { pending, except }, nowMs) {
      if (!ready.some(({ stat }) => stat?.kind === 'directory')) return [...ready];
      const busy = busyIn(pending, except);
      return ready.filter((found) => {
        const dueMs = waiting.get(found.path) ?? nowMs + companionWaitMs;
        if (!busy.has(found.path) || nowMs >= dueMs || !isChanged(found)) {
          waiting.delete(found.path);
          return true;
        }
        waiting.set(found.path, dueMs);
        return false;
      });
    },
    due(pending, nowMs) {
      if (waiting.size === 0) return [];
      const busy = busyIn(pending, new Set());
      const due = [...waiting].filter(([path, dueMs]) => !busy.has(path) || nowMs >= dueMs);
      for (const [path] of due) waiting.delete(path);
      return due.map(([path]) => path);
    },
  };
}

function busyIn(pending: Restless, except: ReadonlySet<SharePath>): Set<DirectoryPath> {
  const busy = new Set<DirectoryPath>();
  // With so much under way there is a version every few ms in any case.
  if (pending.size > companionPathsMax) return busy;
  for (const [path, { looking }] of pending) if (!looking && !except.has(path)) busy.add(parentOf(path));
  return busy;
}
