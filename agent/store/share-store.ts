/**
 * What one share knows across restarts: pages of its trees, the index of its paths, where each block lies, small documents.
 * Owns the share's tables; never looks at the share's directory or at the network.
 */
import { assert } from '../base/assert.ts';
import { asBuffer, type Bytes, fromUtf8, toHex, utf8 } from '../base/bytes.ts';
import { blockLocationsMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { Fingerprint } from '../core/fingerprint.ts';
import type { DirectoryPath, SharePath } from '../core/path.ts';
import { isBelow } from '../core/path.ts';
import { readChildren, readFingerprint } from './children.ts';
import {
  decodePlace,
  digestKey,
  fileKey,
  fileOfInodeKey,
  keysBelow,
  keysOfInode,
  pathKey,
  pathOfKey,
} from './keys.ts';
import { createPageCache } from './page-cache.ts';
import { decodeKept, decodeRecord, type FileId, type Kept, type PathRecord } from './record.ts';
import { openTables, type Tables } from './tables.ts';
import { applyBatch, type StoreBatch } from './write-batch.ts';

export type { PathRecord } from './record.ts';
export type { IndexEdit, StoreBatch } from './write-batch.ts';

export type BlockLocation = { readonly path: SharePath; readonly offset: number; readonly length: number };

export type ShareStore = {
  /** Encoded tree page or block-list page. */
  page(digest: Digest): Bytes | undefined;
  hasPage(digest: Digest): boolean;
  /** Of every page here; may be read while the store is written. */
  pageDigests(): Iterable<Digest>;
  /** True where some recorded path is said to hold it; what the disk says is for the reader to find out. */
  hasBlock(digest: Digest): boolean;
  /** The first of `locations`. */
  location(digest: Digest): BlockLocation | undefined;
  /** At most `blockLocationsMax` of them. */
  locations(digest: Digest): readonly BlockLocation[];
  record(path: SharePath): PathRecord | undefined;
  /** Of all paths that are recorded, without going through them. */
  pathCount(): number;
  /** Names recorded directly in the directory, in byte order (paths over 1,900 bytes last). */
  children(directory: DirectoryPath): readonly string[];
  /** Of the names that are recorded directly in the directory, with their stats. */
  fingerprint(directory: DirectoryPath): Fingerprint;
  /** Everything recorded below the directory, in byte order of path (those over 1,900 bytes by their first 1,900); may be read while the store is written. */
  below(directory: DirectoryPath): Iterable<readonly [SharePath, PathRecord]>;
  /** The same with less of each record, at half the cost. */
  keptBelow(directory: DirectoryPath): Iterable<readonly [SharePath, Kept]>;
  /** Recorded files of this inode, also those that had no other name when they were recorded. */
  linkGroup(ino: bigint): readonly SharePath[];
  state(key: string): Bytes | undefined;
  /**
   * One atomic transaction; resolves when it is committed and visible: it outlives the process.
   * @throws {P2psyncError} page-missing, where a file's block list is not among the pages; nothing is written then.
   */
  write(batch: StoreBatch): Promise<void>;
  /** The same, and it outlives a power cut, as does everything written before it. */
  writeDurably(batch: StoreBatch): Promise<void>;
};

export type OpenShareStore = ShareStore & { close(): Promise<void> };

export function openShareStore(directory: string, options: { readonly readOnly: boolean }): OpenShareStore {
  const tables = openTables(directory, options);
  const cache = createPageCache();
  async function write(batch: StoreBatch): Promise<void> {
    assert(!options.readOnly, 'only the agent writes the index');
    const dropped = new Set(batch.dropPages ?? []);
    for (const digest of dropped) cache.drop(digest);
    await tables.transact(() => applyBatch(tables, { ...batch, dropPages: dropped }));
    // Somebody may have read one between.
    for (const digest of dropped) cache.drop(digest);
  }
  return {
    page: (digest) => cache.get(digest, () => tables.pages.getBinary(digestKey(digest))),
    pageDigests: () => readPageDigests(tables),
    hasPage: (digest) => tables.pages.doesExist(digestKey(digest)),
    hasBlock: (digest) => liesSomewhere(tables, digest),
    location: (digest) => firstLocation(tables, digest),
    locations: (digest) => readLocations(tables, digest, blockLocationsMax),
    record(path) {
      const bytes = tables.paths.getBinary(pathKey(path).key);
      return bytes === undefined ? undefined : decodeRecord(bytes).record;
    },
    pathCount: () => tables.count(tables.paths),
    children: (directory) => readChildren(tables, directory),
    fingerprint: (directory) => readFingerprint(tables, directory),
    below: (directory) => readBelow(tables, directory, (value) => decodeRecord(value).record),
    keptBelow: (directory) => readBelow(tables, directory, decodeKept),
    linkGroup: (ino) => readLinkGroup(tables, ino),
    state: (key) => tables.documents.getBinary(utf8(key)),
    write,
    async writeDurably(batch) {
      await write(batch);
      await tables.flush();
    },
    close: () => tables.close(),
  };
}

/** The first place is nearly always a living one: a look-up, and no cursor. */
function liesSomewhere(tables: Tables, digest: Digest): boolean {
  const first = tables.locations.getBinary(digestKey(digest));
  if (first === undefined) return false;
  return (
    tables.files.doesExist(fileKey(decodePlace(first).fileId)) || readLocations(tables, digest, 1).length > 0
  );
}

/** As above. */
function firstLocation(tables: Tables, digest: Digest): BlockLocation | undefined {
  const first = tables.locations.getBinary(digestKey(digest));
  if (first === undefined) return undefined;
  const { fileId, offset, length } = decodePlace(first);
  const path = pathOfFile(tables, fileId);
  return path === undefined ? readLocations(tables, digest, 1)[0] : { path, offset, length };
}

function readLocations(tables: Tables, digest: Digest, most: number): BlockLocation[] {
  const found: BlockLocation[] = [];
  for (const value of tables.locations.getValues(digestKey(digest))) {
    const { fileId, offset, length } = decodePlace(value);
    const path = pathOfFile(tables, fileId);
    // A file whose block list was gone when it was replaced leaves places behind that lead nowhere.
    if (path === undefined) continue;
    found.push({ path, offset, length });
    if (found.length >= most) break;
  }
  return found;
}

function pathOfFile(tables: Tables, fileId: FileId): SharePath | undefined {
  const bytes = tables.files.getBinary(fileKey(fileId));
  return bytes === undefined ? undefined : (fromUtf8(bytes) as SharePath | undefined);
}

function readLinkGroup(tables: Tables, ino: bigint): SharePath[] {
  const paths: SharePath[] = [];
  for (const key of tables.inodes.getKeys(keysOfInode(ino))) {
    const path = pathOfFile(tables, fileOfInodeKey(key));
    if (path !== undefined) paths.push(path);
  }
  return paths;
}

function* readPageDigests(tables: Tables): Generator<Digest> {
  let from: Buffer | undefined;
  for (;;) {
    const range = from === undefined ? {} : { start: from, exclusiveStart: true };
    const keys: Bytes[] = [...tables.pages.getKeys({ ...range, limit: rowsAtATime })];
    for (const key of keys) yield toHex(key) as Digest;
    const last = keys.at(-1);
    if (last === undefined || keys.length < rowsAtATime) return;
    from = Buffer.from(last);
  }
}

/** Rows read at a time: a consumer that waits between two does not hold a snapshot open. */
const rowsAtATime = 512;

function* readBelow<Read>(
  tables: Tables,
  directory: DirectoryPath,
  read: (value: Buffer) => Read,
): Generator<readonly [SharePath, Read]> {
  const { start, end } = keysBelow(directory);
  let from = start;
  let exclusiveStart = false;
  for (;;) {
    const rows = [...tables.paths.getRange({ start: from, end, exclusiveStart, limit: rowsAtATime })];
    for (const { key, value } of rows) {
      const bytes = asBuffer(value);
      const path = pathOfKey(key) ?? decodeRecord(bytes).path;
      assert(path !== null, 'a key is a path, or its value holds one');
      if (isBelow(path, directory)) yield [path, read(bytes)];
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < rowsAtATime) return;
    from = Buffer.from(last.key);
    exclusiveStart = true;
  }
}
