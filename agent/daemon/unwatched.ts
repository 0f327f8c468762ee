/** Directories that the system does not watch, for want of watches: they have to be listed from time to time. */
import type { DirectoryPath } from '../core/path.ts';
import type { Dirty } from '../disk/watch.ts';
import type { Log } from './log.ts';

export type Unwatched = {
  add(directories: readonly DirectoryPath[]): void;
  /** All of them, whole. */
  hints(): readonly Dirty[];
};

export function createUnwatched(log: Log): Unwatched {
  const all = new Set<DirectoryPath>();
  return {
    add(directories) {
      for (const directory of directories) all.add(directory);
      log.warn(
        { directories: directories.length },
        'not all directories can be watched: raise fs.inotify.max_user_watches (p2psync doctor says how); they are polled',
      );
    },
    hints: () => [...all].map((directory) => ({ directory, names: null })),
  };
}
