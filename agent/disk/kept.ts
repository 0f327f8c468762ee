/**
 * Where local changes go before the share's own content takes their place: `.p2psync/kept/<UTC time>/<path>`.
 * Never deletes. Synchronous; for the commit's worker.
 */
import { P2psyncError } from '../base/errors.ts';
import { keptDirectoriesMax } from '../base/limits.ts';
import { ensureDirectories, keptDirectory } from './agent-paths.ts';
import type { Confined } from './confined.ts';
import { hasErrorCode } from './system-errors.ts';

export type Keeper = {
  /**
   * Renames whatever lies at `at`, whole. @param path under which it is kept.
   * @returns where it is now, relative to the share's directory.
   */
  keep(at: string, path: string): string;
};

/** @param time UTC, of the commit: `2026-11-21T10-05-33Z`. */
export function createKeeper(confined: Confined, time: string): Keeper {
  return {
    keep(at, path) {
      ensureDirectories(confined, keptDirectory);
      for (let attempt = 1; attempt <= keptDirectoriesMax; attempt += 1) {
        const target = `${keptDirectory}/${attempt === 1 ? time : `${time}-${attempt}`}/${path}`;
        if (!makeParents(confined, target) || confined.lstat(target) !== null) continue;
        confined.rename(at, target);
        return target;
      }
      const message = `${JSON.stringify(path)} was changed here and cannot be kept: ${keptDirectory} holds too many of that name; move some away`;
      throw new P2psyncError('io', message, { path });
    },
  };
}

/** @returns false where something that is no directory is in the way: an earlier file of that name. */
function makeParents(confined: Confined, path: string): boolean {
  for (let end = path.indexOf('/', keptDirectory.length + 1); end >= 0; end = path.indexOf('/', end + 1)) {
    const directory = path.slice(0, end);
    try {
      confined.mkdir(directory, 0o700);
    } catch (error) {
      if (!hasErrorCode(error, 'EEXIST')) throw error;
      if (confined.lstat(directory)?.kind !== 'directory') return false;
    }
  }
  return true;
}

/** `2026-11-21T10-05-33Z`: sorts by time and is a name on every file system. */
export function keptTime(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
}
