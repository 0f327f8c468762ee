/** What one batch adds to the fingerprints of directories: gathered while its rows are written, put once. */
import {
  addEntry,
  addFingerprint,
  emptyFingerprint,
  encodeFingerprint,
  type Fingerprint,
  subtractEntry,
} from '../core/fingerprint.ts';
import { type DirectoryPath, nameOf, parentOf, type SharePath } from '../core/path.ts';
import { countFingerprint, readFingerprint } from './children.ts';
import { directoryKey } from './keys.ts';
import type { PathRecord } from './record.ts';
import type { Tables } from './tables.ts';

export type FingerprintSums = {
  /** What is recorded of the path now, and was before. */
  note(change: {
    readonly path: SharePath;
    readonly before: PathRecord | null;
    readonly after: PathRecord | null;
  }): void;
  /** Puts what was noted and forgets it. @param anew directories that are counted from their records instead. */
  put(anew: readonly DirectoryPath[]): void;
};

export function createFingerprintSums(tables: Tables): FingerprintSums {
  const changes = new Map<DirectoryPath, Fingerprint>();

  function store(directory: DirectoryPath, sum: Fingerprint): void {
    const key = directoryKey(directory);
    if (sum.some((lane) => lane !== 0)) tables.directories.putSync(key, encodeFingerprint(sum));
    else tables.directories.removeSync(key);
  }

  return {
    note({ path, before, after }) {
      const directory = parentOf(path);
      const change = changes.get(directory) ?? emptyFingerprint();
      changes.set(directory, change);
      const name = nameOf(path);
      if (before !== null) subtractEntry(change, name, before.stat);
      if (after !== null) addEntry(change, name, after.stat);
    },
    put(anew) {
      for (const [directory, change] of changes) {
        addFingerprint(change, readFingerprint(tables, directory));
        store(directory, change);
      }
      changes.clear();
      for (const directory of anew) store(directory, countFingerprint(tables, directory));
    },
  };
}
