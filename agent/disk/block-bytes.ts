/** Bytes of blocks from and to open files: verified by their digest, with holes where the file has some. Synchronous. */
import { constants } from 'node:fs';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError, systemCode } from '../base/errors.ts';
import { blockBytesMax } from '../base/limits.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import type { Confined } from './confined.ts';

/** Where a block may lie. `length` is what the block has; a file that gives fewer bytes does not hold it. */
export type BlockSource = { readonly path: string; readonly offset: number };

/** Most file systems allocate 4 KiB at a time: a smaller run of zeros frees nothing. */
const holeBytes = 4096;
const zeros = new Uint8Array(holeBytes);

export type BlockReader = {
  /** The block from the first source that has it; the bytes are good until the next call. */
  read(digest: Digest, length: number, sources: readonly BlockSource[]): Bytes | null;
  close(): void;
};

/** Keeps the last file open: neighbouring blocks mostly come from one. */
export function createBlockReader(confined: Confined): BlockReader {
  // Grows to the largest block asked for: most readers only see small ones.
  let buffer: Bytes = new Uint8Array(0);
  let openPath = '';
  let openFile = -1;

  function close(): void {
    if (openFile >= 0) confined.calls.closeSync(openFile);
    openFile = -1;
    openPath = '';
  }

  /** @returns -1 where there is no such file. */
  function fileAt(path: string): number {
    if (path === openPath && openFile >= 0) return openFile;
    close();
    try {
      // A fifo in the file's place must not hold the thread up.
      openFile = confined.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      openPath = path;
      if (!confined.calls.fstatSync(openFile).isFile()) close();
    } catch (error) {
      if (systemCode(error) === undefined && !(error instanceof P2psyncError)) throw error;
      close();
    }
    return openFile;
  }

  return {
    close,
    read(digest, length, sources) {
      if (length > blockBytesMax) return null;
      if (buffer.byteLength < length) buffer = new Uint8Array(length);
      for (const { path, offset } of sources) {
        const file = fileAt(path);
        if (file < 0) continue;
        const bytes = buffer.subarray(0, length);
        if (readFully(confined, file, bytes, offset) && digestOf(bytes) === digest) return bytes;
      }
      return null;
    },
  };
}

/** @returns false where the file ends before, or cannot be read there. */
export function readFully(confined: Confined, file: number, bytes: Bytes, offset: number): boolean {
  let done = 0;
  while (done < bytes.byteLength) {
    let count: number;
    try {
      count = confined.calls.readSync(file, bytes, done, bytes.byteLength - done, offset + done);
    } catch {
      return false;
    }
    if (count === 0) return false;
    done += count;
  }
  return true;
}

export function writeFully(confined: Confined, file: number, bytes: Bytes, offset: number): void {
  let done = 0;
  while (done < bytes.byteLength) {
    done += confined.calls.writeSync(file, bytes, done, bytes.byteLength - done, offset + done);
  }
}

/** Leaves pages of zeros unwritten; what lies there now must read as zeros, and the file must be that long. */
export function writeWithHoles(confined: Confined, file: number, bytes: Bytes, offset: number): void {
  let start = 0;
  for (let at = 0; at < bytes.byteLength; ) {
    const end = Math.min(bytes.byteLength, at + holeBytes - ((offset + at) % holeBytes));
    if (isZero(bytes.subarray(at, end))) {
      if (start < at) writeFully(confined, file, bytes.subarray(start, at), offset + start);
      start = end;
    }
    at = end;
  }
  if (start < bytes.byteLength) writeFully(confined, file, bytes.subarray(start), offset + start);
}

/** @param bytes at most `holeBytes`. */
function isZero(bytes: Bytes): boolean {
  return bytes[0] === 0 && Buffer.compare(bytes, zeros.subarray(0, bytes.byteLength)) === 0;
}
