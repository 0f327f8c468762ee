/** Everything below a directory, as the committer's worker sees it: whatever lies there, ignored or not. Synchronous. */
import { pathBytesMax } from '../base/limits.ts';
import type { SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import type { Confined } from './confined.ts';
import { diskStatOf } from './disk-stat.ts';

export type Below = { readonly path: SharePath; readonly stat: DiskStat };

/**
 * Stats to be compared with those that are known: nothing else may follow from them.
 * @returns null where something cannot be named, or was gone when it was looked at; else in no order.
 * @throws the system's error, where a directory cannot be listed.
 */
export function listBelow(confined: Confined, directory: SharePath): Below[] | null {
  const found: Below[] = [];
  const open = [directory];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const name of confined.list(at)) {
      const path = `${at}/${name}` as SharePath;
      const stat = lookAt(confined, path);
      if (stat === null) return null;
      found.push({ path, stat });
      if (stat.kind === 'directory') open.push(path);
    }
  }
  return found;
}

/** By the plain path, which is twice as fast: an inode that is not the known one is seen, wherever a link led. */
function lookAt(confined: Confined, path: SharePath): DiskStat | null {
  const full = `${confined.root}/${path}`;
  if (Buffer.byteLength(full) > pathBytesMax) return confined.lstat(path);
  const stat = confined.calls.lstatSync(full, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : diskStatOf(stat);
}
