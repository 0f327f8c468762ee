/**
 * The only writer inside a share: prepares files in staging, journals, renames them into place in one burst.
 * Never loses a local change: what is not as the index says goes to `.p2psync/kept` first.
 */
import type { Digest } from '../core/digest.ts';
import type { BlockRef } from '../core/entry.ts';
import type { SharePath } from '../core/path.ts';
import type { Step } from '../core/plan.ts';
import type { DiskStat } from '../core/stat.ts';
import type { OwnerPolicy } from './owner.ts';
import type { Stage } from './stage.ts';

export type CommitOptions = {
  readonly owner: OwnerPolicy;
  /** Mode bits; off: a new file gets the writer's as far as the umask lets it, an old one keeps its own. */
  readonly perms: boolean;
  readonly times: boolean;
};

export type CommitInput = {
  /** Of `planSteps`. */
  readonly steps: readonly Step[];
  /** Stored in the journal and given back by `recover`: which version this is. */
  readonly tag: string;
  /** What the index says lies there; where the disk differs (`sameStat`), a person changed it, and it is kept aside. */
  readonly expected: (path: SharePath) => DiskStat | null;
  /** Live files that hold a block, by the index: may be stale, every byte is hashed on its way. */
  readonly locate: (digest: Digest) => readonly BlockLocation[];
  /** Blocks of a content of kind list, in the file's order. */
  readonly blocksOf: (content: Digest) => readonly BlockRef[];
  /** True for local files that are no business of the share's. */
  readonly ignored: (path: SharePath, isDirectory: boolean) => boolean;
  readonly options: CommitOptions;
};

export type BlockLocation = { readonly path: SharePath; readonly offset: number; readonly length: number };

export type CommitResult = {
  /** lstat of every path that changed, after everything; null: removed. */
  readonly done: readonly { readonly path: SharePath; readonly stat: DiskStat | null }[];
  /** Local changes, and where they are now, relative to the share's directory. */
  readonly kept: readonly { readonly path: SharePath; readonly keptAs: string }[];
  /** These could not be done, all others are. `code`: the system's, or `not-empty`. */
  readonly failed: readonly { readonly path: SharePath; readonly code: string; readonly message: string }[];
  /** Blocks that were thought to be here and are not. Where there are any, nothing was changed. */
  readonly lost: readonly Digest[];
};

export type Recovered = {
  /** A commit that was cut short and is finished now; store its outcome as after `commit`, then `settle`. */
  readonly finished: { readonly tag: string; readonly result: CommitResult } | null;
  /** Written shortly before the machine went down and perhaps not whole: hash these again. */
  readonly rehash: readonly SharePath[];
  /** The list itself did not survive: hash everything again. */
  readonly rehashAll: boolean;
};

export type Committer = {
  /** Once, before the first commit. */
  recover(ignored: CommitInput['ignored']): Promise<Recovered>;
  /**
   * An abort counts until the renames begin.
   * @throws {P2psyncError} disk-full, outside-share, io, before anything was changed; the signal's reason.
   */
  commit(input: CommitInput, options: { readonly signal: AbortSignal }): Promise<CommitResult>;
  /** The outcome is stored in the index: the journal is done with, its paths wait to be made durable. */
  settle(): Promise<void>;
  /** Makes everything that was settled durable, in the background, in groups. @returns the number of files. */
  durable(options: { readonly signal: AbortSignal }): Promise<number>;
  close(): Promise<void>;
};

/** @param root absolute path of the share's directory. `fsync`: everything is durable before a commit resolves. */
export function createCommitter(
  _root: string,
  _stage: Stage,
  _options: { readonly durability: 'deferred' | 'fsync' },
): Committer {
  throw new Error('not yet');
}
