/**
 * Bytes of one entry and of one key, in a page or alone. A path is written as what it shares with the one
 * before it and the rest; an owner where it first appears, then by number. Canonical: reading accepts only what
 * writing makes. Pure; knows nothing of pages. Prefix compression after LevelDB's table format.
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { accountNameBytesMax, accountNumberMax, linkTargetBytesMax, pathBytesMax } from '../base/limits.ts';
import { createReader, createWriter, type Reader, strictUtf8, type Writer } from './codec.ts';
import {
  type Content,
  type Entry,
  entryFault,
  type FileEntry,
  type Owner,
  ownerFault,
  sameOwner,
} from './entry.ts';
import { parsePath, type SharePath } from './path.ts';

/** What the records before this one in a page have told. */
export type RecordContext = {
  /** UTF-8 of the last path, the first `keyBytes` of it. */
  key: Buffer;
  keyBytes: number;
  /** Room for the next path; the two change places. */
  spare: Buffer;
  readonly owners: Owner[];
};

export function createContext(): RecordContext {
  return { key: Buffer.allocUnsafe(256), keyBytes: 0, spare: Buffer.allocUnsafe(256), owners: [] };
}

/** One entry alone, as inline operations carry it. */
export function encodeEntry(entry: Entry): Bytes {
  const writer = createWriter(128);
  writeEntry(writer, entry, createContext());
  return writer.finish();
}

/** @throws {P2psyncError} malformed, limit-exceeded, bad-path. */
export function decodeEntry(bytes: Bytes): Entry {
  const reader = createReader(bytes, 'an entry');
  const entry = readEntry(reader, createContext());
  reader.end();
  return entry;
}

// The first byte: kind in bits 0 and 1, a file's content in bits 2 and 3, its holes in bit 4.
const kinds = ['file', 'directory', 'symlink', 'hardlink'] as const;
const contents = ['empty', 'block', 'small', 'large'] as const;
const contentShift = 2;
const sparseBit = 0x10;

const slash = 0x2f;

/** The entry sorts after the one that was written before it. */
export function writeEntry(writer: Writer, entry: Entry, context: RecordContext): void {
  assert(entryFault(entry) === undefined, 'an entry is valid when it is written');
  writer.byte(tagOf(entry));
  writeKey(writer, entry.path, context);
  if (entry.kind === 'hardlink') {
    writer.text(entry.target);
    return;
  }
  writeOwner(writer, entry.owner, context);
  writer.zigzag(entry.mtimeUs);
  if (entry.kind === 'symlink') {
    writer.text(entry.target);
    return;
  }
  writer.varint(entry.mode);
  if (entry.kind === 'file' && entry.content.kind !== 'empty') {
    writer.varint(entry.size);
    writer.digest(entry.content.digest);
  }
}

/** @throws {P2psyncError} malformed, limit-exceeded, bad-path. */
export function readEntry(reader: Reader, context: RecordContext): Entry {
  const tag = reader.byte();
  const path = readKey(reader, context);
  const entry = readRest(reader, context, tag, path);
  if (tagOf(entry) !== tag) throw malformed(path, `an entry with the unknown first byte ${tag}`);
  const fault = entryFault(entry);
  if (fault !== undefined) throw malformed(path, fault);
  return entry;
}

function readRest(reader: Reader, context: RecordContext, tag: number, path: SharePath): Entry {
  const kind = kinds[tag & 3] ?? 'file';
  if (kind === 'hardlink') return { kind, path, target: parsePath(reader.text(pathBytesMax)) };
  const owner = readOwner(reader, context, path);
  const mtimeUs = reader.zigzag();
  if (kind === 'symlink') return { kind, path, owner, mtimeUs, target: reader.text(linkTargetBytesMax) };
  const mode = reader.varint();
  if (kind === 'directory') return { kind, path, mode, owner, mtimeUs };
  const isEmpty = contents[(tag >> contentShift) & 3] === 'empty';
  const size = isEmpty ? 0 : reader.varint();
  const content = isEmpty ? noContent : readContent(reader, tag);
  return { kind, path, mode, owner, mtimeUs, size, sparse: (tag & sparseBit) !== 0, content };
}

const noContent: Content = { kind: 'empty' };

function readContent(reader: Reader, tag: number): Content {
  const digest = reader.digest();
  const content = contents[(tag >> contentShift) & 3];
  return content === 'small' || content === 'large'
    ? { kind: 'list', digest, cut: content }
    : { kind: 'block', digest };
}

