/**
 * Edits of one level of an old tree: which of its pages go, which pages come. Those are the edits of the level
 * above, for there a page is an item under its last path. Pure.
 */
import type { Bytes } from '../base/bytes.ts';
import type { HashBoundary } from './boundary.ts';
import type { Digest } from './digest.ts';
import type { Child, Page } from './page.ts';
import { createPager, type LevelKind, type WrittenPage } from './pager.ts';
import { comparePaths, type SharePath } from './path.ts';

/** What is at the key from now on, null for nothing. */
export type LevelEdit<Item> = { readonly key: SharePath; readonly item: Item | null };

/** A page of the old tree, found by its place. */
export type OldPage = { readonly child: Child; readonly page: Page; readonly isLast: boolean };

export type OldTree = {
  /** The page of this level that has the key's place; the last one where the key is beyond them all. */
  pageOf(level: number, key: string): OldPage;
  /** The page of this level that follows the one with this last path, which is not the last. */
  pageAfter(level: number, lastKey: string): OldPage;
};

export type LevelEditing<Item> = {
  readonly level: number;
  readonly kind: LevelKind<Item>;
  readonly old: OldTree;
  readonly isHashBoundary: HashBoundary;
  /** Takes the pages that come. */
  readonly pages: Map<Digest, Bytes>;
  /** Takes the pages that go. */
  readonly replaced: Digest[];
};

/** @param edits in byte order, each key once; so are those returned. */
export function editLevel<Item>(
  editing: LevelEditing<Item>,
  edits: readonly LevelEdit<Item>[],
): LevelEdit<Child>[] {
  const parentEdits: LevelEdit<Child>[] = [];
  for (let next = 0; next < edits.length; ) {
    const run = rewriteRun(editing, edits, next);
    appendDifference(editing, run, parentEdits);
    next = run.next;
  }
  return parentEdits;
}

/** Neighbouring pages of the old level, and those that take their place: the same where nothing changed. */
type Run = {
  readonly old: readonly Child[];
  readonly written: readonly WrittenPage[];
  readonly next: number;
};

/**
 * Cuts again from the start of the page that has the first edit's place. Where an old page and a new one end
 * together, all that follows is cut as before, so the run ends there.
 */
function rewriteRun<Item>(
  editing: LevelEditing<Item>,
  edits: readonly LevelEdit<Item>[],
  first: number,
): Run {
  const { level, kind, isHashBoundary, old } = editing;
  const oldChildren: Child[] = [];
  const written: WrittenPage[] = [];
  const pager = createPager({ level, kind, isHashBoundary, sink: (page) => written.push(page) });
  let next = first;
  let found = old.pageOf(level, edits[first]?.key ?? '');
  for (;;) {
    const { child, page, isLast } = found;
    oldChildren.push(child);
    const items = kind.itemsOf(page);
    for (const [index, item] of items.entries()) {
      const key = kind.keyOf(item);
      for (; isBefore(edits[next], key); next += 1) {
        const added = edits[next]?.item ?? null;
        if (added !== null) pager.push(added, false);
      }
      const edit = edits[next];
      const isEdited = edit !== undefined && edit.key === key;
      const kept = isEdited ? edit.item : item;
      if (isEdited) next += 1;
      // That the old page went on after a key tells that its hash ends nothing.
      if (kept !== null) pager.push(kept, index < items.length - 1);
    }
    if (isLast) {
      for (; next < edits.length; next += 1) {
        const added = edits[next]?.item ?? null;
        if (added !== null) pager.push(added, false);
      }
      pager.finish();
    }
    if (pager.isBetweenPages()) return { old: oldChildren, written, next };
    found = old.pageAfter(level, child.lastKey);
  }
}

function isBefore<Item>(edit: LevelEdit<Item> | undefined, key: string): edit is LevelEdit<Item> {
  return edit !== undefined && comparePaths(edit.key, key) < 0;
}

/** Both sides of a run are in byte order of last path; a page that came out as it was is no edit. */
function appendDifference<Item>(
  editing: LevelEditing<Item>,
  run: Run,
  parentEdits: LevelEdit<Child>[],
): void {
  let oldAt = 0;
  let writtenAt = 0;
  for (;;) {
    const gone = run.old[oldAt];
    const come = run.written[writtenAt];
    if (gone === undefined && come === undefined) return;
    const order =
      gone === undefined ? 1 : come === undefined ? -1 : comparePaths(gone.lastKey, come.child.lastKey);
    if (order <= 0) oldAt += 1;
    if (order >= 0) writtenAt += 1;
    if (order === 0 && gone?.digest === come?.child.digest) continue;
    if (gone !== undefined && order <= 0) {
      editing.replaced.push(gone.digest);
      if (order < 0) parentEdits.push({ key: gone.lastKey, item: null });
    }
    if (come !== undefined && order >= 0) {
      editing.pages.set(come.child.digest, come.bytes);
      parentEdits.push({ key: come.child.lastKey, item: come.child });
    }
  }
}
