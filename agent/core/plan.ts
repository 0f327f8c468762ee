/** Turns the changes between two trees into ordered disk steps. Pure. */
import type { Change, DirectoryEntry, Entry, FileEntry, HardlinkEntry, SymlinkEntry } from './entry.ts';
import type { SharePath } from './path.ts';

export type Step =
  /** Make a directory, private (0700) until `finish`. */
  | { readonly kind: 'mkdir'; readonly path: SharePath }
  /** Something of another kind is at `path` (directory against not-directory): rename it out of the way, whole. */
  | { readonly kind: 'setAside'; readonly path: SharePath }
  /** Rename the staged file over `path`. `from`: link it from this path of the old tree instead of staging it. */
  | { readonly kind: 'place'; readonly entry: FileEntry; readonly from: SharePath | null }
  | { readonly kind: 'symlink'; readonly entry: SymlinkEntry }
  | { readonly kind: 'hardlink'; readonly entry: HardlinkEntry }
  /** Same content, other mode, owner or time. */
  | { readonly kind: 'metadata'; readonly entry: FileEntry | SymlinkEntry }
  | { readonly kind: 'remove'; readonly path: SharePath }
  | { readonly kind: 'rmdir'; readonly path: SharePath }
  /** Last: a directory's owner, mode and time, deepest first. */
  | { readonly kind: 'finish'; readonly entry: DirectoryEntry }
  /** Nothing is done here, but its inode got or lost a name, which changes its ctime: look again. */
  | { readonly kind: 'look'; readonly path: SharePath };

export type PlanInput = {
  readonly changes: readonly Change[];
  /** Entry of a path in the tree that is being applied. */
  readonly after: (path: SharePath) => Entry | undefined;
  /** Hard links to a path in the tree that is being applied. */
  readonly linksTo: (path: SharePath) => readonly HardlinkEntry[];
};

export function planSteps(_input: PlanInput): readonly Step[] {
  throw new Error('not yet');
}
