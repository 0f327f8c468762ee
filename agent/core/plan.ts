/** Turns the changes between two trees into ordered disk steps. Pure. */
import { assert, unreachable } from '../base/assert.ts';
import type { Change, DirectoryEntry, Entry, FileEntry, HardlinkEntry, SymlinkEntry } from './entry.ts';
import type { DirectoryMove } from './moved.ts';
import { depthOf, nameOf, parentOf, type SharePath, topDirectory } from './path.ts';

export type Step =
  /** Make a directory, private (0700) until `finish`. */
  | { readonly kind: 'mkdir'; readonly path: SharePath }
  /** Rename the directory at `from`, with everything in it: a path of the old tree, where nothing changed below. */
  | { readonly kind: 'moveDirectory'; readonly path: SharePath; readonly from: SharePath }
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
  /** Directories that move whole, which the disk allows: of `findDirectoryMoves`; `changes` are without them. */
  readonly moves?: readonly DirectoryMove[];
};

/**
 * Steps in the order in which they are to be done: set-asides, directories (parents first), directories that move, files, symlinks, hard
 * links, deletes (deepest first), finishes (deepest first), looks. What a `place` is linked `from` is to be linked
 * before the first step. A path below a directory that was set aside means the place where that is now.
 */
export function planSteps(input: PlanInput): readonly Step[] {
  const { after, linksTo } = input;
  const asides: Step[] = [];
  const directories: Step[] = [];
  const directoryMoves: Step[] = [];
  const places: (Step & { kind: 'place' })[] = [];
  const metadata: Step[] = [];
  const symlinks: Step[] = [];
  const hardlinks = new Map<SharePath, Step>();
  const removes: Step[] = [];
  const rmdirs: Step[] = [];
  const finishes = new Map<SharePath, DirectoryEntry>();
  /** First names of files that got or lost another one, or other metadata. */
  const groups = new Set<SharePath>();
  const moves = input.moves ?? [];
  const sources = createSources(input);

  for (const { from, to } of moves) {
    directoryMoves.push({ kind: 'moveDirectory', path: to, from });
    finishParent(from);
    const entry = after(to);
    if (entry?.kind === 'directory') finishes.set(to, entry);
  }
  for (const { path, before, after: entry } of input.changes) {
    assert(before !== null || entry !== null, 'a change has a side');
    const wasDirectory = before?.kind === 'directory';
    const isDirectory = entry?.kind === 'directory';
    if (before?.kind === 'hardlink') groups.add(before.target);
    if (before !== null && entry !== null && wasDirectory !== isDirectory)
      asides.push({ kind: 'setAside', path });
    if (entry === null) {
      (wasDirectory ? rmdirs : removes).push({ kind: wasDirectory ? 'rmdir' : 'remove', path });
      continue;
    }
    switch (entry.kind) {
      case 'directory':
        if (!wasDirectory) directories.push({ kind: 'mkdir', path });
        finishes.set(path, entry);
        break;
      case 'file':
        if (before?.kind === 'file' && sameContent(before, entry)) {
          metadata.push({ kind: 'metadata', entry });
          groups.add(path);
        } else places.push({ kind: 'place', entry, from: null });
        break;
      case 'symlink':
        if (before?.kind === 'symlink' && before.target === entry.target)
          metadata.push({ kind: 'metadata', entry });
        else symlinks.push({ kind: 'symlink', entry });
        break;
      case 'hardlink':
        hardlinks.set(path, { kind: 'hardlink', entry });
        groups.add(entry.target);
        break;
      default:
        unreachable(entry);
    }
  }

  for (const { entry } of places) {
    // The file gets a new inode, which its other names must follow, though their entries may be the same.
    for (const link of linksTo(entry.path)) hardlinks.set(link.path, { kind: 'hardlink', entry: link });
  }
  const described = [
    ...asides,
    ...directories,
    ...directoryMoves,
    ...places,
    ...symlinks,
    ...hardlinks.values(),
    ...removes,
    ...rmdirs,
  ];
  for (const step of described) finishParent(pathOf(step));
  const withStep = new Set([...places, ...metadata, ...hardlinks.values()].map(pathOf));
  return [
    ...asides,
    ...directories.toSorted(shallowFirst),
    ...directoryMoves,
    ...places.map((step) => ({ ...step, from: sources.take(step.entry) })),
    ...metadata,
    ...symlinks,
    ...hardlinks.values(),
    ...removes,
    ...rmdirs.toSorted(deepFirst),
    ...[...finishes.values()].map((entry): Step => ({ kind: 'finish', entry })).toSorted(deepFirst),
    ...looksAt(groups, input, withStep),
  ];

  /** What comes or goes in a directory changes its time. */
  function finishParent(path: SharePath): void {
    const parent = parentOf(path);
    if (parent === topDirectory || finishes.has(parent)) return;
    const entry = after(parent);
    if (entry?.kind === 'directory') finishes.set(parent, entry);
  }
}

