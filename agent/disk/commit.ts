/**
 * The only writer inside a share: prepares files in staging, journals, renames them into place in one burst.
 * Never loses a local change: what is not as the index says goes to `.p2psync/kept` first.
 */
import { assert } from '../base/assert.ts';
import { commitStepsPerCall, durableFilesPerCall, undurableCommitsMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { BlockRef } from '../core/entry.ts';
import type { DirectoryMove } from '../core/moved.ts';
import type { SharePath } from '../core/path.ts';
import type { Step } from '../core/plan.ts';
import type { DiskStat } from '../core/stat.ts';
import { parseStagedName, stageDirectory } from './agent-paths.ts';
import type { SummedBelow } from './below.ts';
import type { Failure, PrepareResult, Task } from './commit-prepare.ts';
import { createReadying, isWhole, makeReady } from './commit-ready.ts';
import type { Done, Kept, Local } from './commit-run.ts';
import type { Fill, Found } from './commit-session.ts';
import type { MetadataOptions } from './metadata.ts';
import { createPool, type Pool, workerUrl } from './pool.ts';
import type { Stage } from './stage.ts';

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
  /** What `.p2psync/share` holds, or the directory is not the share's: its file system may not be mounted. null: anything. */
  readonly marker: string | null;
};

/** How the share is configured. */
export type CommitOptions = MetadataOptions;

export type BlockLocation = { readonly path: SharePath; readonly offset: number; readonly length: number };

export type CommitResult = {
  /** lstat of every path that changed, after everything; null: removed. Of what moved with a directory only the directory, and where it came `from`. */
  readonly done: readonly Done[];
  /** Local changes, and where they are now, relative to the share's directory. */
  readonly kept: readonly { readonly path: SharePath; readonly keptAs: string }[];
  /** These could not be done, all others are. `code`: the system's, or `not-empty`. */
  readonly failed: readonly Failure[];
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
  /**
   * What lies below `from` now, ignored files and all, for who wants to rename it whole; null where that
   * cannot be said, a file has another name, or something lies at `to`.
   */
  below(move: DirectoryMove): Promise<SummedBelow | null>;
  /** Once, before the first commit. */
  recover(ignored: CommitInput['ignored']): Promise<Recovered>;
  /**
   * An abort counts until the renames begin.
   * @throws {P2psyncError} disk-full, outside-share, io (also where the marker is not there), before anything was changed; the signal's reason.
   */
  commit(input: CommitInput, options: { readonly signal: AbortSignal }): Promise<CommitResult>;
  /** The outcome is stored in the index: the journal is done with, its paths wait to be made durable. */
  settle(): Promise<void>;
  /** Makes everything that was settled durable, in the background, in groups. What
   * `recover` said is to be hashed again must be hashed by then: it is forgotten. */
  durable(options: { readonly signal: AbortSignal }): Promise<void>;
  /** A commit is under way, or was done and is not settled yet. */
  isBusy(): boolean;
  close(): Promise<void>;
};

type Range = { readonly from: number; readonly to: number };
type Shape = { readonly count: number; readonly moves: boolean; readonly finishesAt: number };
/** How far one call came: all of it, or up to where the caller has to say something. */
export type Whole =
  | { readonly kind: 'prepared'; readonly result: PrepareResult }
  | { readonly kind: 'renamed'; readonly shape: Shape }
  | { readonly kind: 'done'; readonly done: readonly Done[]; readonly tidied: Tidied };
export type Tidied = {
  readonly kept: readonly Kept[];
  readonly failed: readonly Failure[];
  readonly taken: readonly string[];
};
export type Begin = {
  readonly metadata: MetadataOptions;
  readonly tag: string;
  readonly sync: boolean;
  readonly marker: string | null;
};

