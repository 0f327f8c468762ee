/** A share on a real disk with its stage and committer, an index in memory, and a look at what is there. */
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type {
  BlockRef,
  Change,
  Content,
  Entry,
  FileEntry,
  HardlinkEntry,
  Owner,
} from '../../agent/core/entry.ts';
import { findDirectoryMoves, withoutMoved } from '../../agent/core/moved.ts';
import { comparePaths, type SharePath } from '../../agent/core/path.ts';
import { planSteps, type Step } from '../../agent/core/plan.ts';
import { type DiskStat, mtimeUsOf } from '../../agent/core/stat.ts';
import {
  type CommitCalls,
  type CommitInput,
  type CommitOptions,
  type CommitResult,
  type Committer,
  createCommitter,
  createCommitterOn,
} from '../../agent/disk/commit.ts';
import { commitHandlers } from '../../agent/disk/commit-handlers.ts';
import { createSession } from '../../agent/disk/commit-session.ts';
import { type FileCalls, openConfined } from '../../agent/disk/confined.ts';
import { diskStatOf } from '../../agent/disk/disk-stat.ts';
import { createOwners } from '../../agent/disk/owner.ts';
import type { Calls, Pool } from '../../agent/disk/pool.ts';
import type { Handlers } from '../../agent/disk/pool-worker.ts';
import { openStage, openStageOn, type Stage, type StageCalls } from '../../agent/disk/stage.ts';
import { stageHandlers } from '../../agent/disk/stage-handlers.ts';

export const path = (text: string) => text as SharePath;
export const nobody: Owner = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  user: '',
  group: '',
};
const wholeBytesMax = 64 * 1024;

/** What a file holds, by content: the writer's side of the tests. */
export class Library {
  readonly blocks = new Map<Digest, Uint8Array>();
  readonly lists = new Map<Digest, readonly BlockRef[]>();

  contentOf(bytes: Uint8Array): Content {
    if (bytes.byteLength === 0) return { kind: 'empty' };
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.byteLength; at += wholeBytesMax)
      pieces.push(bytes.subarray(at, at + wholeBytesMax));
    const refs = pieces.map((piece) => {
      const digest = digestOf(piece);
      this.blocks.set(digest, piece);
      return { digest, length: piece.byteLength };
    });
    const [first] = refs;
    if (refs.length === 1 && first !== undefined) return { kind: 'block', digest: first.digest };
    const digest = digestOf(Buffer.from(refs.map((ref) => ref.digest).join()));
    this.lists.set(digest, refs);
    return { kind: 'list', digest, cut: 'small' };
  }

  file(at: string, content: string | Uint8Array, more: Partial<FileEntry> = {}): FileEntry {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    return {
      kind: 'file',
      path: path(at),
      mode: 0o644,
      owner: nobody,
      mtimeUs: 1_600_000_000_123_457,
      size: bytes.byteLength,
      sparse: false,
      content: this.contentOf(bytes),
      ...more,
    };
  }

  refsOf(content: Content): readonly BlockRef[] {
    if (content.kind === 'empty') return [];
    if (content.kind === 'list') return this.lists.get(content.digest) ?? [];
    return [{ digest: content.digest, length: this.blocks.get(content.digest)?.byteLength ?? 0 }];
  }
}

export const directory = (at: string, more: Partial<Entry & { mode: number }> = {}): Entry =>
  ({
    kind: 'directory',
    path: path(at),
    mode: 0o755,
    owner: nobody,
    mtimeUs: 1_500_000_000_000_001,
    ...more,
  }) as Entry;
export const symlink = (at: string, target: string): Entry => ({
  kind: 'symlink',
  path: path(at),
  owner: nobody,
  mtimeUs: 1_400_000_000_000_001,
  target,
});
export const hardlink = (at: string, target: string): Entry => ({
  kind: 'hardlink',
  path: path(at),
  target: path(target),
});