/** Files of the old tree that lose their path, by content: a move takes the bytes along. */
function createSources({ changes, linksTo }: PlanInput): { take(entry: FileEntry): SharePath | null } {
  const grouped = new Set<SharePath>();
  for (const { before } of changes) if (before?.kind === 'hardlink') grouped.add(before.target);
  const sources: Source[] = [];
  const byContent = new Map<string, Source[]>();
  const byContentAndName = new Map<string, Source[]>();
  for (const { path, before, after } of changes) {
    if (before?.kind !== 'file' || before.content.kind === 'empty') continue;
    if (after?.kind === 'file' && sameContent(before, after)) continue;
    // Names that share an inode would all get the mode and time of the moved one.
    if (grouped.has(path) || linksTo(path).length > 0) continue;
    sources.push({ entry: before, removed: after === null, taken: false });
  }
  // Removed ones are taken first, from the end: they fit whatever the new metadata is.
  for (const source of sources.toSorted((left, right) => Number(left.removed) - Number(right.removed))) {
    const key = contentKey(source.entry);
    push(byContent, key, source);
    push(byContentAndName, `${key} ${nameOf(source.entry.path)}`, source);
  }

  function pick(sources: Source[] | undefined, entry: FileEntry): SharePath | null {
    while (sources !== undefined && sources.length > 0) {
      const source = sources.at(-1);
      if (source?.taken === false) {
        if (!source.removed && !sameMetadata(source.entry, entry)) return null;
        source.taken = true;
        return source.entry.path;
      }
      sources.pop();
    }
    return null;
  }

  return {
    take(entry) {
      const key = contentKey(entry);
      return (
        pick(byContentAndName.get(`${key} ${nameOf(entry.path)}`), entry) ?? pick(byContent.get(key), entry)
      );
    },
  };
}

type Source = { readonly entry: FileEntry; readonly removed: boolean; taken: boolean };

/** Names whose inode is shared with one that came or went, and that have no step of their own. */
function looksAt(groups: ReadonlySet<SharePath>, input: PlanInput, withStep: ReadonlySet<SharePath>): Step[] {
  const looks: Step[] = [];
  for (const first of groups) {
    if (input.after(first)?.kind !== 'file') continue;
    for (const path of [first, ...input.linksTo(first).map((link) => link.path)]) {
      if (!withStep.has(path)) looks.push({ kind: 'look', path });
    }
  }
  return looks;
}

function contentKey({ content, size }: FileEntry): string {
  return content.kind === 'empty' ? '' : `${content.digest} ${size}`;
}

function sameContent(left: FileEntry, right: FileEntry): boolean {
  return left.size === right.size && contentKey(left) === contentKey(right);
}

function sameMetadata(left: FileEntry, right: FileEntry): boolean {
  const { owner } = left;
  return (
    left.mode === right.mode &&
    left.mtimeUs === right.mtimeUs &&
    left.sparse === right.sparse &&
    owner.uid === right.owner.uid &&
    owner.gid === right.owner.gid &&
    owner.user === right.owner.user &&
    owner.group === right.owner.group
  );
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function pathOf(step: Step): SharePath {
  return 'entry' in step ? step.entry.path : step.path;
}

function shallowFirst(left: Step, right: Step): number {
  return depthOf(pathOf(left)) - depthOf(pathOf(right));
}

function deepFirst(left: Step, right: Step): number {
  return shallowFirst(right, left);
}
