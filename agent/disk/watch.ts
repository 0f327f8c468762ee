/**
 * Hears of changes below a share's directory, by chokidar in a thread of its own, so that a busy agent neither
 * delays events nor loses them. Watches exactly the directories it is told to; never looks at what changed,
 * and never claims to have heard everything: events are hints, the disk is the truth.
 */
import type { DirectoryPath } from '../core/path.ts';
import { createPool, workerUrl } from './pool.ts';
import { shareRoot } from './scan.ts';
import { queuedEventsMax } from './watch-inotify.ts';

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
  /** The system does not watch these (inotify limit, or no permission): they must be polled. */
  onLimit(unwatched: readonly DirectoryPath[]): void;
};

export type Watcher = {
  /**
   * Resolves once they are watched, or handed to `onLimit`, or not there: what changes after that is heard, so
   * list them after it. One that is watched already is watched anew.
   */
  add(directories: readonly DirectoryPath[]): Promise<void>;
  /** Exactly these, not what is below them. */
  remove(directories: readonly DirectoryPath[]): void;
  /** Watches again the directories that the system turned deaf to, and names them: list these. */
  audit(): Promise<readonly DirectoryPath[]>;
  close(): Promise<void>;
};

/** What the watching thread starts with. */
export type WatchData = { readonly root: string; readonly queuedEvents: number };

export type WatchCalls = {
  /** @returns those that the system does not watch. */
  add(directories: readonly DirectoryPath[]): Promise<readonly DirectoryPath[]>;
  remove(directories: readonly DirectoryPath[]): void;
  /** @returns those that were deaf. */
  audit(argument: null): Promise<readonly DirectoryPath[]>;
};

/** What the watching thread says by itself. */
export type WatchEvent =
  | { readonly kind: 'dirty'; readonly dirty: readonly Dirty[] }
  | { readonly kind: 'overflow' }
  | { readonly kind: 'limit'; readonly unwatched: readonly DirectoryPath[] };

/**
 * @param root absolute path of the share's directory. A symlink there is followed once, now.
 * @param options.queuedEvents how many events the kernel keeps for one reader; by default what it says.
 */
export function createWatcher(
  root: string,
  handlers: WatchHandlers,
  { queuedEvents = queuedEventsMax() }: { readonly queuedEvents?: number } = {},
): Watcher {
  const watched = new Set<DirectoryPath>();
  const pool = createPool<WatchCalls>(workerUrl('watch-worker', import.meta.url), {
    threads: 1,
    keepsAlive: true,
    data: (): WatchData => ({ root: shareRoot(root).root, queuedEvents }),
    onEvent(event) {
      // Only the worker beside this file writes to the channel.
      const told = event as WatchEvent;
      if (told.kind === 'dirty') handlers.onDirty(told.dirty);
      else if (told.kind === 'overflow') handlers.onOverflow();
      else handlers.onLimit(told.unwatched);
    },
    onCrash() {
      // What happens until all is watched again is found by the scan that follows.
      add([...watched]).then(handlers.onOverflow, handlers.onOverflow);
    },
  });

  async function add(directories: readonly DirectoryPath[]): Promise<void> {
    for (const directory of directories) watched.add(directory);
    const unwatched = await pool.call('add', directories);
    if (unwatched.length > 0) handlers.onLimit(unwatched);
  }

  return {
    add,
    remove(directories) {
      for (const directory of directories) watched.delete(directory);
      pool.tell('remove', directories);
    },
    audit: () => pool.call('audit', null),
    close: () => pool.close(),
  };
}
