/**
 * Walks a tree from its root down to what is missing here: level by level, past every page that the applied tree
 * has too, into block lists, to the blocks. Owns what is still to be looked at; asks nobody and stores nothing.
 */
import { KIB } from '../base/limits.ts';
import { iterateBlocks, listPageReferences } from '../core/blocklist.ts';
import type { Digest } from '../core/digest.ts';
import type { BlockRef, Entry, FileEntry } from '../core/entry.ts';
import { type Child, decodePage, type InnerPage, type Page, type PageSource } from '../core/page.ts';
import { comparePaths, type SharePath } from '../core/path.ts';
import { holdsPage, iterate, lookup } from '../core/tree.ts';
import { type Located, placeChild, placeRoot } from '../core/walk.ts';
import type { Missing } from './schedule.ts';
import type { WaitingFile } from './wants.ts';

export type WalkOptions = {
  readonly pages: PageSource;
  readonly isBlockHere: (digest: Digest) => boolean;
  /** True for what is to be looked at though the applied tree has it. */
  readonly isLost: (digest: Digest) => boolean;
  /** Root of the tree that is applied here. */
  readonly from: Digest | null;
  readonly to: Digest;
  /** Paths whose content is to be looked at as well, though the applied tree has the same: as the tree that is walked has it. */
  readonly also: readonly SharePath[];
  readonly missing: (missing: Missing) => void;
  readonly assemble: (entry: FileEntry, blocks: readonly BlockRef[]) => void;
  /** This block of a changed file is here already. */
  readonly found: (digest: Digest) => void;
  readonly isFull: () => boolean;
};

export type Walk = {
  /** Looks at about `budget` entries; stops early where pages are missing or enough is wanted. @returns how many. @throws malformed, page-missing. */
  advance(budget: number): number;
  /** This page is here now. */
  arrived(digest: Digest): void;
  /** True where `advance` has something to do. */
  hasWork(): boolean;
  /** True once all pages of the tree are here. */
  hasPages(): boolean;
  isDone(): boolean;
};

/** What a page is expected to take, bytes. */
const pageBytesGuess = 16 * KIB;
/** Decoded leaves that wait to be looked at: more at a time would only take memory. */
const leavesAtOnceMax = 64;

/** A file whose block list is being fetched. */
type ListWalk = {
  readonly entry: FileEntry;
  readonly content: { digest: Digest };
  /** A page may stand for several places of the file, and is looked at once. */
  readonly seen: Set<Digest>;
  pagesLeft: number;
};
type Leaf = { readonly entries: readonly Entry[]; at: number; readonly old: OldEntries };
type Place = { readonly parent: Located<InnerPage>; readonly index: number };
type Refs = { readonly blocks: readonly BlockRef[]; at: number; readonly file: WaitingFile };
type Job =
  /** `place`: where it was found; null: it is the root. */
  | { readonly kind: 'tree'; readonly digest: Digest; readonly place: Place | null }
  | { readonly kind: 'list'; readonly digest: Digest; readonly walk: ListWalk };

