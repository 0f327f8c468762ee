/** The frozen bytes of entries, pages and trees: what other versions and other programs rely on. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bytes, fromHex, toHex } from '../../agent/base/bytes.ts';
import { createHashBoundary } from '../../agent/core/boundary.ts';
import { buildTree } from '../../agent/core/build.ts';
import type { Counts, Entry } from '../../agent/core/entry.ts';
import { decodePage, encodePage } from '../../agent/core/page.ts';
import { decodeEntry, encodeEntry } from '../../agent/core/record.ts';
import { siteOf } from './trees.ts';

type Vectors = {
  readonly salt: string;
  readonly entries: readonly { readonly entry: Entry; readonly bytes: string }[];
  readonly leaf: string;
  readonly root: string;
  readonly ends: readonly { readonly level: number; readonly key: string }[];
  readonly sites: readonly {
    readonly files: number;
    readonly root: string;
    readonly levels: number;
    readonly pages: number;
    readonly counts: Counts;
  }[];
};

const vectors = JSON.parse(readFileSync(new URL('../vectors/tree.json', import.meta.url), 'utf8')) as Vectors;
const salt = bytesOf(vectors.salt);

function bytesOf(hex: string): Bytes {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new Error(`not hex: ${hex}`);
  return bytes;
}

test('each entry has its bytes', () => {
  assert.is(vectors.entries.length, 8);
  for (const { entry, bytes } of vectors.entries) {
    assert.is(toHex(encodeEntry(entry)), bytes, entry.path);
    assert.equal(decodeEntry(bytesOf(bytes)), entry);
  }
});

test('their page has its bytes and its digest', () => {
  const entries = vectors.entries.map(({ entry }) => entry);
  assert.is(toHex(encodePage({ kind: 'leaf', level: 0, entries })), vectors.leaf);
  assert.equal(decodePage(bytesOf(vectors.leaf)), { kind: 'leaf', level: 0, entries });
  assert.is(buildTree(entries, salt).root, vectors.root);
});

test('pages end after their keys', () => {
  const isHashBoundary = createHashBoundary(salt);
  const ends = siteOf(2000).flatMap(({ path }) =>
    [0, 1, 2].filter((level) => isHashBoundary(level, path)).map((level) => ({ level, key: path })),
  );
  assert.ok(vectors.ends.length > 5);
  assert.equal(ends.slice(0, vectors.ends.length), vectors.ends);
});

test('whole trees have their roots', () => {
  for (const { files, root, levels, pages, counts } of vectors.sites) {
    const built = buildTree(siteOf(files), salt);
    assert.equal(
      { root: built.root as string, levels: built.levels, pages: built.pages.size, counts: built.counts },
      { root, levels, pages, counts },
    );
  }
});

test.run();
