/**
 * Which directories can be renamed whole: those in which everything is as the index says and as the tree had it, and
 * nothing else is. Elsewhere each path is looked at on its own, so that local changes are kept aside. Reads only.
 */
import type { FoundMove } from '../core/moved.ts';
import { type DiskStat, sameStat } from '../core/stat.ts';
import type { Committer } from '../disk/commit.ts';
import type { PathRecord } from '../store/record.ts';
import type { ShareStore } from '../store/share-store.ts';
import { sameBytes } from './found.ts';

export async function movable(
  moves: readonly FoundMove[],
  ports: { readonly store: ShareStore; readonly committer: Pick<Committer, 'below'> },
): Promise<FoundMove[]> {
  const able: FoundMove[] = [];
  for (const move of moves) if (await isMovable(move, ports)) able.push(move);
  return able;
}

async function isMovable(
  move: FoundMove,
  { store, committer }: { readonly store: ShareStore; readonly committer: Pick<Committer, 'below'> },
): Promise<boolean> {
  if (store.record(move.from)?.stat.kind !== 'directory') return false;
  // What the index knows at the new name a person put there.
  if (store.record(move.to) !== undefined || store.children(move.to).length > 0) return false;
  const below = await committer.below(move);
  if (below === null || below.size !== move.entries.length) return false;
  let count = 0;
  for (const [path, record] of store.below(move.from)) {
    const entry = move.entries[count];
    count += 1;
    if (entry?.path !== path || !isUntouched(record, below.get(path))) return false;
    if (entry.kind !== record.stat.kind) return false;
    if (entry.kind === 'file' && (record.content === null || !sameBytes(record.content, entry.content)))
      return false;
  }
  return count === move.entries.length;
}

/** With another name outside the directory, ctime and the order of names are not this directory's alone. */
function isUntouched({ stat }: PathRecord, found: DiskStat | undefined): boolean {
  return found !== undefined && sameStat(stat, found) && (found.kind !== 'file' || found.nlink === 1);
}
