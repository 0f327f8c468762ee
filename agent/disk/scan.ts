/**
 * Lists what is on the disk below a share's directory, in worker threads. Owns the order of the walk and keeps
 * the ignore rules in step with the `.p2psyncignore` files it meets; never opens a file that is shared, never
 * writes, and never mistakes what it cannot see for what is not there.
 */
import { realpathSync, statSync } from 'node:fs';
import { assert } from '../base/assert.ts';
import { scanBatchDirectories, scanReadyDirectories } from '../base/limits.ts';
import type { Fingerprint } from '../core/fingerprint.ts';
import { type DirectoryPath, isBelow, type SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import type { Ignore, IgnoreChange, IgnoreSource } from './ignore.ts';
import { createPool, runBatches, workerUrl } from './pool.ts';
import {
  type ListedEntry,
  type PackedListings,
  type PackedStats,
  type UnpackedListing,
  unpackListings,
  unpackStats,
} from './scan-pack.ts';

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
  /** In byte order of name; ignored and skipped ones left out. Empty where `gone` or `unreadable`. Made when asked for. */
  entries(): readonly ListedEntry[];
  /** How many `entries` there are. */
  readonly count: number;
  /** Of `entries`. */
  readonly fingerprint: Fingerprint;
  /** A file among `entries` has another name, there or elsewhere. */
  readonly linked: boolean;
  readonly skipped: readonly Skipped[];
  /** Names that are there but cannot be looked at: what was known of these paths, and below them, stays as it is. */
  readonly held: readonly string[];
  /** There is no directory of this path (any more). */
  readonly gone: boolean;
  /** Nobody can say what is in there, for the reason in `skipped`: what was known of it, and below it, stays as it is. */
  readonly unreadable: boolean;
  /** The ignore rules of this directory are others than before: everything below it is to be walked again. */
  readonly rulesChanged: boolean;
};

/** What lstat says; null where nothing is there that a listing would show, 'unreadable' where nobody can say. */
export type StatResult = DiskStat | null | 'unreadable';

export type Scanner = {
  /** Every directory from here down (this one too), each once, in batches, at the pace of the consumer. */
  tree(from: DirectoryPath, options: WalkOptions): AsyncIterable<readonly Listing[]>;
  directory(path: DirectoryPath): Promise<Listing>;
  /** In the order asked. */
  stat(paths: readonly SharePath[]): Promise<readonly StatResult[]>;
  close(): Promise<void>;
};

export type WalkOptions = {
  readonly signal: AbortSignal;
  /** Directories are listed once this has resolved for them; asked after the consumer has had what is above them. */
  readonly before?: (directories: readonly DirectoryPath[]) => Promise<void>;
};

/** What a scanning thread starts with. */
export type ScanData = {
  readonly root: string;
  readonly device: bigint | null;
  readonly rules: IgnoreSource;
};

export type ScanCalls = {
  rules(change: IgnoreChange): void;
  /** Lists for a while. @returns listings of the first of them, and the directories found in these. */
  list(directories: readonly DirectoryPath[]): {
    readonly packed: PackedListings;
    readonly found: readonly DirectoryPath[];
  };
  stat(paths: readonly SharePath[]): {
    readonly states: readonly ('there' | 'missing' | 'unreadable')[];
    readonly stats: PackedStats;
  };
};

/** One step of a walk: what was listed, what was found in it, and what is to be listed next. */
type Walked = {
  readonly listings: readonly Listing[];
  readonly found: readonly DirectoryPath[];
  readonly ready: readonly DirectoryPath[];
};

/**
 * @param root absolute path of the share's directory. A symlink there is followed once, now.
 * @param options.ignore adopted: the scanner changes it as it meets rules files, and heeds what others change.
 */
export function createScanner(
  root: string,
  { ignore, threads = 2 }: { readonly ignore: Ignore; readonly threads?: number },
): Scanner {
  const share = shareRoot(root);
  const pool = createPool<ScanCalls>(workerUrl('scan-worker', import.meta.url), {
    threads,
    data: (): ScanData => ({ ...share, rules: ignore.source() }),
  });
  const stopListening = ignore.onChange((change) => pool.tell('rules', change));

  /** Notes what the listing says of the rules, which reaches every thread before any later listing. */
  function learn({ rules, ...listing }: UnpackedListing): Listing {
    if (listing.gone) forgetRules(listing.directory);
    const changed =
      rules !== undefined && ignore.change({ kind: 'file', directory: listing.directory, text: rules });
    return { ...listing, rulesChanged: changed };
  }

  function forgetRules(gone: DirectoryPath): void {
    for (const [directory] of ignore.source().files) {
      if (directory !== gone && !(directory !== '' && isBelow(directory, gone))) continue;
      ignore.change({ kind: 'file', directory, text: null });
    }
  }

  async function* tree(from: DirectoryPath, { signal, before = async () => {} }: WalkOptions) {
    const found: DirectoryPath[] = [from];
    const ready: DirectoryPath[] = [];
    let preparing = false;
    const ahead = pool.threads * 2;

    async function prepare(directories: DirectoryPath[]): Promise<Walked> {
      await before(directories);
      preparing = false;
      return { listings: [], found: [], ready: directories };
    }

    async function list(directories: DirectoryPath[], options: { signal: AbortSignal }): Promise<Walked> {
      const { packed, found } = await pool.call('list', directories, options);
      const listings = unpackListings(packed).map(learn);
      return { listings, found, ready: directories.slice(listings.length) };
    }

    // From the end: depth first keeps small what waits.
    const works: Iterator<(options: { signal: AbortSignal }) => Promise<Walked>> = {
      next() {
        if (!preparing && found.length > 0 && ready.length < scanReadyDirectories) {
          preparing = true;
          const directories = found.splice(-scanReadyDirectories);
          return { done: false, value: () => prepare(directories) };
        }
        const count = Math.min(scanBatchDirectories, Math.ceil(ready.length / ahead));
        if (count === 0) return { done: true, value: undefined };
        const directories = ready.splice(-count);
        return { done: false, value: (options) => list(directories, options) };
      },
    };
    const walk = runBatches(works, (work, options) => work(options), { signal, ahead: ahead + 1 });
    for await (const walked of walk) {
      if (walked.listings.length > 0) yield walked.listings;
      // Not earlier: whoever prepares what is below has to know by then what is above.
      for (const directory of walked.found) found.push(directory);
      for (const directory of walked.ready) ready.push(directory);
    }
  }

  return {
    tree,
    async directory(path) {
      const { packed } = await pool.call('list', [path]);
      const [listed] = unpackListings(packed);
      assert(listed !== undefined, 'one listing for one directory');
      return learn(listed);
    },
    async stat(paths) {
      const { states, stats } = await pool.call('stat', paths);
      const found = unpackStats(stats).values();
      return states.map((state) => {
        if (state === 'unreadable') return state;
        return state === 'there' ? (found.next().value ?? null) : null;
      });
    },
    async close() {
      stopListening();
      await pool.close();
    },
  };
}

/** Where the share really is, and on which file system; null where it is not there yet. */
export function shareRoot(root: string): { readonly root: string; readonly device: bigint | null } {
  const stat = statSync(root, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? { root, device: null } : { root: realpathSync(root), device: stat.dev };
}
