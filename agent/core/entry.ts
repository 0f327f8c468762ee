/** One path of a share as the writer saw it. Pure values. */
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from './digest.ts';
import type { SharePath } from './path.ts';

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

/** One entry alone, canonical. */
export declare function encodeEntry(entry: Entry): Bytes;
export declare function decodeEntry(bytes: Bytes): Entry;
export declare function sameEntry(left: Entry, right: Entry): boolean;
/** Same kind and same bytes or target, whatever mode, owner and times are. */
export declare function sameContent(left: Entry, right: Entry): boolean;
