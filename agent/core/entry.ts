/** One path of a share as the writer saw it. Pure values; `record.ts` has their bytes. */
import {
  accountNameBytesMax,
  accountNumberMax,
  linkTargetBytesMax,
  wholeFileBytesMax,
} from '../base/limits.ts';
import type { Digest } from './digest.ts';
import { comparePaths, pathFault, type SharePath } from './path.ts';

/** Numbers and names both, so that a replica can follow either; a name that has no account is ''. */
export type Owner = {
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
};

/** Which sizes a big file is cut to; it stays with the file until the size leaves the class by four times. */
export type CutClass = 'small' | 'large';

/**
 * Where a file's bytes are: nowhere (size 0), in one block, or in a list of blocks. A list's digest
 * names the top page of `blocklist.ts`.
 */
export type Content =
  | { readonly kind: 'empty' }
  | { readonly kind: 'block'; readonly digest: Digest }
  | { readonly kind: 'list'; readonly digest: Digest; readonly cut: CutClass };

/** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
export type Mode = number;

export type FileEntry = {
  readonly kind: 'file';
  readonly path: SharePath;
  readonly mode: Mode;
  readonly owner: Owner;
  /** Microseconds since 1970, negative before; a safe integer. */
  readonly mtimeUs: number;
  /** Bytes. */
  readonly size: number;
  /** True where the writer's file has holes: runs of zeros are left unwritten on replicas. */
  readonly sparse: boolean;
  readonly content: Content;
};

export type DirectoryEntry = {
  readonly kind: 'directory';
  readonly path: SharePath;
  readonly mode: Mode;
  readonly owner: Owner;
  readonly mtimeUs: number;
};

export type SymlinkEntry = {
  readonly kind: 'symlink';
  readonly path: SharePath;
  readonly owner: Owner;
  readonly mtimeUs: number;
  readonly target: string;
};

/** A further name of the file at `target`, which sorts before it and is a `file` entry. */
export type HardlinkEntry = {
  readonly kind: 'hardlink';
  readonly path: SharePath;
  readonly target: SharePath;
};

export type Entry = FileEntry | DirectoryEntry | SymlinkEntry | HardlinkEntry;

/** What became of one path between two trees. Both null never happens. */
export type Change = {
  readonly path: SharePath;
  readonly before: Entry | null;
  readonly after: Entry | null;
};

/** One path's new entry, or null where it goes. */
export type Edit = { readonly path: SharePath; readonly entry: Entry | null };

/** A block of a file's content, in the file's order. */
export type BlockRef = { readonly digest: Digest; readonly length: number };

export type Counts = {
  /** Entries of every kind. */
  readonly entries: number;
  /** Entries of kind file. */
  readonly files: number;
  /** Sum of the sizes of the files. */
  readonly bytes: number;
};

/** The same in everything that is signed. */
export function sameEntry(left: Entry, right: Entry): boolean {
  if (left.path !== right.path || !sameContent(left, right)) return false;
  if (left.kind === 'hardlink' || right.kind === 'hardlink') return true;
  if (left.mtimeUs !== right.mtimeUs || !sameOwner(left.owner, right.owner)) return false;
  if (left.kind === 'symlink' || right.kind === 'symlink') return true;
  if (left.mode !== right.mode) return false;
  return left.kind !== 'file' || right.kind !== 'file' || left.sparse === right.sparse;
}

/** Same kind and same bytes or target, whatever path, mode, owner, times and holes are. */
export function sameContent(left: Entry, right: Entry): boolean {
  if (left.kind === 'file')
    return right.kind === 'file' && left.size === right.size && sameBytes(left, right);
  if (left.kind === 'directory') return right.kind === 'directory';
  return left.kind === right.kind && left.target === right.target;
}

export function sameOwner(left: Owner, right: Owner): boolean {
  if (left === right) return true;
  const sameNumbers = left.uid === right.uid && left.gid === right.gid;
  return sameNumbers && left.user === right.user && left.group === right.group;
}

/** The rule that an owner breaks, or undefined. */
export function ownerFault({ uid, gid, user, group }: Owner): string | undefined {
  if (!isAccountNumber(uid) || !isAccountNumber(gid)) return 'an owner number of more than 32 bits';
  return textFault(user, accountNameBytesMax, 0) ?? textFault(group, accountNameBytesMax, 0);
}

/** The rule that an entry breaks, path and owner apart, or undefined: checked before writing and after reading. */
export function entryFault(entry: Entry): string | undefined {
  switch (entry.kind) {
    case 'file':
      return modeFault(entry.mode) ?? timeFault(entry.mtimeUs) ?? contentFault(entry);
    case 'directory':
      return modeFault(entry.mode) ?? timeFault(entry.mtimeUs);
    case 'symlink':
      return timeFault(entry.mtimeUs) ?? textFault(entry.target, linkTargetBytesMax, 1);
    case 'hardlink': {
      const fault = pathFault(entry.target);
      if (fault !== undefined) return `a hard link to ${fault}`;
      return comparePaths(entry.target, entry.path) < 0
        ? undefined
        : 'a hard link to a path that does not sort before it';
    }
  }
}

/** How content is kept follows from the size alone, so that one file has one entry. */
function contentFault(entry: FileEntry): string | undefined {
  if (!Number.isSafeInteger(entry.size) || entry.size < 0) return 'a size beyond 2^53 - 1';
  const expected = entry.size === 0 ? 'empty' : entry.size <= wholeFileBytesMax ? 'block' : 'list';
  if (entry.content.kind !== expected) return `content ${entry.content.kind} for ${entry.size} bytes`;
  return entry.sparse && entry.size === 0 ? 'holes in an empty file' : undefined;
}

function sameBytes(left: FileEntry, right: FileEntry): boolean {
  if (left.content.kind === 'empty' || right.content.kind === 'empty')
    return left.content.kind === right.content.kind;
  if (left.content.digest !== right.content.digest) return false;
  // One digest may name a block and a list, where someone shares a file that holds the bytes of a list page.
  if (left.content.kind === 'list')
    return right.content.kind === 'list' && left.content.cut === right.content.cut;
  return right.content.kind === 'block';
}

function timeFault(mtimeUs: number): string | undefined {
  return Number.isSafeInteger(mtimeUs) ? undefined : 'a time beyond 2^53 - 1 microseconds';
}

function isAccountNumber(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= accountNumberMax;
}

function modeFault(mode: number): string | undefined {
  return Number.isInteger(mode) && mode >= 0 && mode <= 0o7777 ? undefined : 'a mode beyond 07777';
}

function textFault(text: string, bytesMax: number, bytesMin: number): string | undefined {
  if (text.includes('\0')) return 'a name with a NUL';
  if (!text.isWellFormed()) return 'a name that is not Unicode';
  const length = text.length * 3 <= bytesMax && text.length >= bytesMin ? bytesMin : Buffer.byteLength(text);
  return length >= bytesMin && length <= bytesMax ? undefined : `a name of ${length} bytes`;
}
