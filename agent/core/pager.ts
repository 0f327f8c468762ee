/**
 * Cuts one level of a tree, fed in byte order of path, into pages. Pure; knows only the page it is filling, which
 * is all that the end of a page depends on (`boundary.ts`).
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { type Fill, type HashBoundary, isFull, weightOfChild, weightOfEntry } from './boundary.ts';
import { digestOf } from './digest.ts';
import type { Entry } from './entry.ts';
import { type Child, countsOfPage, encodePage, lastKeyOf, type Page } from './page.ts';

/** What differs between level 0 and those above. */
export type LevelKind<Item> = {
  keyOf(item: Item): string;
  /** Most bytes that an item of this key can take in a page. */
  weightOf(item: Item): number;
  pageOf(level: number, items: readonly Item[]): Page;
  itemsOf(page: Page): readonly Item[];
};

export const entryLevel: LevelKind<Entry> = {
  keyOf: (entry) => entry.path,
  weightOf: weightOfEntry,
  pageOf(level, entries) {
    assert(level === 0, 'entries lie at level 0');
    return { kind: 'leaf', level, entries };
  },
  itemsOf(page) {
    assert(page.kind === 'leaf', 'entries lie at level 0');
    return page.entries;
  },
};

export const childLevel: LevelKind<Child> = {
  keyOf: (child) => child.lastKey,
  weightOf: (child) => weightOfChild(child.lastKey),
  pageOf: (level, children) => ({ kind: 'inner', level, children }),
  itemsOf(page) {
    assert(page.kind === 'inner', 'children lie above level 0');
    return page.children;
  },
};

/** A finished page, as its parent will name it, and its bytes. */
export type WrittenPage = { readonly child: Child; readonly bytes: Bytes };

export type Pager<Item> = {
  /** `isInterior`: the key is known to lie inside a page by its hash, which is then not computed. */
  push(item: Item, isInterior: boolean): void;
  /** True where the next item starts a page. */
  isBetweenPages(): boolean;
  /** Ends the last page of the level. */
  finish(): void;
};

export type PagerOptions<Item> = {
  readonly level: number;
  readonly kind: LevelKind<Item>;
  readonly isHashBoundary: HashBoundary;
  readonly sink: (page: WrittenPage) => void;
};

export function createPager<Item>({ level, kind, isHashBoundary, sink }: PagerOptions<Item>): Pager<Item> {
  let items: Item[] = [];
  const fill: Fill = { keys: 0, weight: 0 };

  function endPage(): void {
    if (items.length === 0) return;
    const page = kind.pageOf(level, items);
    const lastKey = lastKeyOf(page);
    assert(lastKey !== undefined, 'a page that ends has a last key');
    const bytes = encodePage(page);
    sink({ child: { lastKey, digest: digestOf(bytes), counts: countsOfPage(page) }, bytes });
    items = [];
    fill.keys = 0;
    fill.weight = 0;
  }

  return {
    push(item, isInterior) {
      items.push(item);
      fill.keys += 1;
      fill.weight += kind.weightOf(item);
      if (isFull(fill) || (!isInterior && isHashBoundary(level, kind.keyOf(item)))) endPage();
    },
    isBetweenPages: () => items.length === 0,
    finish: endPage,
  };
}
