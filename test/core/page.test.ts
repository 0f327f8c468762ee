/** Entries and pages as bytes: what is written is read back, and nothing else is accepted. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AssertionFailed } from '../../agent/base/assert.ts';
import { type Bytes, equalBytes } from '../../agent/base/bytes.ts';
import { P2psyncError } from '../../agent/base/errors.ts';
import { pageBytesMax, pageKeysMax, treeLevelsMax } from '../../agent/base/limits.ts';
import { digestOf } from '../../agent/core/digest.ts';
import { type Entry, sameContent, sameEntry } from '../../agent/core/entry.ts';
import {
  type Child,
  decodePage,
  encodePage,
  type Page,
  pageKindOf,
  pageReferences,
} from '../../agent/core/page.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { decodeEntry, encodeEntry } from '../../agent/core/record.ts';
import { mutationOf } from './mutations.ts';
import { anyEntry, fileAt, siteOf, smallEntries } from './trees.ts';

function innerOf(entries: readonly Entry[]): Page {
  const children = entries.map(({ path }, index): Child => {
    return {
      lastKey: path,
      digest: digestOf(Buffer.from(path)),
      counts: { entries: index + 1, files: index, bytes: index ** 5 },
    };
  });
  return { kind: 'inner', level: 1 + (entries.length % (treeLevelsMax - 1)), children };
}

const anyPage: fc.Arbitrary<Page> = fc.oneof(
  smallEntries.map((entries): Page => ({ kind: 'leaf', level: 0, entries })),
  smallEntries.filter((entries) => entries.length > 0).map(innerOf),
);

const expected = new Set(['malformed', 'limit-exceeded', 'bad-path']);

/** Either an error that is meant, or a value with exactly these bytes. */
function checkCanonical<Value>(
  bytes: Bytes,
  decode: (bytes: Bytes) => Value,
  encode: (value: Value) => Bytes,
): boolean {
  let value: Value;
  try {
    value = decode(bytes);
  } catch (error) {
    assert.ok(error instanceof P2psyncError && expected.has(error.code), String(error));
    return false;
  }
  assert.ok(equalBytes(encode(value), bytes), 'another encoding of the same value was accepted');
  return true;
}

/** The same bytes with one text in another's place, each time it is there: what nobody can write with our own writer. */
function replaced(bytes: Bytes, from: string, to: string): Bytes {
  assert.is(from.length, to.length);
  const text = Buffer.from(bytes).toString('latin1');
  assert.ok(text.includes(from), from);
  return Buffer.from(text.replaceAll(from, to), 'latin1');
}

const refusedAs = (code: string, read: () => unknown, what: string): void =>
  assert.throws(read, (error: unknown) => error instanceof P2psyncError && error.code === code, what);

test('an entry alone comes back', () => {
  fc.assert(
    fc.property(anyEntry, (entry) => assert.equal(decodeEntry(encodeEntry(entry)), entry)),
    { numRuns: 1000 },
  );
});

test('a page comes back, whatever its kind and level', () => {
  fc.assert(
    fc.property(anyPage, (page) => assert.equal(decodePage(encodePage(page)), page)),
    { numRuns: 300 },
  );
});

test('a changed page is an error, or another page that has just these bytes', () => {
  const mutated = anyPage.chain((page) => mutationOf(encodePage(page)));
  let accepted = 0;
  fc.assert(
    fc.property(mutated, (bytes) => {
      if (checkCanonical(bytes, decodePage, encodePage)) accepted += 1;
    }),
    { numRuns: 3000 },
  );
  assert.ok(accepted > 0, 'some changes make other valid pages');
});

test('a changed entry is an error, or another entry that has just these bytes', () => {
  const mutated = anyEntry.chain((entry) => mutationOf(encodeEntry(entry)));
  fc.assert(
    fc.property(mutated, (bytes) => void checkCanonical(bytes, decodeEntry, encodeEntry)),
    { numRuns: 3000 },
  );
});

test('garbage is an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(8), fc.nat(3), (bytes, level, count) => {
      checkCanonical(bytes, decodePage, encodePage);
      checkCanonical(Uint8Array.of(0x54, level, count, ...bytes), decodePage, encodePage);
      checkCanonical(bytes, decodeEntry, encodeEntry);
    }),
    { numRuns: 3000 },
  );
});

test('a usual entry costs about seventy bytes', () => {
  const entries = siteOf(128);
  assert.ok(encodePage({ kind: 'leaf', level: 0, entries }).byteLength / 128 < 72);
});

test('a page says what it is and what it names', () => {
  const entries = siteOf(3);
  const leaf = encodePage({ kind: 'leaf', level: 0, entries });
  assert.is(pageKindOf(leaf), 'tree');
  assert.is(pageKindOf(Uint8Array.of(0)), undefined);
  assert.is(pageKindOf(new Uint8Array()), undefined);
  assert.equal(pageReferences(leaf), { level: 0, pages: [], entries });
  const inner = innerOf(entries);
  const digests = inner.kind === 'inner' ? inner.children.map((child) => child.digest) : [];
  assert.equal(pageReferences(encodePage(inner)), { level: inner.level, pages: digests, entries: [] });
});

