/** Entries, page sources and generators that the tests of the tree share. */
import * as fc from 'fast-check';
import type { Bytes } from '../../agent/base/bytes.ts';
import { wholeFileBytesMax } from '../../agent/base/limits.ts';
import type { TreeWrite } from '../../agent/core/build.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { Content, Edit, Entry, FileEntry, Owner } from '../../agent/core/entry.ts';
import type { PageSource } from '../../agent/core/page.ts';
import { comparePaths, pathFault, type SharePath } from '../../agent/core/path.ts';

/** Chosen so that `siteOf(6000)` has three levels and no page that is full by count. */
export const salt: Bytes = new TextEncoder().encode('salt 0');

const root: Owner = { uid: 0, gid: 0, user: 'root', group: 'root' };

/** A file whose content follows from `seed`. */
export function fileAt(path: string, seed = 1, size = 100): FileEntry {
  return {
    kind: 'file',
    path: path as SharePath,
    mode: 0o644,
    owner: root,
    mtimeUs: 1_700_000_000_000_000 + seed,
    size,
    sparse: false,
    content: contentOf(size, seed),
  };
}

function contentOf(size: number, seed: number): Content {
  if (size === 0) return { kind: 'empty' };
  const digest = digestOf(Uint8Array.of(seed & 0xff, (seed >> 8) & 0xff, (seed >> 16) & 0xff));
  return size <= wholeFileBytesMax ? { kind: 'block', digest } : { kind: 'list', digest, cut: 'small' };
}

/** Files with the paths of a web site: `site/section-007/page-0123.html`; sorted. */
export function siteOf(count: number): Entry[] {
  const entries: Entry[] = [];
  for (let index = 0; index < count; index += 1) {
    const section = String(Math.floor(index / 50)).padStart(4, '0');
    entries.push(fileAt(`site/section-${section}/page-${String(index).padStart(6, '0')}.html`, index));
  }
  return entries;
}

export function sorted(entries: Iterable<Entry>): Entry[] {
  const byPath = new Map<string, Entry>();
  for (const entry of entries) byPath.set(entry.path, entry);
  return [...byPath.values()].sort((left, right) => comparePaths(left.path, right.path));
}

export function editsOf(entries: Iterable<Entry>): Edit[] {
  return sorted(entries).map((entry) => ({ path: entry.path, entry }));
}

/** Pages of all trees written so far, counting what is read. */
export type Shelf = {
  readonly source: PageSource;
  readonly pages: Map<Digest, Bytes>;
  put(write: TreeWrite): TreeWrite;
  /** Digests read since the last call. */
  takeReads(): Digest[];
};

export function createShelf(): Shelf {
  const pages = new Map<Digest, Bytes>();
  let reads: Digest[] = [];
  return {
    pages,
    source(digest) {
      reads.push(digest);
      return pages.get(digest);
    },
    put(write) {
      for (const [digest, bytes] of write.pages) pages.set(digest, bytes);
      return write;
    },
    takeReads() {
      const taken = reads;
      reads = [];
      return taken;
    },
  };
}

// Names that sort before and after `/`, and before and after surrogates.
const unit = fc.constantFrom(
  'a',
  'b',
  'c',
  '-',
  '.',
  '0',
  'é',
  '\u{e000}',
  '\u{ffff}',
  '\u{10000}',
  '\u{1f600}',
);
const name = fc.string({ unit, minLength: 1, maxLength: 4 });

export const anyPath: fc.Arbitrary<SharePath> = fc
  .array(name, { minLength: 1, maxLength: 4 })
  .map((names) => names.join('/') as SharePath)
  .filter((path) => pathFault(path) === undefined);

/** Plain objects, as the program makes them. */
const plain = { noNullPrototype: true };

const anyOwner: fc.Arbitrary<Owner> = fc.oneof(
  fc.constant(root),
  fc.record(
    {
      uid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      gid: fc.nat(1000),
      user: fc.constantFrom('', 'www', 'jürgen'),
      group: fc.constantFrom('', 'www-data'),
    },
    plain,
  ),
);

const anyOrigin = { owner: anyOwner, mtimeUs: fc.maxSafeInteger(), mode: fc.nat(0o7777) };
const anySize = fc.oneof(fc.constantFrom(0, 1, wholeFileBytesMax, wholeFileBytesMax + 1), fc.maxSafeNat());

export const anyEntry: fc.Arbitrary<Entry> = fc.oneof(
  fc
    .record({
      ...anyOrigin,
      path: anyPath,
      size: anySize,
      seed: fc.nat(9),
      large: fc.boolean(),
      holes: fc.boolean(),
    })
    .map(({ seed, large, holes, ...rest }): Entry => {
      const content = contentOf(rest.size, seed);
      const cut = large ? 'large' : 'small';
      const sparse = holes && rest.size > 0;
      return {
        kind: 'file',
        ...rest,
        sparse,
        content: content.kind === 'list' ? { ...content, cut } : content,
      };
    }),
  fc.record({ ...anyOrigin, path: anyPath }, plain).map((rest): Entry => ({ kind: 'directory', ...rest })),
  fc
    .record(
      {
        path: anyPath,
        owner: anyOwner,
        mtimeUs: fc.maxSafeInteger(),
        target: fc.string({ unit, minLength: 1 }),
      },
      plain,
    )
    .map((rest): Entry => ({ kind: 'symlink', ...rest })),
  fc
    .tuple(anyPath, anyPath)
    .filter(([left, right]) => left !== right)
    .map(([left, right]): Entry => {
      const [target, path] = comparePaths(left, right) < 0 ? [left, right] : [right, left];
      return { kind: 'hardlink', path, target };
    }),
);

/** Sizes that a share can add up. */
export const smallEntries: fc.Arbitrary<Entry[]> = fc
  .array(anyEntry, { maxLength: 60 })
  .map((entries) => sorted(entries.filter((entry) => entry.kind !== 'file' || entry.size < 2 ** 40)));
