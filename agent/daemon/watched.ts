/** Which directories are watched, as the observer asked for it. Owns that set; what happens in them is told to others. */
import { ancestorsOf, type DirectoryPath, type SharePath, topDirectory } from '../core/path.ts';
import type { Watcher } from '../disk/watch.ts';

export type Watched = {
  has(directory: DirectoryPath): boolean;
  /** @returns those that were not watched. */
  add(directories: readonly DirectoryPath[]): Promise<readonly DirectoryPath[]>;
  /** Exactly these have gone. */
  lost(directories: readonly SharePath[]): void;
  /** These have gone, with everything below them. */
  lostBelow(directories: readonly SharePath[]): void;
  /** Other directories are there now: they, and what is below them, are to be watched anew. */
  replaced(directories: readonly SharePath[]): void;
  clear(): void;
};

export function createWatched(watcher: Pick<Watcher, 'add' | 'remove'>): Watched {
  const watched = new Set<DirectoryPath>();

  function below(directories: readonly SharePath[]): SharePath[] {
    if (directories.length === 0) return [];
    const all = new Set<DirectoryPath>(directories);
    return [...watched].filter(
      (directory): directory is SharePath =>
        directory !== topDirectory && [directory, ...ancestorsOf(directory)].some((above) => all.has(above)),
    );
  }

  function lost(directories: readonly SharePath[]): void {
    for (const directory of directories) watched.delete(directory);
    watcher.remove(directories);
  }

  return {
    has: (directory) => watched.has(directory),
    async add(directories) {
      const fresh = directories.filter((directory) => !watched.has(directory));
      if (fresh.length === 0) return fresh;
      await watcher.add(fresh);
      for (const directory of fresh) watched.add(directory);
      return fresh;
    },
    lost,
    lostBelow(directories) {
      const gone = below(directories);
      if (gone.length > 0) lost(gone);
    },
    replaced(directories) {
      if (!directories.some((directory) => watched.has(directory))) return;
      for (const directory of below(directories)) watched.delete(directory);
    },
    clear: () => watched.clear(),
  };
}
