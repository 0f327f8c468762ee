/** Raw events gathered into dirty marks: which names of which directory, each once, bounded. Pure. */
import { watchedNamesMax } from '../base/limits.ts';
import type { DirectoryPath } from '../core/path.ts';
import type { Dirty } from './watch.ts';

export type Marks = {
  readonly size: number;
  /** @param name null where the event has none, or none that could be looked up. */
  mark(directory: DirectoryPath, name: string | null): void;
  /** Everything marked since the last time, in the order of first marks. */
  take(): Dirty[];
};

export function createMarks(): Marks {
  let marks = new Map<DirectoryPath, Set<string> | null>();
  return {
    get size() {
      return marks.size;
    },
    mark(directory, name) {
      const names = marks.get(directory);
      if (names === null) return;
      // A name that is not UTF-8 arrives with replacement characters: only a listing tells what it is.
      if (name === null || name.includes('\ufffd') || (names?.size ?? 0) >= watchedNamesMax) {
        marks.set(directory, null);
      } else if (names === undefined) marks.set(directory, new Set([name]));
      else names.add(name);
    },
    take() {
      const taken = marks;
      marks = new Map();
      return Array.from(taken, ([directory, names]) => ({
        directory,
        names: names === null ? null : [...names],
      }));
    },
  };
}
