/** Everything below a directory, as the committer's worker sees it: whatever lies there, ignored or not. Synchronous. */
import type { SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import type { Confined } from './confined.ts';

export type Below = { readonly path: SharePath; readonly stat: DiskStat };

/** In no order. @returns null where something cannot be named, or was gone when it was looked at. @throws the system's error, where one cannot be listed. */
export function listBelow(confined: Confined, directory: SharePath): Below[] | null {
  const found: Below[] = [];
  const open = [directory];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const name of confined.list(at)) {
      const path = `${at}/${name}` as SharePath;
      const stat = confined.lstat(path);
      if (stat === null) return null;
      found.push({ path, stat });
      if (stat.kind === 'directory') open.push(path);
    }
  }
  return found;
}
