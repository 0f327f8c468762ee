/** What was told of and nobody has looked at yet: names by directory, or a whole directory. Owns the bound of how many are remembered. */
import { markedNamesMax } from '../base/limits.ts';
import type { DirectoryPath } from '../core/path.ts';
import type { Dirty } from '../disk/watch.ts';

/** `null`: everything directly in the directory. */
export type Marked = readonly [DirectoryPath, ReadonlySet<string> | null];

export type Marks = {
  /** Beyond the bound all directories are marked whole: listing one costs less than many names do. */
  add(hints: readonly Dirty[]): void;
  isEmpty(): boolean;
  /** In the order in which their directories were marked first; nothing is marked then. */
  take(): readonly Marked[];
  clear(): void;
};

export function createMarks(): Marks {
  // Changes while running.
  const marked = new Map<DirectoryPath, Set<string> | null>();
  let names = 0;

  function clear(): void {
    marked.clear();
    names = 0;
  }

  function addName(directory: DirectoryPath, name: string): void {
    const known = marked.get(directory);
    if (known === null || known?.has(name) === true) return;
    if (known === undefined) marked.set(directory, new Set([name]));
    else known.add(name);
    names += 1;
    if (names > markedNamesMax) for (const each of marked.keys()) addWhole(each);
  }

  function addWhole(directory: DirectoryPath): void {
    names -= marked.get(directory)?.size ?? 0;
    marked.set(directory, null);
  }

  return {
    add(hints) {
      for (const hint of hints) {
        if (hint.names === null) addWhole(hint.directory);
        else for (const name of hint.names) addName(hint.directory, name);
      }
    },
    isEmpty: () => marked.size === 0,
    take() {
      const all = [...marked];
      clear();
      return all;
    },
    clear,
  };
}
