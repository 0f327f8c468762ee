/**
 * Bytes of one entry and of one key, in a page or alone. A path is written as what it shares with the one
 * before it and the rest; an owner where it first appears, then by number. Canonical: reading accepts only what
 * writing makes. Pure; knows nothing of pages. Prefix compression after LevelDB's table format.
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import {
  accountNameBytesMax,
  accountNumberMax,
  linkTargetBytesMax,
  pageKeysMax,
  pathBytesMax,
} from '../base/limits.ts';
import { createReader, createWriter, type Reader, type Writer } from './codec.ts';
import { type Content, type Entry, entryFault, type FileEntry, type Owner, sameOwner } from './entry.ts';
import { comparePaths, parsePath, pathFault, type SharePath } from './path.ts';

/** What the records before this one in a page have told. */
export type RecordContext = { path: string; readonly owners: Owner[] };

export function createContext(): RecordContext {
  return { path: '', owners: [] };
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

/** The entry sorts after the one that was written before it. */
export function writeEntry(writer: Writer, entry: Entry, context: RecordContext): void {
  assert(
    entryFault(entry) === undefined && pathFault(entry.path) === undefined,
    'an entry is valid when it is written',
  );
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
  const { owners } = context;
  const known = owners.findIndex((other) => sameOwner(other, owner));
  if (known >= 0) {
    writer.varint(known);
    return;
  }
  writer.varint(owners.length);
  writer.varint(owner.uid);
  writer.varint(owner.gid);
  writer.text(owner.user);
  writer.text(owner.group);
  owners.push(owner);
}

function readOwner(reader: Reader, context: RecordContext, path: SharePath): Owner {
  const { owners } = context;
  const number = reader.varint(pageKeysMax);
  const known = owners[number];
  if (known !== undefined) return known;
  if (number !== owners.length)
    throw malformed(path, `the owner numbered ${number} where ${owners.length} are known`);
  const uid = reader.varint(accountNumberMax);
  const gid = reader.varint(accountNumberMax);
  const user = reader.text(accountNameBytesMax);
  const group = reader.text(accountNameBytesMax);
  const owner: Owner = { uid, gid, user, group };
  if (owners.some((other) => sameOwner(other, owner)))
    throw malformed(path, 'an owner that is already numbered');
  owners.push(owner);
  return owner;
}

/** A path: bytes shared with the path before it, then the rest. It sorts after the path before it. */
export function writeKey(writer: Writer, path: SharePath, context: RecordContext): void {
  const before = context.path;
  assert(comparePaths(before, path) < 0, 'paths are written in byte order, each once');
  const units = sharedUnits(before, path);
  writer.varint(utf8Length(path, units));
  writer.text(units === 0 ? path : path.slice(units));
  context.path = path;
}

/** @throws {P2psyncError} malformed, limit-exceeded, bad-path. */
export function readKey(reader: Reader, context: RecordContext): SharePath {
  const before = context.path;
  const sharedBytes = reader.varint(pathBytesMax);
  const units = sharedBytes === 0 ? 0 : unitsOf(before, sharedBytes);
  const path = parsePath(before.slice(0, units) + reader.text(pathBytesMax));
  if (comparePaths(before, path) >= 0)
    throw malformed(path, 'a path that does not sort after the one before it');
  if (sharedUnits(before, path) !== units) throw malformed(path, 'a path that shares more than it says');
  context.path = path;
  return path;
}

/** Units of UTF-16 that both start with, whole code points only. */
function sharedUnits(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  let units = 0;
  while (units < length && left.charCodeAt(units) === right.charCodeAt(units)) units += 1;
  return units > 0 && (right.charCodeAt(units - 1) & 0xfc00) === 0xd800 ? units - 1 : units;
}

/** Bytes of UTF-8 of the first `units` units, which end with a whole code point. */
function utf8Length(text: string, units: number): number {
  let bytes = units;
  for (let at = 0; at < units; at += 1) bytes += furtherBytes(text.charCodeAt(at));
  return bytes;
}

/** @throws {P2psyncError} malformed, where the bytes do not end with a code point of the text. */
function unitsOf(text: string, bytesWanted: number): number {
  let bytes = 0;
  let units = 0;
  while (bytes < bytesWanted && units < text.length) {
    bytes += 1 + furtherBytes(text.charCodeAt(units));
    units += 1;
  }
  // Between the halves of a pair the count is even, yet there is no code point's end.
  const isSplit = units > 0 && (text.charCodeAt(units - 1) & 0xfc00) === 0xd800;
  if (bytes !== bytesWanted || isSplit) {
    throw malformed(text, `a path that shares ${bytesWanted} bytes with the one before it`);
  }
  return units;
}

/** Bytes of UTF-8 beyond the first that a unit of UTF-16 stands for; a pair's four bytes are two each. */
function furtherBytes(unit: number): number {
  if (unit < 0x80) return 0;
  return unit < 0x800 || (unit & 0xf800) === 0xd800 ? 1 : 2;
}

function malformed(path: string, fault: string): P2psyncError {
  return new P2psyncError('malformed', `${fault}, at ${JSON.stringify(path.slice(0, 200))}`, { path });
}
