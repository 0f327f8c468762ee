/** An observer on a real directory and index, with a watcher that says what the test says. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import * as assert from 'uvu/assert';
import { emptyFingerprint } from '../../agent/core/fingerprint.ts';
import type { ShareId } from '../../agent/core/keys.ts';
import type { DirectoryPath, SharePath } from '../../agent/core/path.ts';
import type { DiskChange } from '../../agent/daemon/compare.ts';
import { createObserver, type Observer } from '../../agent/daemon/observe.ts';
import type { SkippedScope } from '../../agent/daemon/observer-ports.ts';
import type { Moved } from '../../agent/daemon/renames.ts';
import { createIgnore } from '../../agent/disk/ignore.ts';
import { createScanner, type Scanner } from '../../agent/disk/scan.ts';
import type { WatchHandlers } from '../../agent/disk/watch.ts';
import { openStore } from '../../agent/store/database.ts';
import type { ShareStore } from '../../agent/store/share-store.ts';
import { createNotebook, type Notebook } from './notebook.ts';

export type Bench = {
  readonly root: string;
  readonly store: ShareStore;
  readonly observer: Observer;
  /** Of one thread: what it is asked it answers in order. */
  readonly scanner: Scanner;
  readonly hints: WatchHandlers;
  readonly notebook: Notebook;
  /** `present a`, `gone b`, in the order in which they were handed over; taken into the index at once. */
  readonly changes: string[];
  readonly watched: Set<DirectoryPath>;
  /** In the order in which they were asked for, also what was watched already. */
  readonly added: DirectoryPath[];
  readonly skipped: SkippedScope[];
  readonly failures: unknown[];
  readonly gone: SharePath[];
  readonly scans: () => number;
  /** Paths whose record was looked up. */
  readonly looked: SharePath[];
  /** Directories of which the index has no fingerprint until it is told to count. */
  readonly uncounted: Set<DirectoryPath>;
  /** The next changes are refused with this. */
  fail: Error | null;
  /** `from → to` of directories that were handed over as renamed. */
  readonly moves: string[];
  /** Happens when the watches were audited: a whole look begins. */
  onAudit: () => void;
  /** Happens when a batch of listings was dealt with. */
  onListed: () => Promise<void>;
  /** Happens when directories are watched from now on. */
  onWatched: (directories: readonly DirectoryPath[]) => void;
  until(isSo: () => boolean): Promise<void>;
  /** Resolves when everything that was marked before is handed over. */
  drain(): Promise<void>;
};

export async function withBench(
  use: (bench: Bench) => Promise<void>,
  { patienceMs = 0, renames = false }: { patienceMs?: number; renames?: boolean } = {},
): Promise<void> {
  const top = mkdtempSync(join(realpathSync(tmpdir()), 'p2psync-observe-'));
  const root = join(top, 'share');
  mkdirSync(root);
  const index = openStore(join(top, 'index'));
  const opened = index.share('0'.repeat(32) as ShareId);
  const looked: SharePath[] = [];
  const uncounted = new Set<DirectoryPath>();
  const store: ShareStore = {
    ...opened,
    record(path) {
      looked.push(path);
      return opened.record(path);
    },
    fingerprint: (directory) =>
      uncounted.has(directory) ? emptyFingerprint() : opened.fingerprint(directory),
    async write(batch) {
      await opened.write(batch);
      for (const directory of batch.recount ?? []) uncounted.delete(directory);
    },
  };
  const scanner = createScanner(root, { ignore: createIgnore([]), threads: 1 });
  const notebook = createNotebook();
  const changes: string[] = [];
  const watched = new Set<DirectoryPath>();
  const added: DirectoryPath[] = [];
  const skipped: SkippedScope[] = [];
  const failures: unknown[] = [];
  const gone: SharePath[] = [];
  const waiting = new Set<() => void>();
  let scans = 0;
  let quiets = 0;
  let handlers: WatchHandlers | undefined;

  async function take(found: readonly DiskChange[]): Promise<void> {
    if (bench.fail !== null) throw bench.fail;
    for (const change of found) changes.push(`${change.kind} ${change.path}`);
    happened();
    await store.write({
      index: found.map((change) => ({
        path: change.path,
        record: change.kind === 'gone' ? null : { stat: change.stat, content: null },
      })),
    });
  }

  const moves: string[] = [];
  async function takeMove({ from, to, stat }: Moved): Promise<boolean> {
    moves.push(`${from} → ${to}`);
    await store.write({ moves: [{ from, to }], index: [{ path: to, record: { stat, content: null } }] });
    return true;
  }

  const observer = createObserver({
    patienceMs,
    scanner: {
      ...scanner,
      async *tree(from, options) {
        for await (const listings of scanner.tree(from, options)) {
          yield listings;
          await bench.onListed();
        }
      },
    },
    ...(renames ? { onMoved: takeMove } : {}),
    store,
    log: notebook.log,
    watch(given) {
      handlers = given;
      return {
        async add(directories) {
          added.push(...directories);
          for (const directory of directories) watched.add(directory);
          bench.onWatched(directories);
        },
        remove(directories) {
          for (const directory of directories) watched.delete(directory);
        },
        async audit() {
          bench.onAudit();
          return [];
        },
        close: async () => undefined,
      };
    },
    onChanges: take,
    onGone(paths) {
      gone.push(...paths);
      happened();
    },
    async onScanned() {
      scans += 1;
      happened();
    },
    async onQuiet() {
      quiets += 1;
      happened();
    },
    onFailed(error) {
      failures.push(error);
      happened();
    },
    onSkipped(scope) {
      skipped.push(scope);
      happened();
    },
  });
  assert.ok(handlers !== undefined);

  function happened(): void {
    for (const look of waiting) look();
  }

  async function until(isSo: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (isSo()) resolve();
    };
    waiting.add(look);
    look();
    await promise;
    waiting.delete(look);
  }

  const bench: Bench = {
    root,
    store,
    observer,
    scanner,
    hints: handlers,
    notebook,
    changes,
    watched,
    added,
    skipped,
    failures,
    gone,
    looked,
    uncounted,
    fail: null,
    moves,
    onAudit: () => undefined,
    onListed: async () => undefined,
    onWatched: () => undefined,
    scans: () => scans,
    until,
    async drain() {
      for (let times = 0; times < 3; times += 1) {
        const before = quiets;
        observer.touch(['zz of a test' as SharePath]);
        await until(() => quiets > before);
      }
    },
  };
  try {
    await use(bench);
  } finally {
    mock.timers.reset();
    await observer.close();
    await scanner.close();
    await index.close();
    execFileSync('rm', ['-rf', top]);
  }
}
