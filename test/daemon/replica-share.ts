/** The replica's side of a share on a real directory and a real index, without a network: blocks come from the writer's files. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { iterateBlocks } from '../../agent/core/blocklist.ts';
import { diffFromEmpty, diffTrees } from '../../agent/core/diff.ts';
import type { Digest } from '../../agent/core/digest.ts';
import type { Change, FileEntry } from '../../agent/core/entry.ts';
import type { ShareId } from '../../agent/core/keys.ts';
import { ancestorsOf, comparePaths, type SharePath } from '../../agent/core/path.ts';
import { iterate, lookup } from '../../agent/core/tree.ts';
import { type Applier, createApplier, type Outcome } from '../../agent/daemon/apply.ts';
import { findUnindexed, handleDrift, mends } from '../../agent/daemon/drift.ts';
import { createFaults, type Faults } from '../../agent/daemon/faults.ts';
import { createGate, type Gate } from '../../agent/daemon/gate.ts';
import { checkMarker, writeMarker } from '../../agent/daemon/marker.ts';
import { createObserver, type Observer } from '../../agent/daemon/observe.ts';
import { type Applied, readApplied } from '../../agent/daemon/state.ts';
import { type Committer, createCommitter } from '../../agent/disk/commit.ts';
import { createIgnore } from '../../agent/disk/ignore.ts';
import { createOwners } from '../../agent/disk/owner.ts';
import { createReader } from '../../agent/disk/read.ts';
import { createScanner } from '../../agent/disk/scan.ts';
import { openStage, type Stage } from '../../agent/disk/stage.ts';
import { openStore } from '../../agent/store/database.ts';
import type { ShareStore } from '../../agent/store/share-store.ts';
import { createNotebook, type Notebook } from './notebook.ts';
import { type WriterShare, withWriterShare } from './writer-share.ts';

export type ReplicaShare = {
  readonly root: string;
  readonly share: ShareId;
  readonly notebook: Notebook;
  readonly gate: Gate;
  readonly faults: Faults;
  localChanges: 'revert' | 'alert';
  asked: ReadonlySet<SharePath>;
  store(): ShareStore;
  applier(): Applier;
  observer(): Observer;
  committer(): Committer;
  /** Applies the writer's newest version. */
  follow(): Promise<Outcome>;
  /** The changes that lead there, with their blocks staged. */
  prepare(): Promise<{ readonly target: Applied; readonly changes: readonly Change[] }>;
  scan(): Promise<void>;
  touch(...paths: readonly string[]): Promise<void>;
  /** Puts right what was found to differ, and what that brings to light. @returns paths. */
  heal(): Promise<readonly string[]>;
  /** Digests that had to be fetched, since the last call. */
  fetched(): number;
  /** Contents under `.p2psync/kept`, by path; of several of one path any. */
  kept(): Record<string, string>;
  /** The disk is what the tree says, and holds nothing else. */
  check(): void;
  restart(): Promise<void>;
};

export type Pair = { readonly writer: WriterShare; readonly replica: ReplicaShare };

export async function withReplicaShare(
  use: (pair: Pair) => Promise<void>,
  { ignore = [] }: { readonly ignore?: readonly string[] } = {},
): Promise<void> {
  await withWriterShare(async (writer) => {
    const top = mkdtempSync(join(realpathSync(tmpdir()), 'p2psync-replica-'));
    const share = await openReplica(top, writer, ignore);
    try {
      await use({ writer, replica: share.replica });
    } finally {
      await share.close();
      execFileSync('rm', ['-rf', top]);
    }
  });
}

