/** Finds the bytes of every file of a commit: in the stage, or in files that are live. Drives the worker's first phase. */
import { assert } from '../base/assert.ts';
import { commitFillBytesPerCall, commitStepsPerCall } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { FileEntry } from '../core/entry.ts';
import type { Step } from '../core/plan.ts';
import { partOf, stagedBlock } from './agent-paths.ts';
import type { CommitCalls, CommitInput } from './commit.ts';
import { type Bytes, fromOf, type PrepareResult, pathOf, type Task } from './commit-prepare.ts';
import type { Fill } from './commit-session.ts';
import type { Pool } from './pool.ts';
import type { Stage } from './stage.ts';

export type Preparing = {
  readonly input: CommitInput;
  readonly stage: Stage;
  readonly pool: Pool<CommitCalls>;
  readonly signal: AbortSignal;
  /** Gets the contents whose parts are about to become files. */
  readonly contents: Digest[];
};

export type Readying = {
  /** For the worker's `prepare`: what to do for these steps, and where the bytes are. */
  tasks(from: number, to: number): Promise<Task[]>;
  /** What the worker said to them: finds bytes for those it thought it had. */
  take(result: PrepareResult): Promise<void>;
  /** Blocks that are nowhere. */
  lost(): Digest[];
};

/** True where every file is there as it is or in one piece: nothing has to be put together first. */
export function isWhole(steps: readonly Step[]): boolean {
  return steps.every(
    (step) => step.kind !== 'place' || step.from !== null || step.entry.content.kind !== 'list',
  );
}

/** All steps of a commit that was begun, some at a time. */
export async function makeReady(readying: Readying, { input, pool, signal }: Preparing): Promise<void> {
  for (let at = 0; at < input.steps.length; at += commitStepsPerCall) {
    signal.throwIfAborted();
    await readying.take(await pool.call('prepare', await readying.tasks(at, at + commitStepsPerCall)));
  }
}

export function createReadying(preparing: Preparing): Readying {
  const { input, pool, stage, signal } = preparing;
  const { steps } = input;
  const sources = new Set(
    steps.flatMap((step) => (step.kind === 'place' && step.from !== null ? [step.from] : [])),
  );
  const users = countUsers(steps);
  const lost = new Set<Digest>();

  return {
    async tasks(from, to) {
      const tasks: Task[] = [];
      for (const [offset, step] of steps.slice(from, to).entries()) {
        const task = taskOf(step, from + offset);
        if (step.kind !== 'place' || step.from !== null) tasks.push(task);
        else tasks.push({ ...task, bytes: await bytesOf(step.entry) });
      }
      return tasks;
    },
    async take(result) {
      noteLost(result.lost);
      if (result.needBytes.length === 0) return;
      const again: Task[] = [];
      for (const index of result.needBytes) {
        const step = steps[index];
        assert(
          step !== undefined && 'entry' in step && step.entry.kind === 'file',
          'only a file needs bytes',
        );
        addUser(step.entry);
        again.push({ ...taskOf(step, index), bytes: await bytesOf(step.entry) });
      }
      const second = await pool.call('prepare', again);
      assert(second.needBytes.length === 0, 'bytes are asked for once');
      noteLost(second.lost);
    },
    lost: () => [...lost],
  };

  function taskOf(step: Step, index: number): Task {
    const path = pathOf(step);
    const expected = input.expected(path);
    const from = fromOf(step);
    return {
      index,
      step,
      expected,
      fromExpected: from === null ? null : input.expected(from),
      shared: step.kind === 'look' || sources.has(path) || isShared(expected),
      bytes: { kind: 'none' },
    };
  }

  function noteLost(digests: readonly Digest[]): void {
    for (const digest of digests) lost.add(digest);
    stage.inside.noteTaken({
      blocks: digests.filter((digest) => stage.inside.blockFile(digest) === 'unchecked'),
      contents: [],
    });
  }

  function addUser(entry: FileEntry): void {
    if (entry.content.kind !== 'empty')
      users.set(entry.content.digest, (users.get(entry.content.digest) ?? 0) + 1);
  }

  /** The last of those who want a file of the stage takes it; the others copy. */
  async function bytesOf(entry: FileEntry): Promise<Bytes> {
    const { content } = entry;
    if (content.kind === 'empty') return { kind: 'empty' };
    const { digest } = content;
    const left = (users.get(digest) ?? 1) - 1;
    users.set(digest, left);
    if (content.kind === 'list') {
      await fillPart(entry, digest);
      const path = partOf(digest);
      if (left > 0) return { kind: 'copy', path };
      preparing.contents.push(digest);
      return { kind: 'staged', path, check: null };
    }
    const staged = stage.inside.blockFile(digest);
    if (staged !== null && left === 0 && !entry.sparse) {
      return { kind: 'staged', path: stagedBlock(digest), check: staged === 'unchecked' ? digest : null };
    }
    return { kind: 'block', digest, sources: [...stage.inside.sourcesOf(digest), ...input.locate(digest)] };
  }

  /** Copies what is not here yet from wherever it is. */
  async function fillPart(entry: FileEntry, content: Digest): Promise<void> {
    const blocks = input.blocksOf(content);
    await stage.assemble(entry, blocks);
    const part = stage.inside.part(content);
    assert(part !== undefined, 'an assembly that was just begun');
    let batch: Fill['blocks'][number][] = [];
    let bytes = 0;
    const flush = async () => {
      signal.throwIfAborted();
      const { filled, lost: gone } = await pool.call('fill', {
        part: partOf(content),
        sparse: entry.sparse,
        blocks: batch,
      });
      stage.inside.noteFilled(content, filled);
      noteLost(gone);
      batch = [];
      bytes = 0;
    };
    for (const [index, { digest, length }] of blocks.entries()) {
      if (part.filled[index] === 1) continue;
      const offset = part.offsets[index] ?? 0;
      const from = [...stage.inside.sourcesOf(digest), ...input.locate(digest)];
      batch.push({ index, offset, digest, length, sources: from });
      bytes += length;
      if (bytes >= commitFillBytesPerCall) await flush();
    }
    if (batch.length > 0) await flush();
  }
}

/** Its ctime changes when one of its other names comes or goes. */
function isShared(expected: { readonly kind: string; readonly nlink: number } | null): boolean {
  return expected !== null && expected.kind === 'file' && expected.nlink > 1;
}

/** How many files of the plan want a content. */
function countUsers(steps: readonly Step[]): Map<Digest, number> {
  const users = new Map<Digest, number>();
  for (const step of steps) {
    if (step.kind !== 'place' || step.from !== null || step.entry.content.kind === 'empty') continue;
    const { digest } = step.entry.content;
    users.set(digest, (users.get(digest) ?? 0) + 1);
  }
  return users;
}
