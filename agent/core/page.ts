/**
 * Pages of the tree and their bytes: one kind byte, the level, how many records, then the records in byte order
 * of path. Canonical and bounded. Pure; does not decide where a page ends (`boundary.ts`), nor walks (`tree.ts`).
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { pageBytesMax, pageKeysMax, treeLevelsMax } from '../base/limits.ts';
import { createReader, createWriter, type Reader } from './codec.ts';
import type { Digest } from './digest.ts';
import type { Counts, Entry } from './entry.ts';
import type { SharePath } from './path.ts';
import { createContext, type RecordContext, readEntry, readKey, writeEntry, writeKey } from './record.ts';

/** Encoded page of a digest, verified when it was stored; undefined where it is not here. */
export type PageSource = (digest: Digest) => Bytes | undefined;

/** What an inner page knows of a page below it. */
export type Child = { readonly lastKey: SharePath; readonly digest: Digest; readonly counts: Counts };

export type LeafPage = { readonly kind: 'leaf'; readonly level: 0; readonly entries: readonly Entry[] };
export type InnerPage = {
  readonly kind: 'inner';
  readonly level: number;
  readonly children: readonly Child[];
};

/** Level 0 holds entries, those above hold the pages one level below; both in byte order of path. */
export type Page = LeafPage | InnerPage;

/** First bytes of what is sent and stored as a page. */
export const pageKinds = { tree: 0x54, list: 0x4c } as const;

/** What kind of page the bytes claim to be. */
export function pageKindOf(bytes: Bytes): 'tree' | 'list' | undefined {
  if (bytes[0] === pageKinds.tree) return 'tree';
  return bytes[0] === pageKinds.list ? 'list' : undefined;
}

export function encodePage(page: Page): Bytes {
  const records = page.kind === 'leaf' ? page.entries : page.children;
  assert(records.length <= pageKeysMax, 'a page has at most pageKeysMax records');
  const writer = createWriter(8192);
  writer.byte(pageKinds.tree);
  writer.byte(page.level);
  writer.varint(records.length);
  const context = createContext();
  if (page.kind === 'leaf') {
    for (const entry of page.entries) writeEntry(writer, entry, context);
  } else {
    assert(
      page.level > 0 && page.level < treeLevelsMax && page.children.length > 0,
      'an inner page has children',
    );
    for (const child of page.children) {
      writeKey(writer, child.lastKey, context);
      writer.digest(child.digest);
      writer.varint(child.counts.entries);
      writer.varint(child.counts.files);
      writer.varint(child.counts.bytes);
    }
  }
  const bytes = writer.finish();
  assert(bytes.byteLength <= pageBytesMax, 'a page ends before its bytes pass pageBytesMax');
  return bytes;
}

/** @throws {P2psyncError} malformed, limit-exceeded, bad-path. */
export function decodePage(bytes: Bytes): Page {
  if (bytes.byteLength > pageBytesMax) {
    throw new P2psyncError(
      'limit-exceeded',
      `a tree page of ${bytes.byteLength} bytes, at most ${pageBytesMax} are allowed`,
    );
  }
  const reader = createReader(bytes, 'a tree page');
  if (reader.byte() !== pageKinds.tree)
    throw new P2psyncError('malformed', 'not a tree page by its first byte');
  const level = reader.byte();
  if (level >= treeLevelsMax) throw new P2psyncError('limit-exceeded', `a tree page of level ${level}`);
  const recordCount = reader.varint(pageKeysMax);
  const context = createContext();
  const page: Page =
    level === 0
      ? { kind: 'leaf', level, entries: readMany(recordCount, () => readEntry(reader, context)) }
      : { kind: 'inner', level, children: readMany(recordCount, () => readChild(reader, context)) };
  reader.end();
  if (page.kind === 'inner' && recordCount === 0)
    throw new P2psyncError('malformed', 'an inner page without children');
  return page;
}

/** Level of a page and what it names: pages one level below, or entries at level 0. @throws as decodePage. */
export function pageReferences(bytes: Bytes): {
  readonly level: number;
  readonly pages: readonly Digest[];
  readonly entries: readonly Entry[];
} {
  const page = decodePage(bytes);
  return page.kind === 'leaf'
    ? { level: 0, pages: [], entries: page.entries }
    : { level: page.level, pages: page.children.map((child) => child.digest), entries: [] };
}

export function countsOfPage(page: Page): Counts {
  let entries = 0;
  let files = 0;
  let bytes = 0;
  if (page.kind === 'leaf') {
    entries = page.entries.length;
    for (const entry of page.entries) {
      if (entry.kind !== 'file') continue;
      files += 1;
      bytes += entry.size;
    }
  } else {
    for (const { counts } of page.children) {
      entries += counts.entries;
      files += counts.files;
      bytes += counts.bytes;
    }
  }
  if (!Number.isSafeInteger(entries) || !Number.isSafeInteger(bytes)) {
    throw new P2psyncError('limit-exceeded', 'the files of a share add up to more than 2^53 - 1 bytes');
  }
  return { entries, files, bytes };
}

/** Path of the last record; undefined only for the leaf of an empty tree. */
export function lastKeyOf(page: Page): SharePath | undefined {
  return page.kind === 'leaf' ? page.entries.at(-1)?.path : page.children.at(-1)?.lastKey;
}

function readChild(reader: Reader, context: RecordContext): Child {
  const lastKey = readKey(reader, context);
  const digest = reader.digest();
  const counts = { entries: reader.varint(), files: reader.varint(), bytes: reader.varint() };
  if (counts.entries === 0 || counts.files > counts.entries) {
    throw new P2psyncError('malformed', 'a page below has counts that no page has', { lastKey });
  }
  return { lastKey, digest, counts };
}

/** The count was checked against its limit, and each record takes bytes that are there. */
function readMany<Item>(count: number, read: () => Item): Item[] {
  const items: Item[] = [];
  while (items.length < count) items.push(read());
  return items;
}
