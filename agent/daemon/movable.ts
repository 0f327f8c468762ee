/**
 * Which directories can be renamed whole: those in which everything is as the index says and as the tree had it, and
 * nothing else is. Elsewhere each path is looked at on its own, so that local changes are kept aside. Reads only.
 */
import { sameFingerprint } from '../core/fingerprint.ts';
import type { FoundMove } from '../core/moved.ts';
import type { Committer } from '../disk/commit.ts';
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
  if (below === null || below.count !== move.entries.length) return false;
  // What the disk has is what the index has.
  for (const { directory, fingerprint } of below.sums)
    if (!sameFingerprint(store.fingerprint(directory), fingerprint)) return false;
  let count = 0;
  for (const [path, { kind, content }] of store.keptBelow(move.from)) {
    const entry = move.entries[count];
    count += 1;
    if (entry?.path !== path || entry.kind !== kind) return false;
    if (entry.kind === 'file' && (content === null || !sameBytes(content, entry.content))) return false;
  }
  return count === move.entries.length;
}
