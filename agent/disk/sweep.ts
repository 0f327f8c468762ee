/** Takes a directory away that was set aside: what is left in it is kept. Synchronous; for the commit's worker. */
import type { SharePath } from '../core/path.ts';
import type { Confined } from './confined.ts';
import { hasErrorCode } from './system-errors.ts';

/** @param place where it is now, and its path in the share. */
export function sweep(
  confined: Confined,
  { at, path }: { readonly at: string; readonly path: SharePath },
  keep: (at: string, path: SharePath) => void,
): void {
  for (const name of confined.list(at)) {
    const below = { at: `${at}/${name}`, path: `${path}/${name}` as SharePath };
    const found = confined.lstat(below.at);
    if (found?.kind === 'directory') sweep(confined, below, keep);
    else if (found !== null) keep(below.at, below.path);
  }
  try {
    confined.rmdir(at);
  } catch (error) {
    // Names that are not UTF-8 cannot be named one by one.
    if (!hasErrorCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    keep(at, path);
  }
}