export type Tree = ReadonlyMap<SharePath, Entry>;
export const treeOf = (entries: readonly Entry[]): Tree =>
  new Map(
    entries
      .toSorted((left, right) => comparePaths(left.path, right.path))
      .map((entry) => [entry.path, entry]),
  );

export function diff(before: Tree, after: Tree): Change[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort(comparePaths)
    .map((at) => ({ path: at, before: before.get(at) ?? null, after: after.get(at) ?? null }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
}

export function stepsBetween(
  before: Tree,
  after: Tree,
  { whole = false }: { readonly whole?: boolean } = {},
): readonly Step[] {
  const changes = diff(before, after);
  const moves = whole ? findDirectoryMoves(changes) : [];
  return planSteps({
    changes: withoutMoved(changes, moves),
    moves,
    after: (at) => after.get(at),
    linksTo: (at) =>
      [...after.values()].filter(
        (entry): entry is HardlinkEntry => entry.kind === 'hardlink' && entry.target === at,
      ),
  });
}

export function lstat(root: string, at: string): DiskStat | null {
  const stat = lstatSync(join(root, at), { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : diskStatOf(stat);
}

export type Share = {
  readonly root: string;
  readonly library: Library;
  stage: Stage;
  committer: Committer;
  tree: Tree;
  readonly index: Map<SharePath, DiskStat>;
  /** Stages what is not live here, commits, and takes the outcome into the index. */
  apply(entries: readonly Entry[], options?: ApplyOptions): Promise<CommitResult>;
  inputOf(after: Tree, options?: ApplyOptions): CommitInput;
  stageFor(after: Tree): Promise<void>;
  takeIn(after: Tree, result: CommitResult): void;
  /** The disk is what the tree says. */
  check(entries: readonly Entry[]): void;
  /** As a new process would. */
  restart(calls?: FileCalls): Promise<void>;
  close(): Promise<void>;
};

export type ApplyOptions = {
  /** Directories that move do so in one step. */
  readonly whole?: boolean;
  readonly fetch?: boolean;
  readonly ignored?: CommitInput['ignored'];
  readonly options?: CommitOptions;
  readonly signal?: AbortSignal;
};

const defaults: CommitOptions = { owner: 'numeric', perms: true, times: true };

/** Answers in this thread, at once. */
function directPool<Shape extends Calls<Shape>>(handlers: Handlers<Shape>, close: () => void): Pool<Shape> {
  const table = new Map<string, unknown>(Object.entries(handlers));
  return {
    threads: 1,
    async call(name, argument) {
      const handler = table.get(name);
      assert.ok(typeof handler === 'function');
      return handler(argument, { cancelled: () => false, transfer: [] });
    },
    tell: () => assert.unreachable('nobody tells'),
    close: async () => close(),
  };
}

export type ShareOptions = {
  readonly durability?: 'deferred' | 'fsync';
  readonly root?: string;
  /** System calls to go through, in this thread; none: the real ones, in worker threads. */
  readonly calls?: FileCalls;
  /** Of the kernel, where another boot is to be pretended. */
  readonly boot?: string;
};

export async function openShare(options: ShareOptions = {}): Promise<Share> {
  const { durability = 'deferred', root = mkdtempSync(join(tmpdir(), 'share-')), boot } = options;
  const library = new Library();
  const index = new Map<SharePath, DiskStat>();

  async function open(calls: FileCalls | undefined): Promise<[Stage, Committer]> {
    if (calls === undefined) {
      const stage = await openStage(root);
      return [stage, createCommitter(root, stage, { durability })];
    }
    const confined = openConfined(root, calls);
    const stage = await openStageOn(
      directPool<StageCalls>(stageHandlers(confined, root), () => confined.forget()),
    );
    const inCommit = openConfined(root, calls);
    const clock = { nowMs: () => Date.now(), ...(boot === undefined ? {} : { boot }) };
    const handlers = commitHandlers(createSession(inCommit, createOwners(), clock), root);
    const pool = directPool<CommitCalls>(handlers, () => inCommit.forget());
    return [stage, createCommitterOn(pool, stage, { durability })];
  }
  const [stage, committer] = await open(options.calls);

  function locate(digest: Digest) {
    const places: { path: SharePath; offset: number; length: number }[] = [];
    for (const entry of share.tree.values()) {
      if (entry.kind !== 'file' || !index.has(entry.path)) continue;
      let offset = 0;
      for (const ref of library.refsOf(entry.content)) {
        if (ref.digest === digest) places.push({ path: entry.path, offset, length: ref.length });
        offset += ref.length;
      }
    }
    return places;
  }

  const share: Share = {
    root,
    library,
    stage,
    committer,
    tree: treeOf([]),
    index,
    inputOf(after, { ignored = () => false, options = defaults, whole = false } = {}) {
      return {
        steps: stepsBetween(share.tree, after, { whole }),
        tag: 'tag',
        expected: (at) => index.get(at) ?? null,
        locate,
        blocksOf: (content) => library.lists.get(content) ?? [],
        ignored,
        options,
        marker: null,
      };
    },
    async stageFor(after) {
      const wanted: { digest: Digest; bytes: Uint8Array }[] = [];
      for (const { after: entry } of diff(share.tree, after)) {
        if (entry?.kind !== 'file') continue;
        const refs = library.refsOf(entry.content);
        if (entry.content.kind === 'list') await share.stage.assemble(entry, refs);
        for (const { digest } of refs) {
          const bytes = library.blocks.get(digest);
          if (bytes !== undefined && locate(digest).length === 0) wanted.push({ digest, bytes });
        }
      }
      assert.equal(await share.stage.put(wanted), []);
    },
    takeIn(after, result) {
      if (result.lost.length > 0) return;
      for (const { path: to, from } of result.done) {
        if (from === undefined) continue;
        for (const [at, stat] of index) {
          if (at !== from && !at.startsWith(`${from}/`)) continue;
          index.delete(at);
          index.set(path(`${to}${at.slice(from.length)}`), stat);
        }
      }
      for (const { path: at, stat } of result.done) {
        if (stat === null) index.delete(at);
        else index.set(at, stat);
      }
      share.tree = after;
    },
    async apply(entries, options = {}) {
      const after = treeOf(entries);
      if (options.fetch !== false) await share.stageFor(after);
      const signal = options.signal ?? new AbortController().signal;
      const result = await share.committer.commit(share.inputOf(after, options), { signal });
      share.takeIn(after, result);
      if (result.lost.length === 0) await share.committer.settle();
      return result;
    },
    check(entries) {
      for (const entry of treeOf(entries).values()) checkEntry(root, library, entry);
    },
    async restart(calls = options.calls) {
      await share.committer.close();
      await share.stage.close();
      [share.stage, share.committer] = await open(calls);
    },
    async close() {
      await share.committer.close();
      await share.stage.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
  return share;
}

export function checkEntry(root: string, library: Library, entry: Entry): void {
  const stat = lstat(root, entry.path);
  const at = entry.path;
  assert.ok(stat !== null, `${at} is there`);
  if (entry.kind === 'hardlink') {
    assert.is(stat.ino, lstat(root, entry.target)?.ino, `${at} is linked to ${entry.target}`);
    return;
  }
  assert.is(stat.kind, entry.kind, `kind of ${at}`);
  assert.is(mtimeUsOf(stat), entry.mtimeUs, `time of ${at}`);
  assert.equal([stat.uid, stat.gid], [entry.owner.uid, entry.owner.gid], `owner of ${at}`);
  if (entry.kind === 'symlink') assert.is(readlinkSync(join(root, at)), entry.target);
  else assert.is(stat.mode.toString(8), entry.mode.toString(8), `mode of ${at}`);
  if (entry.kind !== 'file') return;
  const bytes = Buffer.concat(
    library.refsOf(entry.content).map(({ digest }) => library.blocks.get(digest) ?? Buffer.of()),
  );
  assert.ok(readFileSync(join(root, at)).equals(bytes), `bytes of ${at}`);
}
