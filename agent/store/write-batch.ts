/**
 * What a batch does to the tables, inside the caller's transaction: pages first, then the index with the places of each
 * file's blocks, then documents, then the pages that go. Owns the numbering of files.
 */
import { assert } from '../base/assert.ts';
import { type Bytes, utf8 } from '../base/bytes.ts';
import { hasCode } from '../base/errors.ts';
import { iterateBlocks } from '../core/blocklist.ts';
import type { Digest } from '../core/digest.ts';
import { type DirectoryMove, pathAfter } from '../core/moved.ts';
import type { PageSource } from '../core/page.ts';
import { type DirectoryPath, isBelow, type SharePath } from '../core/path.ts';
import { createFingerprintSums, type FingerprintSums } from './fingerprint-sums.ts';
import {
  digestKey,
  directoryKey,
  encodePlace,
  fileKey,
  inodeKey,
  isWholePath,
  type KeyRange,
  keysBelow,
  pathKey,
  pathOfKey,
} from './keys.ts';
import {
  decodeRecord,
  encodeRecord,
  type FileId,
  fileIdOf,
  type PathRecord,
  type StoredRecord,
} from './record.ts';
import type { Table, Tables } from './tables.ts';

export type IndexEdit = { readonly path: SharePath; readonly record: PathRecord | null };

export type StoreBatch = {
  /** Verified by the caller. They are there before the index of the same batch is read. */
  readonly pages?: Iterable<readonly [Digest, Bytes]>;
  /** After everything else of the batch; one that is not there is dropped already. */
  readonly dropPages?: Iterable<Digest>;
  /** Before the index of the same batch: what is recorded of `from`, and of all below it, is recorded of `to` from then on. */
  readonly moves?: readonly DirectoryMove[];
  readonly index?: readonly IndexEdit[];
  /** Directories whose fingerprint is to be made anew from the records, these edits included. */
  readonly recount?: readonly DirectoryPath[];
  /** null removes. */
  readonly state?: ReadonlyMap<string, Bytes | null>;
};

/** @throws {P2psyncError} page-missing, where a file's block list is not among the pages. */
export function applyBatch(tables: Tables, batch: StoreBatch): void {
  for (const [digest, bytes] of batch.pages ?? []) tables.pages.putSync(digestKey(digest), bytes);
  const sums = createFingerprintSums(tables);
  for (const move of batch.moves ?? []) moveRows(tables, move, sums);
  if (batch.index !== undefined && batch.index.length > 0) applyIndex(tables, batch.index, sums);
  sums.put(batch.recount ?? []);
  for (const [key, bytes] of batch.state ?? []) {
    if (bytes === null) tables.documents.removeSync(utf8(key));
    else tables.documents.putSync(utf8(key), bytes);
  }
  for (const digest of batch.dropPages ?? []) tables.pages.removeSync(digestKey(digest));
}

/** Files keep their numbers, so that the places of their blocks stay as they are. */
function moveRows(tables: Tables, move: DirectoryMove, sums: FingerprintSums): void {
  const { key: from, whole } = pathKey(move.from);
  const rows = rowsAt(tables.paths, from, keysBelow(move.from));
  const isRecorded = rows[0]?.key === from;
  if (whole && isRecorded && isClear(tables, move, rows)) moveWhole(tables, move, { rows, sums });
  else moveEach(tables, move, { rows, sums });
}

/** Copies: what is below `own`, behind its own row where there is one. */
function rowsAt(table: Table, own: Buffer, below: KeyRange): Row[] {
  const value = table.getBinary(own);
  const rows = value === undefined ? [] : [{ key: own, value: Buffer.from(value) }];
  for (const row of table.getRange(below))
    rows.push({ key: Buffer.from(row.key), value: Buffer.from(row.value) });
  return rows;
}

type Row = { readonly key: Buffer; readonly value: Buffer };
type MovedRows = { readonly rows: readonly Row[]; readonly sums: FingerprintSums };

/** True where keys are paths before and after, and nothing is recorded at the new name or below it. */
function isClear(tables: Tables, { from, to }: DirectoryMove, rows: readonly Row[]): boolean {
  if (from === to || isBelow(to, from) || isBelow(from, to)) return false;
  const grows = Math.max(0, Buffer.byteLength(to) - Buffer.byteLength(from));
  if (!pathKey(to).whole || rows.some(({ key }) => !isWholePath(key.byteLength, grows))) return false;
  if (tables.paths.doesExist(pathKey(to).key)) return false;
  const [below] = tables.paths.getKeys({ ...keysBelow(to), limit: 1 });
  return below === undefined;
}