async function openReplica(top: string, writer: WriterShare, ignored: readonly string[]) {
  const root = join(top, 'share');
  mkdirSync(root);
  const id = writer.share;
  await writeMarker(root, id);
  const notebook = createNotebook();
  const gate = createGate();
  const faults = createFaults();
  const signal = new AbortController().signal;
  let drifted = new Set<SharePath>();
  let fetched = 0;

  async function open() {
    const index = openStore(join(top, 'index'));
    const opened = index.share(id);
    const store: ShareStore = { ...opened, writeDurably: opened.write };
    const rules = createIgnore(ignored);
    const stage: Stage = await openStage(root);
    const committer = createCommitter(root, stage, { durability: 'deferred' });
    const scanner = createScanner(root, { ignore: rules, threads: 1 });
    const reader = createReader(root, { threads: 1 });
    const owners = createOwners();
    const applier = createApplier({
      store,
      committer,
      gate,
      owners,
      ignored: (path, isDirectory) => rules.ignores(path, isDirectory),
      options: () => ({ owner: 'numeric', perms: true, times: true }),
      marker: id,
      checkDirectory: () => checkMarker(root, id),
      faults,
      log: notebook.log,
      // So few that every tree has several.
      partChanges: 3,
    });
    let quiet = Promise.withResolvers<void>();
    const ports = {
      store,
      reader,
      scanner,
      applier,
      gate,
      log: notebook.log,
      onDrifted: (paths: readonly SharePath[]) => paths.forEach((path) => drifted.add(path)),
    };
    const observer = createObserver({
      patienceMs: 0,
      scanner,
      store,
      log: notebook.log,
      watch: () => ({
        add: async () => undefined,
        remove: () => undefined,
        audit: async () => [],
        close: async () => undefined,
      }),
      onChanges: (changes) => handleDrift(changes, ports, { signal, ...replica }),
      onGone: () => undefined,
      async onScanned() {
        const applied = readApplied(store);
        if (applied === null) return;
        for (const path of await findUnindexed(store, applied.root))
          if (mends(path, replica)) drifted.add(path);
      },
      async onQuiet() {
        quiet.resolve();
        quiet = Promise.withResolvers<void>();
      },
      onFailed: (error) => quiet.reject(error),
      onSkipped: () => undefined,
    });
    return { index, store, stage, committer, scanner, reader, applier, observer, quiet: () => quiet.promise };
  }

  async function shut(): Promise<void> {
    await now.observer.close();
    await Promise.all([now.scanner.close(), now.reader.close(), now.committer.close()]);
    await now.stage.close();
    await now.index.close();
  }

  let now = await open();
  let started = false;
  const pages = (digest: Digest) => now.store.page(digest);

  /** As the network would bring it. */
  function bytesOf(digest: Digest): Uint8Array {
    for (const { path, offset, length } of writer.store().locations(digest)) {
      return readFileSync(join(writer.root, path)).subarray(offset, offset + length);
    }
    throw new Error(`the writer has no block ${digest}`);
  }

  async function fetch(digests: readonly Digest[]): Promise<void> {
    const missing = [...new Set(digests)].filter((digest) => !now.stage.has(digest));
    fetched += missing.length;
    const wrong = await now.stage.put(missing.map((digest) => ({ digest, bytes: bytesOf(digest) })));
    assert.equal(wrong, []);
  }

  function blocksOf({ content, size }: FileEntry): Digest[] {
    if (content.kind === 'empty') return [];
    if (content.kind === 'block') return [content.digest];
    return [...iterateBlocks(pages, content.digest, size)].map((block) => block.digest);
  }

  async function fetchFor(changes: readonly Change[]): Promise<void> {
    const files = changes.flatMap(({ after }) => (after?.kind === 'file' ? [after] : []));
    await fetch(files.flatMap(blocksOf).filter((digest) => !now.store.hasBlock(digest)));
  }

  async function commit(target: Applied, changes: readonly Change[] | null): Promise<Outcome> {
    for (let times = 0; times < 3; times += 1) {
      const outcome = await now.applier.apply(target, changes, { signal });
      if (outcome.kind !== 'lost') {
        const failed = outcome.kind === 'applied' ? outcome.result.failed : [];
        for (const { path } of failed) for (const one of [path, ...ancestorsOf(path)]) drifted.add(one);
        await now.stage.prune({ digests: new Set(), contents: new Set() });
        return outcome;
      }
      await fetch(outcome.digests);
    }
    throw new Error('blocks are lost again and again');
  }

  async function prepare() {
    const head = writer.published.at(-1)?.head.head;
    assert.ok(head !== undefined, 'the writer published something');
    for (const digest of writer.store().pageDigests()) {
      const bytes = writer.store().page(digest);
      if (bytes !== undefined && !now.store.hasPage(digest))
        await now.store.write({ pages: [[digest, bytes]] });
    }
    const before = readApplied(now.store);
    const changes = [
      ...(before === null ? diffFromEmpty(pages, head.root) : diffTrees(pages, before.root, head.root)),
    ];
    await fetchFor(changes);
    return { target: { version: head.version, root: head.root }, changes };
  }

  const replica: ReplicaShare = {
    root,
    share: id,
    notebook,
    gate,
    faults,
    localChanges: 'revert',
    asked: new Set(),
    store: () => now.store,
    applier: () => now.applier,
    observer: () => now.observer,
    committer: () => now.committer,
    prepare,
    async follow() {
      const { target, changes } = await prepare();
      return commit(target, readApplied(now.store) === null ? null : changes);
    },
    async scan() {
      if (started) await now.observer.rescan();
      else await now.observer.start();
      started = true;
      await replica.touch();
    },
    async touch(...paths) {
      const mark = 'zz of a test' as SharePath;
      for (let times = 0; times < 3; times += 1) {
        const quiet = now.quiet();
        now.observer.touch(times === 0 ? [...(paths as SharePath[]), mark] : [mark]);
        await quiet;
      }
    },
    async heal() {
      const healed: string[] = [];
      for (let rounds = 0; drifted.size > 0; rounds += 1) {
        assert.ok(rounds < 5, `drift comes to an end: ${[...drifted].join()}`);
        const applied = readApplied(now.store);
        assert.ok(applied !== null);
        const paths = [...drifted].sort(comparePaths);
        drifted = new Set();
        const changes = paths.flatMap((path): Change[] => {
          const entry = lookup(pages, applied.root, path);
          return entry === undefined ? [] : [{ path, before: entry, after: entry }];
        });
        healed.push(...paths);
        await fetchFor(changes);
        await commit(applied, changes);
        await replica.touch(...paths);
      }
      return healed;
    },
    fetched() {
      const count = fetched;
      fetched = 0;
      return count;
    },
    kept() {
      const kept = join(root, '.p2psync', 'kept');
      if (!existsSync(kept)) return {};
      const files = readdirSync(kept, { recursive: true, withFileTypes: true });
      return Object.fromEntries(
        files
          .filter((one) => one.isFile())
          .map((one) => {
            const full = join(one.parentPath, one.name);
            return [full.slice(kept.length + 1).replace(/^[^/]+\//, ''), readFileSync(full, 'latin1')];
          }),
      );
    },
    check() {
      const list = (directory: string): string =>
        execFileSync(
          'find',
          [
            '.',
            '-path',
            './.p2psync',
            '-prune',
            '-o',
            '!',
            '-name',
            '.',
            '-printf',
            '%p %y %m %U %G %T@ %l\n',
          ],
          {
            cwd: directory,
            encoding: 'utf8',
          },
        );
      const sorted = (directory: string): string[] =>
        list(directory)
          .split('\n')
          // Times are kept in microseconds.
          .map((line) => line.replace(/(\.\d{6})\d+/, '$1'))
          .sort();
      assert.equal(sorted(root), sorted(writer.root));
      for (const entry of iterate(pages, readApplied(now.store)?.root as Digest)) {
        if (entry.kind !== 'file') continue;
        const [mine, theirs] = [root, writer.root].map((at) => readFileSync(join(at, entry.path)));
        assert.ok(
          mine !== undefined && theirs !== undefined && mine.equals(theirs),
          `bytes of ${entry.path}`,
        );
        assert.equal(now.store.record(entry.path)?.content, entry.content, `index of ${entry.path}`);
      }
    },
    async restart() {
      await shut();
      now = await open();
      started = false;
      drifted = new Set();
    },
  };
  return { replica, close: shut };
}
