/**
 * Blocks out of live files, for serving: neighbours of one file with one read, and all of them in memory that goes on to
 * the network as it is. Synchronous; for the thread that reads.
 */
import { closeSync, fstatSync, openSync, readvSync } from 'node:fs';
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { systemCode } from '../base/errors.ts';
import { blockBytesMax, blockHeadBytes, bulkBatchBytes } from '../base/limits.ts';
import { digestOf } from '../core/digest.ts';
import { type DirectoryPath, nameOf, parentOf, type SharePath } from '../core/path.ts';
import type { BlockLocation } from './read.ts';
import { openFlags, readFully } from './read-file.ts';
import type { OpenedDirectory } from './read-open.ts';

/**
 * In the order asked; null where the file cannot be read, or gives other bytes. Before each lie `blockHeadBytes` that are free.
 * @param open null where there is no such directory. @param memory gets what the blocks lie in.
 */
export function readBlocks(
  locations: readonly BlockLocation[],
  open: (directory: DirectoryPath) => OpenedDirectory | null,
  memory: ArrayBuffer[],
): (Bytes | null)[] {
  const found: (Bytes | null)[] = [];
  const files = createLastFile(open);
  let left = roomOf(locations);
  let slab = Buffer.alloc(0);
  try {
    for (let at = 0; at < locations.length; ) {
      const run = runFrom(locations, at);
      const bytes = roomOf(run);
      if (bytes > slab.byteLength)
        slab = Buffer.allocUnsafeSlow(Math.max(bytes, Math.min(bulkBatchBytes, left)));
      const read = readRun(run, files.open(run[0]?.path), slab.subarray(0, bytes));
      if (read.some((one) => one !== null)) {
        if (memory.at(-1) !== slab.buffer) memory.push(slab.buffer);
        slab = slab.subarray(bytes);
      }
      found.push(...read);
      left -= bytes;
      at += run.length;
    }
  } finally {
    files.close();
  }
  return found;
}

/** Memory that they take, with what is free before each. */
function roomOf(locations: readonly BlockLocation[]): number {
  return locations.reduce((sum, { length }) => sum + blockHeadBytes + length, 0);
}

/** Those that follow each other in one file, as far as they go together. */
function runFrom(locations: readonly BlockLocation[], at: number): readonly BlockLocation[] {
  const run: BlockLocation[] = [];
  let bytes = 0;
  for (const location of locations.slice(at)) {
    const { path, offset, length } = location;
    assert(length >= 0 && length <= blockBytesMax, 'a block of a length that blocks have');
    const first = run[0];
    const follows = first === undefined || (first.path === path && first.offset + bytes === offset);
    if (!follows || (first !== undefined && bytes + length > bulkBatchBytes)) break;
    run.push(location);
    bytes += length;
  }
  return run;
}

function readRun(run: readonly BlockLocation[], file: number | null, target: Buffer): (Bytes | null)[] {
  const first = run[0];
  let start = target.byteOffset;
  const blocks = run.map(({ length }) => {
    start += blockHeadBytes + length;
    return new Uint8Array(target.buffer, start - length, length);
  });
  const got = file === null || first === undefined ? -1 : readOrNothing(file, blocks, first.offset);
  let end = 0;
  return run.map(({ digest }, at) => {
    const bytes = blocks[at] ?? null;
    end += bytes?.byteLength ?? 0;
    return bytes === null || end > got || (digest !== undefined && digestOf(bytes) !== digest) ? null : bytes;
  });
}

/** One file that cannot be read is as good as gone; the others are served. */
function readOrNothing(file: number, blocks: readonly Bytes[], offset: number): number {
  try {
    return readEach(file, blocks, offset);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return 0;
  }
}

/** With one call, mostly. @returns how many bytes the file gave. */
function readEach(file: number, blocks: readonly Bytes[], offset: number): number {
  let got = readvSync(file, blocks, offset);
  let end = 0;
  for (const block of blocks) {
    end += block.byteLength;
    if (got < end) got += readFully(file, block.subarray(got - end), offset + got);
    if (got < end) break;
  }
  return got;
}

/** Neighbouring blocks mostly come from one file: it stays open until another is asked for. */
function createLastFile(open: (directory: DirectoryPath) => OpenedDirectory | null): {
  open(path: SharePath | undefined): number | null;
  close(): void;
} {
  let last: { readonly path: SharePath; readonly file: number } | null = null;
  function close(): void {
    if (last !== null) closeSync(last.file);
    last = null;
  }
  return {
    close,
    open(path) {
      if (path === undefined) return null;
      if (last?.path === path) return last.file;
      close();
      const file = openRegular(path, open);
      last = file === null ? null : { path, file };
      return file;
    },
  };
}

/** null where there is no regular file, or none that may be read. */
function openRegular(
  path: SharePath,
  open: (directory: DirectoryPath) => OpenedDirectory | null,
): number | null {
  let file: number;
  try {
    const directory = open(parentOf(path));
    if (directory === null) return null;
    file = openSync(`${directory.base}/${nameOf(path)}`, openFlags);
  } catch (error) {
    if (systemCode(error) !== undefined) return null;
    throw error;
  }
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  return null;
}