export type CommitCalls = {
  belowMove(move: DirectoryMove): SummedBelow | null;
  /** A small commit from its beginning as far as it goes without a word from the caller. What fails before its journal is sealed leaves nothing behind. */
  whole(order: Begin & { readonly tasks: readonly Task[] }): Whole;
  begin(options: Begin): void;
  prepare(tasks: readonly Task[]): PrepareResult;
  fill(fill: Fill): { readonly filled: number[]; readonly lost: Digest[] };
  seal(nothing: undefined): Shape;
  abandon(nothing: undefined): void;
  link(range: Range): void;
  carryOut(range: Range): void;
  blocked(nothing: undefined): readonly SharePath[];
  localsIn(directories: readonly SharePath[]): Local[];
  clear(locals: { readonly keep: readonly SharePath[]; readonly directories: readonly SharePath[] }): void;
  results(range: Range): Done[];
  tidy(options: { readonly sync: boolean }): Tidied;
  /** @returns how many commits are not durable for certain. */
  settle(options: { readonly sync: boolean }): number;
  recover(nothing: undefined): Found;
  shape(nothing: undefined): Shape;
  undurable(nothing: undefined): string[];
  makeDurable(next: { readonly name: string; readonly from: number; readonly count: number }): number | null;
};

export type CommitterOptions = {
  /** `fsync`: everything is durable before a commit resolves. */
  readonly durability: 'deferred' | 'fsync';
  /** Whether the thread waits for the next commit, however long that takes. Default: yes. */
  readonly lasting?: boolean;
};

/** @param root absolute path of the share's directory. */
export function createCommitter(root: string, stage: Stage, options: CommitterOptions): Committer {
  const url = workerUrl('commit-worker', import.meta.url);
  let busy = (): boolean => false;
  const lasts = (): boolean => options.lasting !== false || busy();
  const pool = createPool<CommitCalls>(url, { threads: 1, data: () => root, lasts });
  const committer = createCommitterOn(pool, stage, options);
  busy = committer.isBusy;
  return committer;
}

