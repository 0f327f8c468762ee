/**
 * Keys of the index, in an order that serves its ranges: paths in byte order, inodes by number. Pure.
 * LMDB takes keys of up to 1,978 bytes and a path may have 4,095: a longer path is cut and a hash of it appended.
 */
import { hash } from 'node:crypto';
import { assert } from '../base/assert.ts';
import { asBuffer, type Bytes } from '../base/bytes.ts';
import { strictUtf8 } from '../core/codec.ts';
import type { Digest } from '../core/digest.ts';
import type { DirectoryPath, SharePath } from '../core/path.ts';
import { topDirectory } from '../core/path.ts';
import type { FileId } from './record.ts';

/** Paths of up to this many bytes are their own key. */
const wholePathBytesMax = 1900;
/** No UTF-8 text holds this byte, so a cut key is never taken for a path. */
const cutMark = 0xff;
const cutKeyBytes = wholePathBytesMax + 1 + 32;

export type KeyRange = { readonly start: Buffer; readonly end: Buffer };

export function pathKey(path: SharePath): { readonly key: Buffer; readonly whole: boolean } {
  const bytes = Buffer.from(path);
  if (bytes.byteLength <= wholePathBytesMax) return { key: bytes, whole: true };
  const tail = hash('sha256', bytes, 'buffer');
  return {
    key: Buffer.concat([bytes.subarray(0, wholePathBytesMax), Buffer.of(cutMark), tail]),
    whole: false,
  };
}

/** True where a key of so many bytes is a path, and stays one if that path is longer by so many. */
export function isWholePath(keyBytes: number, longerBytes: number): boolean {
  return keyBytes + longerBytes <= wholePathBytesMax;
}

/** A key is never empty; no path begins with this byte. */
const topKey = Buffer.of(0);

export function directoryKey(directory: DirectoryPath): Buffer {
  return directory === topDirectory ? topKey : pathKey(directory).key;
}

/** @returns undefined where the key is a cut one: its value holds the path. */
export function pathOfKey(key: Bytes): SharePath | undefined {
  if (key.byteLength === cutKeyBytes) return undefined;
  return strictUtf8(asBuffer(key), 0, key.byteLength) as SharePath | undefined;
}

/** Every key below the directory lies in here; where the directory's own path is long, others do as well. */
export function keysBelow(directory: DirectoryPath): KeyRange {
  if (directory === topDirectory) return { start: Buffer.of(0), end: Buffer.of(cutMark) };
  const start = Buffer.from(`${directory}/`);
  if (start.byteLength > wholePathBytesMax) {
    const cut = Buffer.concat([start.subarray(0, wholePathBytesMax), Buffer.of(cutMark)]);
    return { start: cut, end: Buffer.concat([cut, Buffer.alloc(33, cutMark)]) };
  }
  return { start, end: after(start) };
}

/** The first key past everything below `path`; undefined where keys of that length are cut. */
export function keyPast(path: SharePath): Buffer | undefined {
  const prefix = Buffer.from(`${path}/`);
  return prefix.byteLength > wholePathBytesMax ? undefined : after(prefix);
}

export function digestKey(digest: Digest): Buffer {
  return Buffer.from(digest, 'hex');
}

/** Where a block lies: file ‖ offset ‖ length, a value of the block's digest. In order of file, then offset. */
export type Place = { readonly fileId: FileId; readonly offset: number; readonly length: number };

const placeBytes = 18;

export function encodePlace({ fileId, offset, length }: Place): Buffer {
  const bytes = Buffer.alloc(placeBytes);
  bytes.writeUIntBE(fileId, 0, 6);
  bytes.writeBigUInt64BE(BigInt(offset), 6);
  bytes.writeUInt32BE(length, 14);
  return bytes;
}

export function decodePlace(value: Bytes): Place {
  const bytes = asBuffer(value);
  assert(bytes.byteLength === placeBytes, 'a place is of one length');
  return {
    fileId: bytes.readUIntBE(0, 6),
    offset: Number(bytes.readBigUInt64BE(6)),
    length: bytes.readUInt32BE(14),
  };
}

export function fileKey(fileId: FileId): Buffer {
  const key = Buffer.alloc(6);
  key.writeUIntBE(fileId, 0, 6);
  return key;
}

export function inodeKey(ino: bigint, fileId: FileId): Buffer {
  const key = Buffer.alloc(14);
  key.writeBigUInt64BE(BigInt.asUintN(64, ino));
  key.writeUIntBE(fileId, 8, 6);
  return key;
}

export function fileOfInodeKey(key: Bytes): FileId {
  return asBuffer(key).readUIntBE(8, 6);
}

export function keysOfInode(ino: bigint): KeyRange {
  const start = inodeKey(ino, 0);
  return { start, end: Buffer.concat([start.subarray(0, 8), Buffer.alloc(7, 0xff)]) };
}

/** The slash that ends a prefix becomes the byte after it. */
function after(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.byteLength - 1] = 0x30;
  return end;
}
