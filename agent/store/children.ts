/** What the index knows of one directory's own entries: their names, and the fingerprint of them all. Reads. */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { addEntry, decodeFingerprint, emptyFingerprint, type Fingerprint } from '../core/fingerprint.ts';
import { type DirectoryPath, isBelow, joinPath, type SharePath, topDirectory } from '../core/path.ts';
import { directoryKey, keyPast, keysBelow, pathKey, pathOfKey } from './keys.ts';
import { decodeRecord } from './record.ts';
import type { Tables } from './tables.ts';

/** As it is kept; nothing is counted. */
export function readFingerprint(tables: Tables, directory: DirectoryPath): Fingerprint {
  const bytes = tables.directories.getBinary(directoryKey(directory));
  return bytes === undefined ? emptyFingerprint() : decodeFingerprint(bytes);
}

/** From the records themselves. */
export function countFingerprint(tables: Tables, directory: DirectoryPath): Fingerprint {
  const sum = emptyFingerprint();
  for (const name of readChildren(tables, directory)) {
    const bytes = tables.paths.getBinary(pathKey(joinPath(directory, name)).key);
    assert(bytes !== undefined, 'a name that was read has its record');
    addEntry(sum, name, decodeRecord(bytes).record.stat);
  }
  return sum;
}

/** One step a child, not one a descendant: past a subdirectory's first entry we seek behind all of it. */
export function readChildren(tables: Tables, directory: DirectoryPath): string[] {
  const names: string[] = [];
  const { start, end } = keysBelow(directory);
  const prefixLength = directory === topDirectory ? 0 : directory.length + 1;
  let from: Buffer | undefined = start;
  while (from !== undefined) {
    let next: Buffer | undefined;
    for (const key of tables.paths.getKeys({ start: from, end })) {
      const path = pathOfRow(tables, key);
      if (!isBelow(path, directory)) continue;
      const slash = path.indexOf('/', prefixLength);
      if (slash < 0) {
        names.push(path.slice(prefixLength));
        continue;
      }
      next = keyPast(path.slice(0, slash) as SharePath);
      if (next !== undefined) break;
    }
    from = next;
  }
  return names;
}

function pathOfRow(tables: Tables, key: Bytes): SharePath {
  const path = pathOfKey(key);
  if (path !== undefined) return path;
  const value = tables.paths.getBinary(key);
  const stored = value === undefined ? null : decodeRecord(value).path;
  assert(stored !== null, 'the value of a cut key holds the path');
  return stored;
}
