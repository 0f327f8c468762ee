/**
 * Writing trees: from all entries, or from an old tree and edits. One set of entries has one root, whatever the
 * order and the batches it came in. Pure: returns the new pages, stores nothing. After Auvolat & Taïani 2019
 * (Merkle search trees) and the prolly trees of Noms.
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { treeLevelsMax } from '../base/limits.ts';
import { createHashBoundary, type HashBoundary } from './boundary.ts';
import { type Digest, digestOf } from './digest.ts';
import { editLevel, type LevelEdit } from './edit.ts';
import type { Counts, Edit, Entry } from './entry.ts';
import { type Child, countsOfPage, encodePage, lastKeyOf, type PageSource } from './page.ts';
import { childLevel, createPager, entryLevel, type WrittenPage } from './pager.ts';
import { comparePaths } from './path.ts';
import { iterate } from './tree.ts';
import { createPageFinder, readPage, readRoot } from './walk.ts';

export type TreeWrite = {
  readonly root: Digest;
  /** Encoded pages that the old tree did not have. */
  readonly pages: ReadonlyMap<Digest, Bytes>;
  /** Pages of the old tree that the new one does not have. */
  readonly replaced: readonly Digest[];
  readonly counts: Counts;
  readonly levels: number;
};

/** One leaf without entries. */
export function emptyTree(): TreeWrite {
  const bytes = encodePage({ kind: 'leaf', level: 0, entries: [] });
  const root = digestOf(bytes);
  return {
    root,
    pages: new Map([[root, bytes]]),
    replaced: [],
    counts: { entries: 0, files: 0, bytes: 0 },
    levels: 1,
  };
}

/**
 * @param entries in byte order of path, each path once.
 * @throws {P2psyncError} limit-exceeded, where sizes add up beyond 2^53 - 1.
 */
export function buildTree(entries: Iterable<Entry>, salt: Bytes): TreeWrite {
  const isHashBoundary = createHashBoundary(salt);
  const draft = createDraft();
  const leaves: Child[] = [];
  const pager = createPager({ level: 0, kind: entryLevel, isHashBoundary, sink: writeInto(draft, leaves) });
  for (const entry of entries) pager.push(entry, false);
  pager.finish();
  return leaves.length === 0
    ? emptyTree()
    : treeWrite(draft, joinUp(draft, { children: leaves, level: 0 }, isHashBoundary));
}

/**
 * The tree at `root` with the edits: the same as `buildTree` of the same entries, reading and writing only the
 * pages that the edits concern. An edit that changes nothing is none.
 * @param edits in byte order of path, each path once.
 * @throws {P2psyncError} page-missing, malformed, limit-exceeded.
 */
export function updateTree(pages: PageSource, root: Digest, edits: readonly Edit[], salt: Bytes): TreeWrite {
  assertSorted(edits);
  const located = readRoot(pages, root);
  const rootPage = located.page;
  const rootKey = lastKeyOf(rootPage);
  if (rootKey === undefined) return fillEmpty(root, edits, salt);
  const rootChild: Child = { lastKey: rootKey, digest: root, counts: countsOfPage(rootPage) };
  const isHashBoundary = createHashBoundary(salt);
  const draft = createDraft();
  const old = createPageFinder(pages, rootChild, located);

  const entryEdits = edits.map(({ path, entry }) => ({ key: path, item: entry }));
  let childEdits = editLevel({ level: 0, kind: entryLevel, old, isHashBoundary, ...draft }, entryEdits);
  for (let level = 1; level <= rootPage.level && childEdits.length > 0; level += 1) {
    childEdits = editLevel({ level, kind: childLevel, old, isHashBoundary, ...draft }, childEdits);
  }

  const tops = topsAfter(rootChild, childEdits);
  if (tops.length === 0) return { ...emptyTree(), replaced: draft.replaced };
  const top = joinUp(draft, { children: tops, level: rootPage.level }, isHashBoundary);
  return treeWrite(draft, dropSingles(pages, draft, top));
}

/** Reads all pages. @throws {P2psyncError} malformed, where the entries would make another tree. */
export function checkTree(pages: PageSource, root: Digest, salt: Bytes): void {
  const built = buildTree(iterate(pages, root), salt);
  if (built.root !== root)
    throw new P2psyncError('malformed', `tree ${root} should be ${built.root}`, { root });
}

function assertSorted(edits: readonly Edit[]): void {
  for (const [index, edit] of edits.entries()) {
    const before = edits[index - 1];
    assert(
      before === undefined || comparePaths(before.path, edit.path) < 0,
      'edits come in byte order, each path once',
    );
    assert(edit.entry === null || edit.entry.path === edit.path, 'an edit is of the path of its entry');
  }
}

function fillEmpty(root: Digest, edits: readonly Edit[], salt: Bytes): TreeWrite {
  const entries = edits.flatMap(({ entry }) => (entry === null ? [] : [entry]));
  const built = buildTree(entries, salt);
  return built.root === root ? { ...built, pages: new Map() } : { ...built, replaced: [root] };
}

/** The old root is the one page of its level: what the edits make of it is that whole level. */
function topsAfter(root: Child, edits: readonly LevelEdit<Child>[]): Child[] {
  const tops = edits.some(({ key }) => key === root.lastKey) ? [] : [root];
  for (const { item } of edits) if (item !== null) tops.push(item);
  return tops;
}

/** Pages written and pages given up while one tree is made. */
type Draft = { readonly pages: Map<Digest, Bytes>; readonly replaced: Digest[] };

function createDraft(): Draft {
  return { pages: new Map(), replaced: [] };
}

function writeInto(draft: Draft, children: Child[]): (page: WrittenPage) => void {
  return ({ child, bytes }) => {
    draft.pages.set(child.digest, bytes);
    children.push(child);
  };
}

/** All pages of one level. */
type Level = { readonly children: readonly Child[]; readonly level: number };
type Top = { readonly child: Child; readonly level: number };

/** Puts levels on top until one page remains. */
function joinUp(draft: Draft, lowest: Level, isHashBoundary: HashBoundary): Top {
  let { children, level } = lowest;
  while (children.length > 1) {
    level += 1;
    if (level >= treeLevelsMax) {
      throw new P2psyncError(
        'limit-exceeded',
        `a tree of more than ${treeLevelsMax} levels: split the share`,
      );
    }
    const parents: Child[] = [];
    const pager = createPager({ level, kind: childLevel, isHashBoundary, sink: writeInto(draft, parents) });
    for (const child of children) pager.push(child, false);
    pager.finish();
    children = parents;
  }
  const child = children[0];
  assert(child !== undefined, 'a level has a page');
  return { child, level };
}

/** The root is the lowest page that has everything below it: pages above it with a single child go. */
function dropSingles(pages: PageSource, draft: Draft, top: Top): Top {
  let { child, level } = top;
  for (; level > 0; level -= 1) {
    const page = readPage((digest) => draft.pages.get(digest) ?? pages(digest), child.digest);
    const only = page.kind === 'inner' && page.children.length === 1 ? page.children[0] : undefined;
    if (only === undefined) break;
    if (!draft.pages.delete(child.digest)) draft.replaced.push(child.digest);
    child = only;
  }
  return { child, level };
}

function treeWrite(draft: Draft, { child, level }: Top): TreeWrite {
  return {
    root: child.digest,
    pages: draft.pages,
    replaced: draft.replaced,
    counts: child.counts,
    levels: level + 1,
  };
}