export function createWalk(options: WalkOptions): Walk {
  // Changes while running.
  const jobs: Job[] = [];
  const leaves: Leaf[] = [];
  const files: Refs[] = [];
  const waiting = new Map<Digest, Job[]>();
  const listed = new Set<Digest>();
  let jobAt = 0;
  let treeJobs = 0;
  let spent = 0;

  if (options.to !== options.from) pushJob({ kind: 'tree', digest: options.to, place: null });
  /** They can be looked up once all pages of the tree are here. */
  let hasAlso = options.also.length > 0;

  function pushJob(job: Job): void {
    if (job.kind === 'tree') treeJobs += 1;
    jobs.push(job);
  }

  function nextJob(): Job | undefined {
    const job = jobs[jobAt];
    if (job === undefined) return undefined;
    jobAt += 1;
    if (jobAt >= 1024 && jobAt * 2 > jobs.length) {
      jobs.splice(0, jobAt);
      jobAt = 0;
    }
    return job;
  }

  function visit(job: Job): void {
    const bytes = options.pages(job.digest);
    if (bytes === undefined) return wait(job);
    if (job.kind === 'list') return visitList(job, bytes);
    treeJobs -= 1;
    // Looked at before anything follows from it: the writer may lie, and one page must not stand in a thousand places.
    const located = placed(decodePage(bytes), job);
    const { page } = located;
    if (page.kind === 'leaf') {
      spent += page.entries.length;
      leaves.push({ entries: page.entries, at: 0, old: oldEntriesFrom(options, page.entries[0]?.path) });
      return;
    }
    spent += page.children.length;
    for (const [index, child] of page.children.entries()) {
      if (isApplied(child, page.level - 1)) continue;
      pushJob({
        kind: 'tree',
        digest: child.digest,
        place: { parent: { page, after: located.after }, index },
      });
    }
  }

  function isAlsoDue(): boolean {
    return hasAlso && treeJobs === 0;
  }

  function pushAlso(): void {
    hasAlso = false;
    const entries = options.also.flatMap((path) => lookup(options.pages, options.to, path) ?? []);
    leaves.push({ entries, at: 0, old: noEntries });
  }

  function isApplied({ lastKey, digest }: Child, level: number): boolean {
    if (options.from === null || options.isLost(digest)) return false;
    return holdsPage(options.pages, options.from, { level, lastKey, digest });
  }

  function visitList(job: Job & { kind: 'list' }, bytes: Uint8Array): void {
    const { pages, blocks } = listPageReferences(bytes);
    const { walk } = job;
    spent += pages.length + blocks.length;
    walk.pagesLeft -= 1;
    for (const digest of pages) {
      if (walk.seen.has(digest)) continue;
      walk.seen.add(digest);
      walk.pagesLeft += 1;
      pushJob({ kind: 'list', digest, walk });
    }
    if (walk.pagesLeft === 0) finishList(walk);
  }

  function finishList({ entry, content }: ListWalk): void {
    const blocks = [...iterateBlocks(options.pages, content.digest, entry.size)];
    spent += blocks.length;
    if (blocks.some(({ digest }) => !options.isBlockHere(digest))) options.assemble(entry, blocks);
    files.push({ blocks, at: 0, file: { left: 0 } });
  }

  function wait(job: Job): void {
    const others = waiting.get(job.digest);
    if (others !== undefined) {
      others.push(job);
      return;
    }
    waiting.set(job.digest, [job]);
    const lost = options.isLost(job.digest);
    options.missing({ digest: job.digest, plane: 'page', bytes: pageBytesGuess, file: null, lost });
  }

  function advanceLeaf(leaf: Leaf): void {
    const entry = leaf.entries[leaf.at];
    leaf.at += 1;
    spent += 1;
    if (entry?.kind !== 'file' || entry.content.kind === 'empty') return;
    const { content } = entry;
    const old = leaf.old.get(entry.path);
    const isSame =
      old?.kind === 'file' && old.content.kind !== 'empty' && old.content.digest === content.digest;
    if (isSame && !options.isLost(content.digest)) return;
    if (content.kind === 'block') {
      wantUnlessHere({ digest: content.digest, length: entry.size }, { left: 0 });
    } else if (!listed.has(content.digest)) {
      listed.add(content.digest);
      pushJob({
        kind: 'list',
        digest: content.digest,
        walk: { entry, content, seen: new Set(), pagesLeft: 1 },
      });
    }
  }

  function wantUnlessHere({ digest, length }: BlockRef, file: WaitingFile): void {
    if (options.isBlockHere(digest)) return options.found(digest);
    options.missing({ digest, plane: 'block', bytes: length, file, lost: options.isLost(digest) });
  }

  function advanceFile(refs: Refs): void {
    const ref = refs.blocks[refs.at];
    refs.at += 1;
    spent += 1;
    if (ref !== undefined) wantUnlessHere(ref, refs.file);
  }

  return {
    advance(budget) {
      spent = 0;
      while (spent < budget) {
        // Pages first: what they lack must be asked for before anything else, for the walk waits on it.
        const job = leaves.length < leavesAtOnceMax ? nextJob() : undefined;
        const file = files[0];
        const leaf = leaves[0];
        if (job !== undefined) visit(job);
        else if (isAlsoDue()) pushAlso();
        else if (options.isFull()) break;
        else if (file !== undefined) {
          if (file.at < file.blocks.length) advanceFile(file);
          else files.shift();
        } else if (leaf !== undefined) {
          if (leaf.at < leaf.entries.length) advanceLeaf(leaf);
          else leaves.shift();
        } else break;
      }
      return spent;
    },
    arrived(digest) {
      const held = waiting.get(digest);
      if (held === undefined) return;
      waiting.delete(digest);
      // Its tree jobs are counted already.
      jobs.push(...held);
    },
    hasWork: () =>
      (jobAt < jobs.length && leaves.length < leavesAtOnceMax) ||
      isAlsoDue() ||
      ((files.length > 0 || leaves.length > 0) && !options.isFull()),
    hasPages: () =>
      !hasAlso && treeJobs === 0 && waiting.size === 0 && jobAt >= jobs.length && leaves.length === 0,
    isDone: () =>
      !hasAlso && jobAt >= jobs.length && waiting.size === 0 && files.length === 0 && leaves.length === 0,
  };
}

function placed(page: Page, { digest, place }: Job & { kind: 'tree' }): Located {
  return place === null ? placeRoot(page, digest) : placeChild(page, place.parent, place.index);
}

type OldEntries = { get(path: SharePath): Entry | undefined };

const noEntries: OldEntries = { get: () => undefined };

/** Entries of the applied tree, asked for in rising order of path: one pass instead of a look-up each. */
function oldEntriesFrom({ pages, from }: WalkOptions, first: SharePath | undefined): OldEntries {
  if (from === null || first === undefined) return noEntries;
  const entries = iterate(pages, from, { from: first });
  let next = entries.next();
  return {
    get(path) {
      while (next.done !== true && comparePaths(next.value.path, path) < 0) next = entries.next();
      return next.done !== true && next.value.path === path ? next.value : undefined;
    },
  };
}
