/** What the store tests share: records made up, and a plain map that says what the store should answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { utf8 } from '../../agent/base/bytes.ts';
import { buildBlockList } from '../../agent/core/blocklist.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { BlockRef, Content } from '../../agent/core/entry.ts';
import type { ShareId } from '../../agent/core/keys.ts';
import type { SharePath } from '../../agent/core/path.ts';
import type { DiskStat } from '../../agent/core/stat.ts';
import { openStore } from '../../agent/store/database.ts';
import type { IndexEdit, PathRecord, ShareStore } from '../../agent/store/share-store.ts';

export const share = '00112233445566778899aabbccddeeff' as ShareId;

export function statOf(fields: Partial<DiskStat> = {}): DiskStat {
  return {
    kind: 'file',
    dev: 2049n,
    ino: 77n,
    nlink: 1,
    mode: 0o644,
    uid: 1000,
    gid: 33,
    size: 10,
    allocated: 4096,
    mtimeNs: 1_700_000_000_123_456_789n,
    ctimeNs: 1_700_000_000_223_456_789n,
    ...fields,
  };
}

export function blockNamed(name: string): Digest {
  return digestOf(utf8(name));
}

export type MadeContent = {
  readonly content: Content;
  readonly size: number;
  readonly blocks: readonly BlockRef[];
  readonly pages: ReadonlyMap<Digest, Bytes>;
};

/** Content made of blocks of these names, each of 10 bytes for every letter. */
export function contentOf(names: readonly string[]): MadeContent {
  const blocks = names.map((name) => ({ digest: blockNamed(name), length: name.length * 10 }));
  const size = blocks.reduce((sum, { length }) => sum + length, 0);
  const [first] = blocks;
  if (first === undefined) return { content: { kind: 'empty' }, size, blocks, pages: new Map() };
  if (blocks.length === 1)
    return { content: { kind: 'block', digest: first.digest }, size, blocks, pages: new Map() };
  const { digest, pages } = buildBlockList(blocks);
  return { content: { kind: 'list', digest, cut: 'small' }, size, blocks, pages };
}

export function fileRecord(made: MadeContent, fields: Partial<DiskStat> = {}): PathRecord {
  return { stat: statOf({ size: made.size, ...fields }), content: made.content };
}

export function directoryRecord(): PathRecord {
  return { stat: statOf({ kind: 'directory', mode: 0o755, size: 4096 }), content: null };
}

export function edit(path: string, record: PathRecord | null): IndexEdit {
  return { path: path as SharePath, record };
}

export async function withStore(
  check: (store: ShareStore, directory: string) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'p2psync-store-'));
  const store = openStore(directory);
  try {
    await check(store.share(share), directory);
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

export const at = (path: string): SharePath => path as SharePath;

export function placesOf(store: ShareStore, name: string): string[] {
  const locations = store.locations(blockNamed(name));
  assert.equal(store.location(blockNamed(name)), locations[0]);
  return locations.map(({ path, offset, length }) => `${path}@${offset}+${length}`);
}