/** The values say nothing of the path, and the sums of the directories nothing of where they are: only keys change. */
function moveWhole(tables: Tables, { from, to }: DirectoryMove, { rows, sums }: MovedRows): void {
  const prefix = utf8(to);
  const start = Buffer.byteLength(from);
  const moved = (key: Uint8Array): Buffer => Buffer.concat([prefix, key.subarray(start)]);
  for (const { key, value } of rows) {
    const path = moved(key);
    tables.paths.removeSync(key);
    tables.paths.putSync(path, value);
    const fileId = fileIdOf(value);
    if (fileId !== 0) tables.files.putSync(fileKey(fileId), path);
  }
  // What this batch has noted so far is of the old names.
  sums.put([]);
  for (const { key, value } of rowsAt(tables.directories, directoryKey(from), keysBelow(from))) {
    tables.directories.removeSync(key);
    tables.directories.putSync(moved(key), value);
  }
  const [own] = rows;
  assert(own !== undefined, 'the directory has a row');
  const { record } = decodeRecord(own.value);
  sums.note({ path: from, before: record, after: null });
  sums.note({ path: to, before: null, after: record });
}

function moveEach(tables: Tables, move: DirectoryMove, { rows, sums }: MovedRows): void {
  const found: { key: Buffer; stored: StoredRecord; path: SharePath }[] = [];
  for (const { key, value } of rows) {
    const stored = decodeRecord(value);
    const path = stored.path ?? pathOfKey(key);
    assert(path !== undefined, 'a key is a path, or its value holds one');
    if (path === move.from || isBelow(path, move.from)) found.push({ key, stored, path });
  }
  for (const { key, stored, path } of found) {
    tables.paths.removeSync(key);
    sums.note({ path, before: stored.record, after: null });
  }
  for (const { stored, path: old } of found) {
    const path = pathAfter(old, move);
    const { key, whole } = pathKey(path);
    const before = tables.paths.getBinary(key);
    const replaced = before === undefined ? null : decodeRecord(before);
    if (replaced !== null && replaced.fileId !== 0) forgetFile(tables, replaced);
    sums.note({ path, before: replaced?.record ?? null, after: stored.record });
    tables.paths.putSync(key, encodeRecord({ ...stored, path: whole ? null : path }));
    if (stored.fileId !== 0) tables.files.putSync(fileKey(stored.fileId), utf8(path));
  }
}

const fileCounterKey = utf8('files');

/** Hands out numbers of files; never one twice, so that what an old number left behind is known to be old. */
type Numbering = { take(): FileId };

function applyIndex(tables: Tables, edits: readonly IndexEdit[], sums: FingerprintSums): void {
  const counter = tables.meta.getBinary(fileCounterKey);
  let last = counter === undefined ? 0 : Buffer.from(counter).readUIntBE(0, 6);
  const before = last;
  const numbering: Numbering = { take: () => ++last };
  for (const edit of edits) {
    const before = applyEdit(tables, edit, numbering);
    sums.note({ path: edit.path, before, after: edit.record });
  }
  if (last !== before) tables.meta.putSync(fileCounterKey, fileKey(last));
}

/** @returns what was recorded of the path. */
function applyEdit(tables: Tables, { path, record }: IndexEdit, numbering: Numbering): PathRecord | null {
  const { key, whole } = pathKey(path);
  const bytes = tables.paths.getBinary(key);
  const old = bytes === undefined ? null : decodeRecord(bytes);
  const fileId =
    record === null || record.stat.kind !== 'file' ? 0 : replaceBlocks(tables, { old, record, numbering });
  if (old !== null && old.fileId !== 0 && old.fileId !== fileId) forgetFile(tables, old);
  if (record === null) {
    if (old !== null) tables.paths.removeSync(key);
    return old?.record ?? null;
  }
  if (fileId !== 0) {
    if (old === null || old.fileId !== fileId) tables.files.putSync(fileKey(fileId), utf8(path));
    noteInode(tables, { old: old?.fileId === fileId ? old.record : null, record, fileId });
  }
  const stored: StoredRecord = { record, fileId, path: whole ? null : path };
  tables.paths.putSync(key, encodeRecord(stored));
  return old?.record ?? null;
}

type Replacement = {
  readonly old: StoredRecord | null;
  readonly record: PathRecord;
  readonly numbering: Numbering;
};

