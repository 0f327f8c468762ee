/**
 * How pages of a tree are found and checked against their place: what walkers build on. A page that is not here is
 * an error that names it; a page that does not fit its parent is malformed, whoever signed it. Pure.
 */
import { assert } from '../base/assert.ts';
import { P2psyncError } from '../base/errors.ts';
import { decodeOnce } from './decoded.ts';
import type { Digest } from './digest.ts';
import type { OldPage, OldTree } from './edit.ts';
import type { Entry } from './entry.ts';
import { type Child, countsOfPage, type InnerPage, lastKeyOf, type Page, type PageSource } from './page.ts';
import { comparePaths } from './path.ts';

/** A page and where it lies: every path in it sorts after `after`. */
export type Located<Kind extends Page = Page> = { readonly page: Kind; readonly after: string };

/** @throws {P2psyncError} page-missing, malformed, limit-exceeded, bad-path. */
export function readPage(pages: PageSource, digest: Digest): Page {
  const bytes = pages(digest);
  if (bytes === undefined)
    throw new P2psyncError('page-missing', `tree page ${digest} is not here`, { digest });
  return decodeOnce(digest, bytes);
}

/** A root is a leaf, empty only in an empty tree, or has two children at least. @throws as readPage. */
export function readRoot(pages: PageSource, root: Digest): Located {
  return placeRoot(readPage(pages, root), root);
}

/** A page that was read as the root. @throws {P2psyncError} malformed. */
export function placeRoot(page: Page, root: Digest): Located {
  if (page.kind === 'inner' && page.children.length < 2)
    throw misplaced(root, 'a root with a single page below it');
  return { page, after: '' };
}

/** Page of a parent's child, checked against what the parent says of it. @throws as readPage. */
export function readChild(pages: PageSource, parent: Located<InnerPage>, index: number): Located {
  const siblings = parent.page.children;
  const child = siblings[index];
  assert(child !== undefined, 'a page has the child that was found in it');
  return placeChild(readPage(pages, child.digest), parent, index);
}

/** A page that was read as that child. @throws {P2psyncError} malformed, where it is not what its parent says. */
export function placeChild(page: Page, parent: Located<InnerPage>, index: number): Located {
  const siblings = parent.page.children;
  const child = siblings[index];
  assert(child !== undefined, 'a page has the child that was found in it');
  const after = siblings[index - 1]?.lastKey ?? parent.after;
  const fault = placeFault(page, parent.page.level - 1, child, after);
  if (fault !== undefined) throw misplaced(child.digest, fault);
  return { page, after };
}

function placeFault(page: Page, level: number, child: Child, after: string): string | undefined {
  if (page.level !== level) return `level ${page.level} where ${level} is due`;
  const first = page.kind === 'leaf' ? page.entries[0]?.path : page.children[0]?.lastKey;
  if (first === undefined || lastKeyOf(page) !== child.lastKey) return 'another last path';
  if (comparePaths(after, first) >= 0) return 'a path of its neighbour';
  const { entries, files, bytes } = countsOfPage(page);
  const { counts } = child;
  return entries === counts.entries && files === counts.files && bytes === counts.bytes
    ? undefined
    : 'other counts';
}

function misplaced(digest: Digest, fault: string): P2psyncError {
  return new P2psyncError('malformed', `tree page ${digest} does not fit its place: ${fault}`, { digest });
}

/** Index of the first child that ends at or after the key: the one that holds it, if any does. */
export function firstChildFrom(children: readonly Child[], key: string): number {
  return lowerBound(children.length, (index) => comparePaths(children[index]?.lastKey ?? '', key) < 0);
}

function firstChildAfter(children: readonly Child[], key: string): number {
  return lowerBound(children.length, (index) => comparePaths(children[index]?.lastKey ?? '', key) <= 0);
}

export function firstEntryFrom(entries: readonly Entry[], key: string): number {
  return lowerBound(entries.length, (index) => comparePaths(entries[index]?.path ?? '', key) < 0);
}

function lowerBound(length: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Finds pages of one level by place. Keeps the inner pages it has decoded, for edits come close together. */
export function createPageFinder(pages: PageSource, rootChild: Child, rootPage: Located): OldTree {
  const inner = new Map<Digest, Located>();

  function below(parent: Located<InnerPage>, index: number, child: Child): Located {
    const located = inner.get(child.digest) ?? readChild(pages, parent, index);
    if (located.page.kind === 'inner') inner.set(child.digest, located);
    return located;
  }

  function find(level: number, indexIn: (children: readonly Child[]) => number): OldPage {
    let child = rootChild;
    let located = rootPage;
    let isLast = true;
    while (isInner(located) && located.page.level > level) {
      const siblings: readonly Child[] = located.page.children;
      const index = Math.min(indexIn(siblings), siblings.length - 1);
      child = siblings[index] ?? child;
      isLast &&= index === siblings.length - 1;
      located = below(located, index, child);
    }
    return { child, page: located.page, isLast };
  }

  return {
    pageOf: (level, key) => find(level, (children) => firstChildFrom(children, key)),
    pageAfter: (level, lastKey) => find(level, (children) => firstChildAfter(children, lastKey)),
  };
}

export type Cursor = {
  /** Goes to the first entry at or after the key; never backwards. */
  seek(key: string): void;
  entry(): Entry | undefined;
  next(): void;
};

/** Holds one page a level. @throws as readPage. */
export function createCursor(pages: PageSource, root: Digest): Cursor {
  type Step = { readonly located: Located; index: number };
  const top: Step = { located: readRoot(pages, root), index: 0 };
  const below: Step[] = [];
  let step = top;

  function descend(key: string): void {
    for (let { located } = step; isInner(located); { located } = step) {
      if (step.index >= located.page.children.length) return climb(key);
      const child = readChild(pages, located, step.index);
      step = { located: child, index: firstFrom(child.page, key) };
      below.push(step);
    }
  }

  /** From a page that is used up to the next one to its right, if there is any. */
  function climb(key: string): void {
    while (step !== top) {
      ascend();
      step.index += 1;
      if (step.index < sizeOf(step.located.page)) return descend(key);
    }
  }

  function ascend(): void {
    below.pop();
    step = below.at(-1) ?? top;
  }

  return {
    seek(key) {
      while (step !== top && comparePaths(lastKeyOf(step.located.page) ?? '', key) < 0) ascend();
      step.index = firstFrom(step.located.page, key);
      descend(key);
    },
    entry() {
      const { page } = step.located;
      return page.kind === 'leaf' ? page.entries[step.index] : undefined;
    },
    next() {
      if (step.located.page.kind === 'inner') return;
      step.index += 1;
      if (step.index >= sizeOf(step.located.page)) climb('');
    },
  };
}

export function isInner(located: Located): located is Located<InnerPage> {
  return located.page.kind === 'inner';
}

function firstFrom(page: Page, key: string): number {
  return page.kind === 'leaf' ? firstEntryFrom(page.entries, key) : firstChildFrom(page.children, key);
}

function sizeOf(page: Page): number {
  return page.kind === 'leaf' ? page.entries.length : page.children.length;
}