function tagOf(entry: Entry): number {
  switch (entry.kind) {
    case 'file':
      return (entry.sparse ? sparseBit : 0) | (contentNumber(entry) << contentShift);
    case 'directory':
      return 1;
    case 'symlink':
      return 2;
    case 'hardlink':
      return 3;
  }
}

function contentNumber(entry: FileEntry): number {
  if (entry.content.kind === 'list') return entry.content.cut === 'small' ? 2 : 3;
  return entry.content.kind === 'block' ? 1 : 0;
}

function writeOwner(writer: Writer, owner: Owner, context: RecordContext): void {
  const known = numberOf(owner, context.owners);
  writer.varint(known);
  if (known < context.owners.length) return;
  assert(ownerFault(owner) === undefined, 'an owner is valid when it is written');
  writer.varint(owner.uid);
  writer.varint(owner.gid);
  writer.text(owner.user);
  writer.text(owner.group);
  context.owners.push(owner);
}

function readOwner(reader: Reader, context: RecordContext, path: SharePath): Owner {
  const { owners } = context;
  const number = reader.varint(owners.length);
  const known = owners[number];
  if (known !== undefined) return known;
  const uid = reader.varint(accountNumberMax);
  const gid = reader.varint(accountNumberMax);
  const user = reader.text(accountNameBytesMax);
  const group = reader.text(accountNameBytesMax);
  const owner: Owner = { uid, gid, user, group };
  const fault = ownerFault(owner);
  if (fault !== undefined) throw malformed(path, fault);
  if (numberOf(owner, owners) < owners.length) throw malformed(path, 'an owner that is already numbered');
  owners.push(owner);
  return owner;
}

/** The next free number for an owner that has none. */
function numberOf(owner: Owner, owners: readonly Owner[]): number {
  let number = 0;
  for (const other of owners) {
    if (sameOwner(other, owner)) return number;
    number += 1;
  }
  return number;
}

/** A path: how many bytes of UTF-8 it shares with the path before it, then the rest. It sorts after that path. */
export function writeKey(writer: Writer, path: SharePath, context: RecordContext): void {
  const { key, keyBytes } = context;
  const room = path.length * 3;
  const next = context.spare.byteLength < room ? Buffer.allocUnsafe(room * 2) : context.spare;
  const nextBytes = next.write(path);
  const most = Math.min(keyBytes, nextBytes);
  let shared = 0;
  while (shared < most && key[shared] === next[shared]) shared += 1;
  assert(
    shared < nextBytes && isAfter(key, keyBytes, shared, next[shared]),
    'paths come in byte order, each once',
  );
  writer.varint(shared);
  writer.bytes(next.subarray(shared, nextBytes));
  context.key = next;
  context.keyBytes = nextBytes;
  context.spare = key;
}

/** @throws {P2psyncError} malformed, limit-exceeded, bad-path. */
export function readKey(reader: Reader, context: RecordContext): SharePath {
  const { keyBytes } = context;
  const shared = reader.varint(keyBytes);
  const restBytes = reader.varint(pathBytesMax - shared);
  const length = shared + restBytes;
  if (context.key.byteLength < length) context.key = Buffer.concat([context.key], length * 2);
  const { key } = context;
  const replaced = key[shared] ?? 0;
  reader.into(key, shared, restBytes);
  const text = strictUtf8(key, 0, length);
  if (text === undefined) throw malformed(key.toString('utf8', 0, length), 'a path that is not UTF-8');
  // Bytes are units only in ASCII; else the whole path is checked.
  const path = parsePath(text, text.length === length ? nameStart(key, shared) : 0);
  // The first byte that is not shared tells both that the path sorts after and that it shares no more.
  const isNext = restBytes > 0 && (shared === keyBytes || replaced < (key[shared] ?? 0));
  if (!isNext) throw malformed(path, 'a path that does not follow from the one before it');
  context.keyBytes = length;
  return path;
}

/** Where the name starts that has the byte before `end`; the names before it are whole. */
function nameStart(key: Buffer, end: number): number {
  return end === 0 ? 0 : key.lastIndexOf(slash, end - 1) + 1;
}

/** True where a path sorts after the key with which it shares `shared` bytes and which it follows with `unit`. */
function isAfter(key: Buffer, keyBytes: number, shared: number, unit: number | undefined): boolean {
  return shared === keyBytes || (key[shared] ?? 0) < (unit ?? 0);
}

function malformed(path: string, fault: string): P2psyncError {
  return new P2psyncError('malformed', `${fault}, at ${JSON.stringify(path.slice(0, 200))}`, { path });
}