/** Brings the places of the file's blocks up to date, writing only those that differ. @returns the file's number. */
function replaceBlocks(tables: Tables, { old, record, numbering }: Replacement): FileId {
  if (old !== null && old.fileId !== 0) {
    if (contentName(old.record) === contentName(record)) return old.fileId;
    if (hasBlocks(tables, old.record)) {
      mergePlaces(tables, {
        fileId: old.fileId,
        before: placesOf(tables, old.record),
        after: placesOf(tables, record),
      });
      return old.fileId;
    }
  }
  const fileId = numbering.take();
  for (const place of placesOf(tables, record)) putPlace(tables, fileId, place);
  return fileId;
}

/** Two contents with one name hold the same blocks at the same offsets; the size of a one-block file is part of its name. */
function contentName({ content, stat }: PathRecord): string {
  if (content === null || content.kind === 'empty') return '';
  return content.kind === 'block' ? `${content.digest} ${stat.size}` : `list ${content.digest}`;
}

/** False where the block list of what was here is dropped already: its places cannot be named one by one. */
function hasBlocks(tables: Tables, record: PathRecord): boolean {
  try {
    for (const place of placesOf(tables, record)) assert(place.length > 0, 'no block is empty');
    return true;
  } catch (error) {
    if (hasCode(error, 'page-missing')) return false;
    throw error;
  }
}

type BlockPlace = { readonly digest: Digest; readonly offset: number; readonly length: number };

/** @throws {P2psyncError} page-missing, where the block list is not among the pages. */
function* placesOf(tables: Tables, { content, stat }: PathRecord): Generator<BlockPlace> {
  if (content === null || content.kind === 'empty') return;
  if (content.kind === 'block') {
    yield { digest: content.digest, offset: 0, length: stat.size };
    return;
  }
  const pages: PageSource = (page) => tables.pages.getBinary(digestKey(page));
  let offset = 0;
  for (const { digest, length } of iterateBlocks(pages, content.digest, stat.size)) {
    yield { digest, offset, length };
    offset += length;
  }
}

type Merge = {
  readonly fileId: FileId;
  readonly before: Iterator<BlockPlace>;
  readonly after: Iterator<BlockPlace>;
};

/** Both sides come by offset: what is the same on both is left alone. */
function mergePlaces(tables: Tables, { fileId, before, after }: Merge): void {
  let old = before.next();
  let fresh = after.next();
  while (old.done !== true || fresh.done !== true) {
    const oldAt = old.done === true ? Infinity : old.value.offset;
    const freshAt = fresh.done === true ? Infinity : fresh.value.offset;
    if (old.done !== true && fresh.done !== true && oldAt === freshAt) {
      if (old.value.digest !== fresh.value.digest) {
        removePlace(tables, fileId, old.value);
        putPlace(tables, fileId, fresh.value);
      }
      old = before.next();
      fresh = after.next();
    } else if (oldAt < freshAt && old.done !== true) {
      removePlace(tables, fileId, old.value);
      old = before.next();
    } else if (fresh.done !== true) {
      putPlace(tables, fileId, fresh.value);
      fresh = after.next();
    }
  }
}

function putPlace(tables: Tables, fileId: FileId, { digest, offset, length }: BlockPlace): void {
  tables.locations.putSync(digestKey(digest), encodePlace({ fileId, offset, length }));
}

function removePlace(tables: Tables, fileId: FileId, { digest, offset, length }: BlockPlace): void {
  tables.locations.removeSync(digestKey(digest), encodePlace({ fileId, offset, length }));
}

/** The path is gone, or is no file any more. Places whose list is missing stay behind and lead nowhere. */
function forgetFile(tables: Tables, { fileId, record }: StoredRecord): void {
  tables.files.removeSync(fileKey(fileId));
  tables.inodes.removeSync(inodeKey(record.stat.ino, fileId));
  if (!hasBlocks(tables, record)) return;
  for (const place of placesOf(tables, record)) removePlace(tables, fileId, place);
}

const nothing = Buffer.of(0);

type Inode = { readonly old: PathRecord | null; readonly record: PathRecord; readonly fileId: FileId };

/** Also of files with one name: a second one is made without a word about the first. */
function noteInode(tables: Tables, { old, record, fileId }: Inode): void {
  if (old !== null && old.stat.ino === record.stat.ino) return;
  if (old !== null) tables.inodes.removeSync(inodeKey(old.stat.ino, fileId));
  tables.inodes.putSync(inodeKey(record.stat.ino, fileId), nothing);
}
