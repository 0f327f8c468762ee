/**
 * Drops tree and list pages that no tree in use needs any more. Marks from the roots, in slices, then drops
 * what was there before the marking began and was not marked. Never runs while a walk may count on a page.
 */
import { setImmediate } from 'node:timers/promises';
import { sweepSlicePages } from '../base/limits.ts';
import { listPageReferences } from '../core/blocklist.ts';
import type { Digest } from '../core/digest.ts';
import { pageKindOf, pageReferences } from '../core/page.ts';
import type { ShareStore } from '../store/share-store.ts';

export type SweepPorts = {
  readonly store: ShareStore;
  /** Of every tree that is in use or may be asked for. */
  readonly roots: () => readonly Digest[];
  /** Runs the work while nothing else reads or adds pages; false: not now. */
  readonly exclusively: (work: () => Promise<void>) => Promise<boolean>;
  readonly signal: AbortSignal;
};

/** @returns how many pages were dropped; null where it was not the time for it. */
export async function sweepPages(ports: SweepPorts): Promise<number | null> {
  const { store, signal } = ports;
  const candidates: Digest[] = [];
  for (const digest of store.pageDigests()) {
    candidates.push(digest);
    if (candidates.length % sweepSlicePages === 0) await setImmediate();
  }
  const marked = new Set<Digest>();
  await mark(store, ports.roots(), marked, signal);
  let dropped: number | null = null;
  await ports.exclusively(async () => {
    // Trees that came meanwhile share nearly all of their pages with those that are marked.
    await mark(store, ports.roots(), marked, signal);
    const garbage = candidates.filter((digest) => !marked.has(digest));
    if (garbage.length > 0) await store.write({ dropPages: garbage });
    dropped = garbage.length;
  });
  return dropped;
}

async function mark(
  store: ShareStore,
  roots: readonly Digest[],
  marked: Set<Digest>,
  signal: AbortSignal,
): Promise<void> {
  const pending = roots.filter((root) => !marked.has(root));
  for (let digest = pending.pop(); digest !== undefined; digest = pending.pop()) {
    if (marked.has(digest)) continue;
    marked.add(digest);
    for (const below of referencesOf(store, digest)) if (!marked.has(below)) pending.push(below);
    if (marked.size % sweepSlicePages === 0) {
      signal.throwIfAborted();
      await setImmediate();
    }
  }
}

/** A tree that is being walked has pages that are not here yet. */
function referencesOf(store: ShareStore, digest: Digest): readonly Digest[] {
  const bytes = store.page(digest);
  if (bytes === undefined) return [];
  if (pageKindOf(bytes) === 'list') return listPageReferences(bytes).pages;
  const { pages, entries } = pageReferences(bytes);
  const lists = entries.flatMap((entry) =>
    entry.kind === 'file' && entry.content.kind === 'list' ? [entry.content.digest] : [],
  );
  return [...pages, ...lists];
}