test('counts and lengths beyond the limits are refused before anything is read', () => {
  const refused = (bytes: Bytes): void =>
    assert.throws(
      () => decodePage(bytes),
      (error: unknown) => error instanceof P2psyncError && error.code === 'limit-exceeded',
    );
  refused(new Uint8Array(pageBytesMax + 1));
  refused(Uint8Array.of(0x54, treeLevelsMax, 0));
  refused(Uint8Array.of(0x54, 0, 0x80 | ((pageKeysMax + 1) & 0x7f), (pageKeysMax + 1) >> 7));
});

test('an entry that breaks a rule is refused when it is read and a bug when it is written', () => {
  const file = fileAt('a/b');
  const { owner } = file;
  const broken: Entry[] = [
    { ...file, mode: 0o10000 },
    { ...file, size: 0 },
    { ...file, size: 2 ** 53 },
    { ...file, size: 70_000 },
    { ...file, content: { kind: 'empty' } },
    { ...file, sparse: true, size: 0, content: { kind: 'empty' } },
    { ...file, owner: { ...owner, uid: 2 ** 32 } },
    { ...file, owner: { ...owner, user: 'x'.repeat(256) } },
    { ...file, mtimeUs: 0.5 },
    { kind: 'symlink', path: file.path, owner, mtimeUs: 0, target: '' },
    { kind: 'symlink', path: file.path, owner, mtimeUs: 0, target: 'a\0b' },
    { kind: 'symlink', path: file.path, owner, mtimeUs: 0, target: 'é'.repeat(2048) },
    { kind: 'hardlink', path: file.path, target: file.path },
    { kind: 'hardlink', path: file.path, target: 'a/c' as SharePath },
    { kind: 'hardlink', path: file.path, target: '/a' as SharePath },
  ];
  for (const entry of broken) {
    assert.throws(
      () => encodeEntry(entry),
      (error: unknown) => error instanceof AssertionFailed,
      JSON.stringify(entry),
    );
  }
  const largestMode = encodeEntry({ ...file, mode: 0o7777 });
  const link = encodeEntry({ kind: 'symlink', path: file.path, owner, mtimeUs: 0, target: 'x=y' });
  const name = encodeEntry({ kind: 'hardlink', path: 'b' as SharePath, target: 'a' as SharePath });
  for (const bytes of [
    replaced(largestMode, '\xff\x1f', '\x80\x20'),
    replaced(link, 'x=y', 'x\0y'),
    replaced(name, 'a', 'b'),
    replaced(name, 'a', 'c'),
  ])
    refusedAs('malformed', () => decodeEntry(bytes), Buffer.from(bytes).toString('latin1'));
});

test('a name that climbs out is refused wherever it stands: in a page, alone, above a page, and where a link leads', () => {
  const cases = [
    ['xx/etc', '../etc'],
    ['a/xx/b', 'a/../b'],
    ['a/xx', 'a/..'],
    ['xetc', '/etc'],
    ['axxb', 'a//b'],
    ['x', '.'],
    ['axb', 'a\0b'],
    ['xp2psync/kept', '.p2psync/kept'],
  ] as const;
  for (const [honest, hostile] of cases) {
    const file = fileAt(honest);
    const leaf = encodePage({ kind: 'leaf', level: 0, entries: [file] });
    const link: Entry = { kind: 'hardlink', path: 'z' as SharePath, target: file.path };
    const read: Record<string, () => unknown> = {
      page: () => decodePage(replaced(leaf, honest, hostile)),
      entry: () => decodeEntry(replaced(encodeEntry(file), honest, hostile)),
      'page above': () => decodePage(replaced(encodePage(innerOf([file])), honest, hostile)),
      'hard link': () => decodeEntry(replaced(encodeEntry(link), honest, hostile)),
    };
    for (const [where, decode] of Object.entries(read)) refusedAs('bad-path', decode, `${where}: ${hostile}`);
  }
});

test('a name that climbs out is refused where it begins with a part of the name before it', () => {
  for (const [before, honest, rest, hostile] of [
    ['a/-', 'a/xx', 'xx', '..'],
    ['a/.-', 'a/.x', 'x', '.'],
    ['-', 'x', 'x', '.'],
    ['.p!', '.pxpsync/kept', 'xpsync', '2psync'],
  ] as const) {
    const entries = [fileAt(before), fileAt(honest)];
    const bytes = encodePage({ kind: 'leaf', level: 0, entries });
    refusedAs('bad-path', () => decodePage(replaced(bytes, rest, hostile)), honest);
  }
});

test('two entries are the same in everything that is signed, or only in content', () => {
  const file = fileAt('a');
  assert.ok(sameEntry(file, { ...file, owner: { ...file.owner } }));
  for (const other of [
    { ...file, path: 'b' as SharePath },
    { ...file, mode: 0o600 },
    { ...file, mtimeUs: 5 },
    { ...file, owner: { ...file.owner, group: 'x' } },
    { ...file, sparse: true },
  ]) {
    assert.not(sameEntry(file, other));
    assert.ok(sameContent(file, other));
  }
  assert.not(sameContent(file, fileAt('a', 2)));
  assert.not(sameContent(file, { ...file, size: 101 }));
  fc.assert(
    fc.property(anyEntry, anyEntry, (left, right) => {
      assert.ok(sameEntry(left, decodeEntry(encodeEntry(left))));
      assert.is(sameEntry(left, right), equalBytes(encodeEntry(left), encodeEntry(right)));
    }),
  );
});

test.run();
