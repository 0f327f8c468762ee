/** How much a publish takes away: what went and is not there under another path. Pure but for pauses. */
import { setImmediate } from 'node:timers/promises';
import { treeWalkPauseEntries } from '../base/limits.ts';
import { diffTrees } from '../core/diff.ts';
import type { Digest } from '../core/digest.ts';
import type { Entry } from '../core/entry.ts';
import type { PageSource } from '../core/page.ts';

/**
 * Entries of the first tree that the second lacks, renamed and moved ones left out: by what they hold, each once, so
 * that it does not matter in which order the disk told of them. @throws as diffTrees.
 */
export async function countRemoved(pages: PageSource, from: Digest, to: Digest): Promise<number> {
  const balance = new Map<string, number>();
  let count = 0;
  for (const { before, after } of diffTrees(pages, from, to)) {
    if (before === null && after !== null) add(balance, after, -1);
    if (before !== null && after === null) add(balance, before, 1);
    count += 1;
    if (count % treeWalkPauseEntries === 0) await setImmediate();
  }
  let removed = 0;
  for (const left of balance.values()) removed += Math.max(0, left);
  return removed;
}

function add(balance: Map<string, number>, entry: Entry, by: number): void {
  const key = substanceOf(entry);
  balance.set(key, (balance.get(key) ?? 0) + by);
}

/** What is the same of an entry under every path. */
function substanceOf(entry: Entry): string {
  switch (entry.kind) {
    case 'file':
      return entry.content.kind === 'empty' ? 'empty' : `file ${entry.content.digest} ${entry.size}`;
    case 'symlink':
      return `symlink ${entry.target}`;
    case 'directory':
    case 'hardlink':
      return entry.kind;
  }
}
