/** What lies on the disk, put as entries, so that it can be compared with what a tree says. Pure. */
import type { Content, Entry, Owner } from '../core/entry.ts';
import type { SharePath } from '../core/path.ts';
import { type DiskStat, isSparse, mtimeUsOf } from '../core/stat.ts';

/** Of a path that no tree knows: its kind is right, and the plan needs no more to take it away. */
export function asEntry(path: SharePath, stat: DiskStat): Entry {
  const common = {
    path,
    owner: { uid: stat.uid, gid: stat.gid, user: '', group: '' },
    mtimeUs: mtimeUsOf(stat),
  };
  if (stat.kind === 'directory') return { kind: 'directory', ...common, mode: stat.mode };
  if (stat.kind === 'symlink') return { kind: 'symlink', ...common, target: '?' };
  const { mode, size } = stat;
  return { kind: 'file', ...common, mode, size, sparse: isSparse(stat), content: { kind: 'empty' } };
}

/**
 * A tree's entry with what lstat found in place of what it says. The content stays: it is for the caller to know
 * that it is the same. @returns null where it is of another kind, or a further name of a file.
 */
export function asFound(entry: Entry, stat: DiskStat, owner: Owner): Entry | null {
  if (entry.kind === 'hardlink' || entry.kind !== stat.kind) return null;
  const found = { owner, mtimeUs: mtimeUsOf(stat) };
  switch (entry.kind) {
    case 'file':
      return { ...entry, ...found, mode: stat.mode, sparse: isSparse(stat) };
    case 'directory':
      return { ...entry, ...found, mode: stat.mode };
    case 'symlink':
      return { ...entry, ...found };
  }
}

export function sameBytes(left: Content, right: Content): boolean {
  if (left.kind === 'empty' || right.kind === 'empty') return left.kind === right.kind;
  return left.kind === right.kind && left.digest === right.digest;
}
