/** Hears of changes. */
import type { DirectoryPath } from '../core/path.ts';

/** Entries of one directory that something happened to. */
export type Dirty = {
  readonly directory: DirectoryPath;
  /** null: the whole directory is to be listed again. */
  readonly names: readonly string[] | null;
};

export type WatchHandlers = {
  onDirty(dirty: readonly Dirty[]): void;
  /** Events were lost: everything is to be scanned again. */
  onOverflow(): void;
  /** The system watches no more directories (inotify limit, or a path too long): these must be polled. */
  onLimit(unwatched: readonly DirectoryPath[]): void;
};

export type Watcher = {
  /** Resolves once they are watched (or handed to `onLimit`): what changes after that is heard. List them after it. */
  add(directories: readonly DirectoryPath[]): Promise<void>;
  remove(directories: readonly DirectoryPath[]): void;
  /** Watches again the directories that the system turned deaf to, and names them: list these. */
  audit(): Promise<readonly DirectoryPath[]>;
  close(): Promise<void>;
};

/** @param root absolute path of the share's directory. */
export function createWatcher(_root: string, _handlers: WatchHandlers): Watcher {
  throw new Error('not yet');
}
