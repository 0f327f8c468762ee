/**
 * The list of a big file's blocks, itself cut into pages by content: an edit of the file rewrites a page a level.
 * A page has a kind byte, its level, the bytes of the file it stands for, how many records, then per record a digest and
 * how many bytes of the file that is: of a block at level 0, of a page one level below above. Canonical. Pure.
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import {
  blockBytesMax,
  fileBlocksMax,
  listKeysAverageBits,
  listKeysMax,
  listLevelsMax,
} from '../base/limits.ts';
import { createReader, createWriter } from './codec.ts';
import { type Digest, digestOf } from './digest.ts';
import type { BlockRef } from './entry.ts';
import { type PageSource, pageKinds } from './page.ts';

export type BlockList = {
  /** Top page. */
  readonly digest: Digest;
  readonly pages: ReadonlyMap<Digest, Bytes>;
  /** Sum of the blocks' lengths, bytes. */
  readonly size: number;
};

/** @param refs in the file's order, at least one. @throws {P2psyncError} limit-exceeded, where they are too many. */
export function buildBlockList(refs: Iterable<BlockRef>): BlockList {
  const pages = new Map<Digest, Bytes>();
  let level = 0;
  let records = writeLevel(level, counted(refs), pages);
  while (records.length > 1) {
    level += 1;
    if (level === listLevelsMax) throw tooMany();
    records = writeLevel(level, records, pages);
  }
  const top = records[0];
  assert(top !== undefined, 'a block list has blocks');
  return { digest: top.digest, pages, size: top.length };
}

/**
 * Blocks in the file's order. With `size` a list of another total length is malformed.
 * @throws {P2psyncError} page-missing (field `digest`), malformed, limit-exceeded.
 */
export function* iterateBlocks(
  pages: PageSource,
  digest: Digest,
  size?: number,
): Generator<BlockRef, void, void> {
  const top = readListPage(pages, digest);
  if (size !== undefined && top.size !== size)
    throw misfit(digest, `${top.size} bytes where the file has ${size}`);
  if (top.level > 0 && top.records.length < 2) throw misfit(digest, 'a top page with a single page below it');
  let count = 0;
  for (const ref of blocksOf(pages, top)) {
    count += 1;
    // A few pages that name each other's parts over and over would never end.
    if (count > fileBlocksMax) throw tooMany();
    yield ref;
  }
}

/** Level of a list page and what it names: pages one level below, or blocks at level 0. @throws as iterateBlocks. */
export function listPageReferences(bytes: Bytes): {
  readonly level: number;
  readonly pages: readonly Digest[];
  readonly blocks: readonly BlockRef[];
} {
  const { level, records } = decodeListPage(bytes);
  return level === 0
    ? { level, pages: [], blocks: records }
    : { level, pages: records.map((record) => record.digest), blocks: [] };
}

/** `size` is the sum of the records' lengths. */
type ListPage = { readonly level: number; readonly size: number; readonly records: readonly BlockRef[] };

/** Cuts one level into pages. @returns the records that the level above has of them. */
function writeLevel(level: number, records: Iterable<BlockRef>, pages: Map<Digest, Bytes>): BlockRef[] {
  const parents: BlockRef[] = [];
  let filling: BlockRef[] = [];
  let length = 0;
  const endPage = (): void => {
    const bytes = encodeListPage({ level, size: length, records: filling });
    const digest = digestOf(bytes);
    pages.set(digest, bytes);
    parents.push({ digest, length });
    filling = [];
    length = 0;
  };
  for (const record of records) {
    filling.push(record);
    length += record.length;
    if (filling.length === listKeysMax || endsPage(level, record.digest)) endPage();
  }
  if (filling.length > 0) endPage();
  return parents;
}

/** The low bits of the record's digest are zero. At the top level the cap alone ends a page, so that there is one top. */
function endsPage(level: number, digest: Digest): boolean {
  if (level === listLevelsMax - 1) return false;
  return (Number.parseInt(digest.slice(-4), 16) & ((1 << listKeysAverageBits) - 1)) === 0;
}

function encodeListPage({ level, size, records }: ListPage): Bytes {
  const writer = createWriter(16 + records.length * 40);
  writer.byte(pageKinds.list);
  writer.byte(level);
  writer.varint(size);
  writer.varint(records.length);
  for (const { digest, length } of records) {
    assert(length > 0 && (level > 0 || length <= blockBytesMax), 'a block has 1 to blockBytesMax bytes');
    writer.digest(digest);
    writer.varint(length);
  }
  return writer.finish();
}

/** @throws {P2psyncError} malformed, limit-exceeded. */
function decodeListPage(bytes: Bytes): ListPage {
  const reader = createReader(bytes, 'a block-list page');
  if (reader.byte() !== pageKinds.list)
    throw new P2psyncError('malformed', 'not a block-list page by its first byte');
  const level = reader.byte();
  if (level >= listLevelsMax) throw new P2psyncError('limit-exceeded', `a block-list page of level ${level}`);
  const size = reader.varint();
  const recordCount = reader.varint(listKeysMax);
  const records: BlockRef[] = [];
  let sum = 0;
  while (records.length < recordCount) {
    const digest = reader.digest();
    const length = reader.varint(level === 0 ? blockBytesMax : undefined);
    if (length === 0) throw new P2psyncError('malformed', 'a block-list page names something without bytes');
    sum += length;
    records.push({ digest, length });
  }
  reader.end();
  if (sum !== size || sum === 0)
    throw new P2psyncError('malformed', 'a block-list page whose lengths do not add up');
  return { level, size, records };
}

function readListPage(pages: PageSource, digest: Digest): ListPage {
  const bytes = pages(digest);
  if (bytes === undefined)
    throw new P2psyncError('page-missing', `block-list page ${digest} is not here`, { digest });
  return decodeListPage(bytes);
}

function* blocksOf(pages: PageSource, page: ListPage): Generator<BlockRef, void, void> {
  if (page.level === 0) {
    yield* page.records;
    return;
  }
  for (const { digest, length } of page.records) {
    const below = readListPage(pages, digest);
    if (below.level !== page.level - 1)
      throw misfit(digest, `level ${below.level} below level ${page.level}`);
    if (below.size !== length) throw misfit(digest, `${below.size} bytes where ${length} are due`);
    yield* blocksOf(pages, below);
  }
}

/** The writer keeps to what replicas take. */
function* counted(refs: Iterable<BlockRef>): Generator<BlockRef, void, void> {
  let count = 0;
  for (const ref of refs) {
    count += 1;
    if (count > fileBlocksMax) throw tooMany();
    yield ref;
  }
}

function tooMany(): P2psyncError {
  return new P2psyncError('limit-exceeded', 'a file of more blocks than a list can name');
}

function misfit(digest: Digest, fault: string): P2psyncError {
  return new P2psyncError('malformed', `block-list page ${digest} does not fit its place: ${fault}`, {
    digest,
  });
}