/** @param pool that answers calls in the order in which they were made: one thread. Closed with the committer. */
export function createCommitterOn(
  pool: Pool<CommitCalls>,
  stage: Stage,
  options: CommitterOptions,
): Committer {
  const sync = options.durability === 'fsync';
  let running = false;
  let settled = true;
  /** Something may not be durable. */
  let isPending = true;

  async function alone<Result>(run: () => Promise<Result>): Promise<Result> {
    assert(!running, 'one commit at a time');
    running = true;
    try {
      return await run();
    } finally {
      running = false;
    }
  }

  async function inSlices(from: number, to: number, run: (range: Range) => Promise<void>): Promise<void> {
    for (let at = from; at < to; at += commitStepsPerCall) {
      await run({ from: at, to: Math.min(to, at + commitStepsPerCall) });
    }
  }

  /** From the journal to the outcome; nothing stops it but a kill. */
  async function carryOut(shape: Shape, ignored: CommitInput['ignored']): Promise<CommitResult> {
    const { count, moves, finishesAt } = shape;
    if (moves) await inSlices(0, count, (range) => pool.call('link', range));
    await inSlices(0, finishesAt, (range) => pool.call('carryOut', range));
    return finish(shape, ignored);
  }

  /** From the last rename on. */
  async function finish(
    { count, finishesAt }: Shape,
    ignored: CommitInput['ignored'],
  ): Promise<CommitResult> {
    await clearLocals(pool, ignored);
    const done: Done[] = [];
    const look = async (range: Range) => {
      for (const one of await pool.call('results', range)) done.push(one);
    };
    await inSlices(0, finishesAt, look);
    // Last, since whatever comes or goes in a directory changes its time, and its mode may hide what lies in it.
    await inSlices(finishesAt, count, (range) => pool.call('carryOut', range));
    await inSlices(finishesAt, count, look);
    return outcome(done, await pool.call('tidy', { sync }));
  }

  function outcome(done: readonly Done[], { kept, failed, taken }: Tidied): CommitResult {
    settled = false;
    const names = taken.map((path) => parseStagedName(path.slice(stageDirectory.length + 1)));
    const digestsOf = (kind: 'block' | 'part') =>
      names.flatMap((name) => (name?.kind === kind ? [name.digest] : []));
    stage.inside.noteTaken({ blocks: digestsOf('block'), contents: digestsOf('part') });
    return { done, kept, failed, lost: [] };
  }

  async function durable(signal: AbortSignal): Promise<void> {
    if (!isPending) return;
    isPending = false;
    try {
      await makeDurable(signal);
    } catch (error) {
      isPending = true;
      throw error;
    }
  }

  async function makeDurable(signal: AbortSignal): Promise<void> {
    for (const name of await pool.call('undurable', undefined)) {
      let from: number | null = 0;
      while (from !== null) {
        signal.throwIfAborted();
        from = await pool.call('makeDurable', { name, from, count: durableFilesPerCall });
      }
    }
  }

  return {
    below: ({ from, to }) => pool.call('belowMove', { from, to }),
    commit: (input, { signal }) =>
      alone(async () => {
        signal.throwIfAborted();
        const contents: Digest[] = [];
        const preparing = { input, stage, pool, signal, contents };
        const readying = createReadying(preparing);
        const begin = { metadata: input.options, tag: input.tag, marker: input.marker, sync };
        const isSmall = input.steps.length <= commitStepsPerCall && isWhole(input.steps);
        const tasks = isSmall ? await readying.tasks(0, input.steps.length) : null;
        signal.throwIfAborted();
        const whole = tasks === null ? null : await pool.call('whole', { ...begin, tasks });
        if (whole?.kind === 'done') return outcome(whole.done, whole.tidied);
        if (whole?.kind === 'renamed') return finish(whole.shape, input.ignored);
        let shape: Shape;
        try {
          if (whole === null) {
            await pool.call('begin', begin);
            await makeReady(readying, preparing);
          } else await readying.take(whole.result);
          const lost = readying.lost();
          if (lost.length > 0) {
            await pool.call('abandon', undefined);
            return { done: [], kept: [], failed: [], lost };
          }
          if (contents.length > 0) await stage.inside.freeze(contents);
          signal.throwIfAborted();
          shape = await pool.call('seal', undefined);
        } catch (error) {
          stage.inside.unfreeze(contents);
          await pool.call('abandon', undefined);
          throw error;
        }
        const result = await carryOut(shape, input.ignored);
        stage.inside.unfreeze(contents);
        return result;
      }),
    recover: (ignored) =>
      alone(async () => {
        const { tag, rehash, rehashAll } = await pool.call('recover', undefined);
        if (tag === null) return { finished: null, rehash, rehashAll };
        const result = await carryOut(await pool.call('shape', undefined), ignored);
        return { finished: { tag, result }, rehash, rehashAll };
      }),
    async settle() {
      isPending = true;
      settled = true;
      if ((await pool.call('settle', { sync })) < undurableCommitsMax) return;
      await durable(new AbortController().signal);
    },
    durable: ({ signal }) => durable(signal),
    isBusy: () => running || !settled,
    close: () => pool.close(),
  };
}

/** Directories that go and hold what nobody knows: ignored files stay and hold the directory, the others are kept. */
async function clearLocals(pool: Pool<CommitCalls>, ignored: CommitInput['ignored']): Promise<void> {
  let level = await pool.call('blocked', undefined);
  const directories = new Set(level);
  const keep: SharePath[] = [];
  while (level.length > 0) {
    const below: SharePath[] = [];
    for (const { path, isDirectory } of await pool.call('localsIn', level)) {
      if (ignored(path, isDirectory)) continue;
      if (!isDirectory) keep.push(path);
      else if (!directories.has(path)) below.push(path);
    }
    for (const path of below) directories.add(path);
    level = below;
  }
  if (directories.size === 0) return;
  await pool.call('clear', {
    keep,
    directories: [...directories].sort((left, right) => right.length - left.length),
  });
}
