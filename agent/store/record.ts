/** What the index keeps of a path, and its bytes: fixed fields, then a digest, then the path where the key had to be cut. Pure. */
import { assert } from '../base/assert.ts';
import { asBuffer, type Bytes, fromUtf8, toHex, utf8 } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import type { Digest } from '../core/digest.ts';
import type { Content } from '../core/entry.ts';
import type { SharePath } from '../core/path.ts';
import type { DiskKind, DiskStat } from '../core/stat.ts';

export type PathRecord = {
  readonly stat: DiskStat;
  /** What the file held at that stat; null for everything that is not a regular file. */
  readonly content: Content | null;
};

/** A record without what changes with every look at the disk. */
export type Kept = { readonly kind: DiskKind; readonly content: Content | null };

/** Number that stands for a path in the block and inode tables; 0 for what is in neither. */
export type FileId = number;

export type StoredRecord = {
  readonly record: PathRecord;
  readonly fileId: FileId;
  /** Set where the key does not hold the whole path. */
  readonly path: SharePath | null;
};

const kinds: readonly DiskKind[] = ['file', 'directory', 'symlink', 'special'];
const contentKinds: readonly (Content['kind'] | null)[] = [null, 'empty', 'block', 'list'];

/** Flag byte: 2 bits of kind, 1 that is not used, 2 of content, 1 of cut class, 1 of a stored path. */
const contentShift = 3;
const largeBit = 0x20;
const pathBit = 0x40;

const fixedBytes = 69;
const digestLength = 32;

export function encodeRecord(stored: StoredRecord): Bytes {
  const { stat, content } = stored.record;
  const tail = stored.path === null ? null : utf8(stored.path);
  const digest = content === null || content.kind === 'empty' ? null : content.digest;
  const bytes = Buffer.alloc(fixedBytes + (digest === null ? 0 : digestLength) + (tail?.byteLength ?? 0));
  bytes[0] =
    kinds.indexOf(stat.kind) |
    (contentKinds.indexOf(content?.kind ?? null) << contentShift) |
    (content?.kind === 'list' && content.cut === 'large' ? largeBit : 0) |
    (tail === null ? 0 : pathBit);
  bytes.writeUInt16BE(stat.mode, 1);
  bytes.writeUInt32BE(stat.nlink, 3);
  bytes.writeUInt32BE(stat.uid, 7);
  bytes.writeUInt32BE(stat.gid, 11);
  bytes.writeUIntBE(stored.fileId, 15, 6);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, stat.dev), 21);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, stat.ino), 29);
  bytes.writeBigUInt64BE(BigInt(stat.size), 37);
  bytes.writeBigUInt64BE(BigInt(stat.allocated), 45);
  bytes.writeBigInt64BE(stat.mtimeNs, 53);
  bytes.writeBigInt64BE(stat.ctimeNs, 61);
  if (digest !== null) bytes.write(digest, fixedBytes, 'hex');
  if (tail !== null) bytes.set(tail, bytes.byteLength - tail.byteLength);
  return bytes;
}

/** @throws {P2psyncError} malformed, where the index holds something this program did not write. */
export function decodeRecord(input: Bytes): StoredRecord {
  const bytes = asBuffer(input);
  if (bytes.byteLength < fixedBytes) throw damaged();
  const flags = bytes.readUInt8(0);
  const kind = kinds[flags & 3];
  assert(kind !== undefined, 'two bits name one of four kinds');
  const contentKind = contentKinds[(flags >> contentShift) & 3] ?? null;
  const hasDigest = contentKind === 'block' || contentKind === 'list';
  const tailAt = fixedBytes + (hasDigest ? digestLength : 0);
  if (bytes.byteLength < tailAt) throw damaged();
  const stat: DiskStat = {
    kind,
    mode: bytes.readUInt16BE(1),
    nlink: bytes.readUInt32BE(3),
    uid: bytes.readUInt32BE(7),
    gid: bytes.readUInt32BE(11),
    dev: bytes.readBigUInt64BE(21),
    ino: bytes.readBigUInt64BE(29),
    size: Number(bytes.readBigUInt64BE(37)),
    allocated: Number(bytes.readBigUInt64BE(45)),
    mtimeNs: bytes.readBigInt64BE(53),
    ctimeNs: bytes.readBigInt64BE(61),
  };
  if (!Number.isSafeInteger(stat.size) || !Number.isSafeInteger(stat.allocated)) throw damaged();
  const digest = toHex(bytes.subarray(fixedBytes, tailAt)) as Digest;
  return {
    record: { stat, content: contentOf(contentKind, digest, flags) },
    fileId: fileIdOf(bytes),
    path: (flags & pathBit) === 0 ? null : storedPath(bytes.subarray(tailAt)),
  };
}

/** What an encoded record says of kind and content, without the rest of it. @throws as decodeRecord. */
export function decodeKept(bytes: Buffer): Kept {
  if (bytes.byteLength < fixedBytes) throw damaged();
  const flags = bytes.readUInt8(0);
  const kind = kinds[flags & 3] ?? 'special';
  const contentKind = contentKinds[(flags >> contentShift) & 3] ?? null;
  const hasDigest = contentKind === 'block' || contentKind === 'list';
  if (!hasDigest) return { kind, content: contentOf(contentKind, '' as Digest, flags) };
  if (bytes.byteLength < fixedBytes + digestLength) throw damaged();
  const digest = bytes.toString('hex', fixedBytes, fixedBytes + digestLength) as Digest;
  return { kind, content: contentOf(contentKind, digest, flags) };
}

/** Of an encoded record, without the rest of it. */
export function fileIdOf(record: Buffer): FileId {
  return record.readUIntBE(15, 6);
}

function contentOf(kind: Content['kind'] | null, digest: Digest, flags: number): Content | null {
  switch (kind) {
    case null:
      return null;
    case 'empty':
      return { kind };
    case 'block':
      return { kind, digest };
    case 'list':
      return { kind, digest, cut: (flags & largeBit) === 0 ? 'small' : 'large' };
  }
}

/** The text was a SharePath when it was written; the index is ours, so it is not parsed again. */
function storedPath(bytes: Bytes): SharePath {
  const text = fromUtf8(bytes);
  if (text === undefined) throw damaged();
  return text as SharePath;
}

function damaged(): P2psyncError {
  return new P2psyncError(
    'malformed',
    'a record of the index is damaged; stop the agent, remove the directory `index` of its home and start it again: it rescans',
  );
}
