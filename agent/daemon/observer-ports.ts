/** What the observer of a share asks for, and whom it tells. */
import type { DirectoryPath, SharePath } from '../core/path.ts';
import type { Scanner, Skipped } from '../disk/scan.ts';
import type { Watcher, WatchHandlers } from '../disk/watch.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { DiskChange } from './compare.ts';
import type { Log } from './log.ts';
import type { Moved } from './renames.ts';

export type ObserverPorts = {
  /** Hints wait this long for others that follow, ms; 0 where somebody waits for what they tell. */
  readonly patienceMs: number;
  readonly scanner: Scanner;
  readonly store: ShareStore;
  readonly log: Log;
  readonly watch: (handlers: WatchHandlers) => Watcher;
  /** Differences, each path once, parents before what is below them. The next batch waits. */
  readonly onChanges: (changes: readonly DiskChange[]) => Promise<void>;
  /** A directory has another name, and everything below it is as it was. @returns false where it is to be told of path by path. */
  readonly onMoved?: (moved: Moved) => Promise<boolean>;
  /** Nothing is there, whether the index knew of something or not. */
  readonly onGone: (paths: readonly SharePath[]) => void;
  /** The index now says of every path what the disk says, or was told of the difference. */
  readonly onScanned: () => Promise<void>;
  /** Everything found so far was handed over. */
  readonly onQuiet: () => Promise<void>;
  /** A look at the disk failed; it is tried again after a pause. */
  readonly onFailed: (error: unknown) => void;
  /** What cannot be replicated; replaces what was said of that scope before. */
  readonly onSkipped: (scope: SkippedScope) => void;
};

export type SkippedScope = {
  readonly directory: DirectoryPath;
  /** Everything below it, else only what is directly in it. */
  readonly whole: boolean;
  readonly skipped: readonly Skipped[];
};
