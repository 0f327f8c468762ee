/**
 * Reading the tree over a share's entries: look-ups, ranges, children of a directory. Pure; `build.ts` writes it.
 * Everything here throws {P2psyncError} page-missing (field `digest`), malformed, limit-exceeded or bad-path.
 */
import type { Digest } from './digest.ts';
import type { Counts, Entry } from './entry.ts';
import { countsOfPage, type PageSource } from './page.ts';
import { comparePaths, type DirectoryPath, type SharePath, topDirectory } from './path.ts';
import { createCursor, firstChildFrom, firstEntryFrom, isInner, readChild, readRoot } from './walk.ts';

/** A page by its place: exactly this page, at this level, with this last path. */
export type PlacedPage = { readonly level: number; readonly lastKey: SharePath; readonly digest: Digest };

/** @returns the entry at exactly this path. */
export function lookup(pages: PageSource, root: Digest, path: SharePath): Entry | undefined {
  let located = readRoot(pages, root);
  while (isInner(located)) {
    const index = firstChildFrom(located.page.children, path);
    if (index === located.page.children.length) return undefined;
    located = readChild(pages, located, index);
  }
  const entries = located.page.kind === 'leaf' ? located.page.entries : [];
  const entry = entries[firstEntryFrom(entries, path)];
  return entry?.path === path ? entry : undefined;
}

/** Entries in byte order of path: those from `from` on (it included), and only what lies below `below`. */
export function* iterate(
  pages: PageSource,
  root: Digest,
  { from, below = topDirectory }: { readonly from?: SharePath; readonly below?: DirectoryPath } = {},
): Generator<Entry, void, void> {
  const start = below === topDirectory ? '' : `${below}/`;
  const end = below === topDirectory ? undefined : pastDescendants(below);
  const cursor = createCursor(pages, root);
  cursor.seek(from !== undefined && comparePaths(from, start) > 0 ? from : start);
  for (let entry = cursor.entry(); entry !== undefined; entry = cursor.entry()) {
    if (end !== undefined && comparePaths(entry.path, end) >= 0) return;
    yield entry;
    cursor.next();
  }
}

/** Entries right in the directory, in byte order of path. What lies deeper is leapt over, not read. */
export function* children(
  pages: PageSource,
  root: Digest,
  directory: DirectoryPath,
): Generator<Entry, void, void> {
  const start = directory === topDirectory ? '' : `${directory}/`;
  const cursor = createCursor(pages, root);
  cursor.seek(start);
  for (let entry = cursor.entry(); entry?.path.startsWith(start); entry = cursor.entry()) {
    const slash = entry.path.indexOf('/', start.length);
    if (slash < 0) {
      yield entry;
      cursor.next();
    } else {
      cursor.seek(pastDescendants(entry.path.slice(0, slash)));
    }
  }
}

export function countsOf(pages: PageSource, root: Digest): Counts {
  return countsOfPage(readRoot(pages, root).page);
}

/** True where exactly this page is part of the tree at `root`; reads one page a level at most. */
export function holdsPage(pages: PageSource, root: Digest, wanted: PlacedPage): boolean {
  if (root === wanted.digest) return true;
  let located = readRoot(pages, root);
  while (isInner(located) && located.page.level > wanted.level) {
    const index = firstChildFrom(located.page.children, wanted.lastKey);
    const child = located.page.children[index];
    if (child?.digest === wanted.digest) return true;
    if (child === undefined || located.page.level === wanted.level + 1) return false;
    located = readChild(pages, located, index);
  }
  return false;
}

/** The first string that sorts after every path below the directory: `0` follows `/` in ASCII. */
function pastDescendants(directory: string): string {
  return `${directory}0`;
}
