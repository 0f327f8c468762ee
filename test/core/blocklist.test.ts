/** Block lists: pages by content, canonical bytes, one edit a page a level. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { hasCode } from '../../agent/base/errors.ts';
import { blockBytesMax, listKeysMax } from '../../agent/base/limits.ts';
import { buildBlockList, iterateBlocks, listPageReferences } from '../../agent/core/blocklist.ts';
import { createWriter } from '../../agent/core/codec.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { BlockRef } from '../../agent/core/entry.ts';
import { pageKindOf, pageKinds } from '../../agent/core/page.ts';
import { mutationOf } from './mutations.ts';

function refOf(seed: number, length = 1 + (seed % blockBytesMax)): BlockRef {
  return { digest: digestOf(new TextEncoder().encode(`block ${seed}`)), length };
}

function refsOf(count: number): BlockRef[] {
  return Array.from({ length: count }, (_, index) => refOf(index));
}

function read(pages: ReadonlyMap<Digest, Bytes>, digest: Digest, size?: number): BlockRef[] {
  return [...iterateBlocks((wanted) => pages.get(wanted), digest, size)];
}

function refuses(code: 'malformed' | 'limit-exceeded' | 'page-missing', run: () => unknown): void {
  assert.throws(run, (error: unknown) => hasCode(error, code));
}

const anyRefs = fc.array(
  fc
    .tuple(fc.nat(400), fc.integer({ min: 1, max: blockBytesMax }))
    .map(([seed, length]) => refOf(seed, length)),
  { minLength: 1, maxLength: 600 },
);

test('a list gives back its blocks in order, and their sum', () => {
  fc.assert(
    fc.property(anyRefs, (refs) => {
      const { digest, pages, size } = buildBlockList(refs);
      assert.is(
        size,
        refs.reduce((sum, ref) => sum + ref.length, 0),
      );
      assert.equal(read(pages, digest, size), refs);
    }),
  );
});

test('pages name what is below them, and say what kind they are', () => {
  const { digest, pages } = buildBlockList(refsOf(5000));
  const named = new Set([digest]);
  const blocks: BlockRef[] = [];
  for (const page of named) {
    const references = listPageReferences(pages.get(page) as Bytes);
    for (const below of references.pages) named.add(below);
    blocks.push(...references.blocks);
    assert.is(pageKindOf(pages.get(page) as Bytes), 'list');
  }
  assert.equal(named, new Set(pages.keys()));
  assert.is(blocks.length, 5000);
});

// A replaced block rewrites its page; where the old or the new block ends a page, that page joins or splits, which
// gives the level above one record more or less. Digests are random, so 3 pages a level are rarely passed.
test('one edit of a big file rewrites few pages a level', () => {
  const refs = refsOf(20_000);
  const before = buildBlockList(refs);
  let written = 0;
  for (let edit = 0; edit < 100; edit += 1) {
    const after = buildBlockList(refs.toSpliced((edit * 7919) % 20_000, edit % 3, refOf(1_000_000 + edit)));
    const fresh = [...after.pages.keys()].filter((digest) => !before.pages.has(digest));
    assert.ok(fresh.length <= 9, `${fresh.length} pages`);
    written += fresh.length;
  }
  assert.ok(written / 100 < 3.5, `${written / 100} pages an edit`);
});

test('the same block over and over ends a page by count', () => {
  const plain = refsOf(2000).find(
    ({ digest }) => Number.parseInt(digest.slice(-2), 16) % 128 !== 0,
  ) as BlockRef;
  const { digest, pages, size } = buildBlockList(Array.from({ length: 5000 }, () => plain));
  assert.is(read(pages, digest, size).length, 5000);
  const longest = Math.max(...Array.from(pages.values(), (bytes) => listPageReferences(bytes).blocks.length));
  assert.is(longest, listKeysMax);
});

test('a block that ends a page wherever it stands still makes a list with one top', () => {
  const ending = refsOf(2000).find(
    ({ digest }) => Number.parseInt(digest.slice(-2), 16) % 128 === 0,
  ) as BlockRef;
  const { digest, pages } = buildBlockList(Array.from({ length: 3000 }, () => ending));
  assert.is(read(pages, digest).length, 3000);
});

test('another size, a missing page and pages in the wrong place are refused', () => {
  const { digest, pages, size } = buildBlockList(refsOf(3000));
  refuses('malformed', () => read(pages, digest, size + 1));
  const [leaf] = [...pages.keys()];
  const lacking = new Map(pages);
  lacking.delete(leaf as Digest);
  refuses('page-missing', () => read(lacking, digest));
  // Each page in turn stands where another belongs.
  for (const [wanted] of pages) {
    for (const [, other] of [...pages].slice(0, 20)) {
      const swapped = new Map(pages).set(wanted, other);
      if (pages.get(wanted) === other) continue;
      let found: BlockRef[] = [];
      try {
        found = read(swapped, digest, size);
      } catch (error) {
        assert.ok(hasCode(error, 'malformed'), String(error));
      }
      assert.ok(found.length <= 3000);
    }
  }
});

test('a page has one encoding: garbage and changed pages are errors, or the page of their own bytes', () => {
  const pages = [...buildBlockList(refsOf(300)).pages.values()];
  const check = (bytes: Bytes): void => {
    let references: ReturnType<typeof listPageReferences>;
    try {
      references = listPageReferences(bytes);
    } catch (error) {
      assert.ok(hasCode(error, 'malformed') || hasCode(error, 'limit-exceeded'), String(error));
      return;
    }
    if (references.level === 0) assert.equal(encodeAgain(references.blocks), bytes);
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => check(Uint8Array.of(pageKinds.list, ...bytes))),
  );
  fc.assert(fc.property(fc.constantFrom(...pages).chain(mutationOf), check), { numRuns: 500 });
});

function encodeAgain(blocks: readonly BlockRef[]): Bytes {
  const writer = createWriter();
  writer.byte(pageKinds.list);
  writer.byte(0);
  writer.varint(blocks.reduce((sum, block) => sum + block.length, 0));
  writer.varint(blocks.length);
  for (const { digest, length } of blocks) {
    writer.digest(digest);
    writer.varint(length);
  }
  return writer.finish();
}

test('a record without bytes, a block too long and a count beyond the limit are refused', () => {
  const page = (count: number, length: number): Bytes => {
    const writer = createWriter();
    writer.raw(Uint8Array.of(pageKinds.list, 0));
    writer.varint(length);
    writer.varint(count);
    writer.digest(refOf(1).digest);
    writer.varint(length);
    return writer.finish();
  };
  assert.is(listPageReferences(page(1, 5)).blocks.length, 1);
  refuses('malformed', () => listPageReferences(page(1, 0)));
  refuses('limit-exceeded', () => listPageReferences(page(1, blockBytesMax + 1)));
  refuses('limit-exceeded', () => listPageReferences(page(listKeysMax + 1, 5)));
});

test.run();
