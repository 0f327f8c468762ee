/** Lists what is on the disk. */
import type { DirectoryPath, SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import type { Ignore } from './ignore.ts';

export type SkippedCode =
  | 'special-file'
  | 'not-utf8'
  | 'name-too-long'
  | 'path-too-long'
  | 'permission'
  | 'io'
  | 'other-filesystem';

/** Something that is on the disk and is not replicated, though no rule says so. */
export type Skipped = {
  /** Printable; not always a path that could be opened. */
  readonly path: string;
  readonly code: SkippedCode;
  readonly message: string;
};

export type Listing = {
  readonly directory: DirectoryPath;
  /** In byte order of name; ignored and skipped ones left out. Empty where `gone` or `unreadable`. */
  readonly entries: readonly { readonly name: string; readonly stat: DiskStat }[];
  readonly skipped: readonly Skipped[];
  /** There is no directory of this path (any more). */
  readonly gone: boolean;
  /** Nobody can say what is in there, for the reason in `skipped`: what was known of it stays as it is. */
  readonly unreadable: boolean;
  /** Names that are there but skipped: what was known of these paths stays as it is, unless they became special files. */
  readonly rulesChanged: boolean;
};

export type Scanner = {
  /** Every directory from here down, each once, in batches, at the pace of the consumer. */
  tree(from: DirectoryPath, options: { readonly signal: AbortSignal }): AsyncIterable<readonly Listing[]>;
  directory(path: DirectoryPath): Promise<Listing>;
  /** In the order asked; null where nothing is there, 'unreadable' where nobody can say. */
  stat(paths: readonly SharePath[]): Promise<readonly (DiskStat | null | 'unreadable')[]>;
  close(): Promise<void>;
};

/** @param root absolute path of the share's directory. */
export function createScanner(
  _root: string,
  _options: { readonly ignore: Ignore; readonly threads?: number },
): Scanner {
  throw new Error('not yet');
}
