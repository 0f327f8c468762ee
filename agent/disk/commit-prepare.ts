/**
 * First phase of a commit: everything that will be renamed into place is made ready in `.p2psync`, with its bytes,
 * owner, mode and time. Changes nothing that a visitor sees. Synchronous; for the commit's worker.
 */
import { constants } from 'node:fs';
import { assert, unreachable } from '../base/assert.ts';
import { MIB } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { FileEntry, SymlinkEntry } from '../core/entry.ts';
import type { SharePath } from '../core/path.ts';
import type { Step } from '../core/plan.ts';
import { type DiskStat, sameStat } from '../core/stat.ts';
import { asideDirectory, readyDirectory, stagedMode } from './agent-paths.ts';
import { type BlockSource, createBlockReader, readFully, writeFully, writeWithHoles } from './block-bytes.ts';
import type { Confined } from './confined.ts';
import { discard } from './discard.ts';
import {
  applyMetadata,
  type Described,
  type Metadata,
  type MetadataOptions,
  metadataFor,
} from './metadata.ts';
import type { Owners } from './owner.ts';
import { hasErrorCode } from './system-errors.ts';
import type { Widener } from './widen.ts';
import type { Work } from './work.ts';

/** Where the bytes of a file come from. */
export type Bytes =
  | { readonly kind: 'none' }
  | { readonly kind: 'empty' }
  /** This file of the stage becomes the file itself; `check`: hash it first. */
  | { readonly kind: 'staged'; readonly path: string; readonly check: Digest | null }
  /** A whole file from one of these. */
  | { readonly kind: 'block'; readonly digest: Digest; readonly sources: readonly BlockSource[] }
  /** A whole copy of a file of the stage, which is complete. */
  | { readonly kind: 'copy'; readonly path: string };

export type Task = {
  /** Of the step in the plan. */
  readonly index: number;
  readonly step: Step;
  readonly expected: DiskStat | null;
  /** Of the step's `from`. */
  readonly fromExpected: DiskStat | null;
  /** The commit itself changes the inode that lies there now: it is a source, or has other names. */
  readonly shared: boolean;
  readonly bytes: Bytes;
};

export type Failure = {
  readonly path: SharePath;
  readonly code: string;
  readonly message: string;
  /** Nor is known what lies below. */
  readonly below?: true;
};

export type PrepareResult = {
  readonly lost: readonly Digest[];
  /** What was to be taken from the disk is not as the index says: these need their bytes from elsewhere. */
  readonly needBytes: readonly number[];
};

export type PrepareContext = {
  readonly options: MetadataOptions;
  readonly owners: Pick<Owners, 'idsOf'>;
  readonly umask: number;
  /** Each file is on the device before it is ready. */
  readonly sync: boolean;
  readonly widener: Widener;
};

export type Preparation = {
  /** By index in the plan. A path that cannot be done has none, and is in `failed`. */
  readonly works: (Work | undefined)[];
  readonly failed: Map<SharePath, Failure>;
  prepare(tasks: readonly Task[]): PrepareResult;
};

const { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } = constants;

export function createPreparation(confined: Confined, context: PrepareContext): Preparation {
  const works: (Work | undefined)[] = [];
  const failed = new Map<SharePath, Failure>();
  const { calls } = confined;

  function prepare(tasks: readonly Task[]): PrepareResult {
    const lost: Digest[] = [];
    const needBytes: number[] = [];
    const reader = createBlockReader(confined);
    try {
      for (const task of tasks) {
        const path = pathOf(task.step);
        try {
          const work = attempt(task, () => prepareOne(task, reader, lost));
          if (work === 'need bytes') needBytes.push(task.index);
          else works[task.index] = work;
        } catch (error) {
          if (hasErrorCode(error, 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EROFS', 'EIO')) throw error;
          for (const failure of failuresOf(task.step, path, error)) failed.set(failure.path, failure);
        }
      }
    } finally {
      reader.close();
    }
    return { lost, needBytes };
  }

  /** A directory that its owner may not search hides what lies in it from us too. */
  function attempt<Result>({ step }: Task, run: () => Result): Result {
    const from = fromOf(step) ?? pathOf(step);
    return context.widener.attempt(pathOf(step), () => context.widener.attempt(from, run));
  }

  function prepareOne(
    task: Task,
    reader: ReturnType<typeof createBlockReader>,
    lost: Digest[],
  ): Work | undefined | 'need bytes' {
    const { step, index, expected } = task;
    const staged = `${readyDirectory}/${index}`;
    const common = {
      path: pathOf(step),
      expected,
      check: task.shared ? lookNow(pathOf(step), expected) : 'strict',
    } as const;
    switch (step.kind) {
      case 'setAside': {
        const aside = expected?.kind === 'directory' ? `${asideDirectory}/${index}` : null;
        return { ...common, kind: 'setAside', aside };
      }
      case 'mkdir':
      case 'remove':
      case 'rmdir':
      case 'look':
        return { ...common, kind: step.kind };
      case 'moveDirectory':
        return moveDirectory(step);
      case 'hardlink':
        return { ...common, kind: 'hardlink', target: step.entry.target, staged };
      case 'finish':
        return { ...common, kind: 'finish', metadata: metadataOf(step.entry, step.entry.path) };
      case 'symlink':
        return makeSymlink(step.entry);
      case 'metadata': {
        const found = confined.lstat(step.entry.path);
        if (found !== null && expected !== null && sameStat(found, expected)) {
          return {
            ...common,
            check: 'verified',
            kind: 'metadata',
            metadata: metadataOf(step.entry, step.entry.path),
          };
        }
        if (step.entry.kind === 'symlink') return makeSymlink(step.entry);
        return task.bytes.kind === 'none' ? 'need bytes' : makeFile(step.entry);
      }
      case 'place': {
        if (step.from !== null && task.bytes.kind === 'none')
          return linkable(step.from, step.entry) ?? 'need bytes';
        return makeFile(step.entry);
      }
      default:
        return unreachable(step);
    }

    function moveDirectory({ path, from }: Step & { kind: 'moveDirectory' }): Work | undefined {
      const found = confined.lstat(from);
      if (found?.kind === 'directory' && found.ino === task.fromExpected?.ino)
        return { ...common, kind: 'moveDirectory', from, ino: found.ino };
      for (const failure of unmoved(path, from)) failed.set(failure.path, failure);
      return undefined;
    }

    function linkable(from: SharePath, entry: FileEntry): Work | undefined {
      const found = confined.lstat(from);
      if (found === null || task.fromExpected === null || !sameStat(found, task.fromExpected))
        return undefined;
      // With another name outside the share, the new mode and time would show there too.
      if (found.kind !== 'file' || found.nlink !== 1 || found.size !== entry.size) return undefined;
      const metadata = metadataOf(entry, entry.path);
      return { ...common, kind: 'move', from, staged, ino: found.ino, size: found.size, metadata };
    }

    function makeSymlink(entry: SymlinkEntry): Work {
      discard(confined, staged);
      confined.symlink(entry.target, staged);
      return readyAt(staged, entry, null);
    }

    function makeFile(entry: FileEntry): Work | undefined {
      const { bytes } = task;
      switch (bytes.kind) {
        case 'none':
          return assertNever('a file has bytes, or is empty');
        case 'empty':
          writeReady(staged, 0, () => undefined);
          return readyAt(staged, entry, null);
        case 'staged':
          if (
            bytes.check !== null &&
            reader.read(bytes.check, entry.size, [{ path: bytes.path, offset: 0 }]) === null
          ) {
            lost.push(bytes.check);
            discard(confined, bytes.path);
            return undefined;
          }
          return readyAt(bytes.path, entry, entry.content.kind === 'block' ? entry.content.digest : null);
        case 'block': {
          const found = reader.read(bytes.digest, entry.size, bytes.sources);
          if (found === null) {
            lost.push(bytes.digest);
            return undefined;
          }
          const write = entry.sparse ? writeWithHoles : writeFully;
          writeReady(staged, entry.size, (file) => write(confined, file, found, 0));
          return readyAt(staged, entry, bytes.digest);
        }
        case 'copy':
          writeReady(staged, entry.size, (file) => copyAll(bytes.path, file, entry));
          return readyAt(staged, entry, null);
        default:
          return unreachable(bytes);
      }
    }

    function readyAt(at: string, entry: FileEntry | SymlinkEntry, whole: Digest | null): Work {
      const metadata = metadataOf(entry, entry.path);
      // First, since what was made just now has another time for certain: so one look tells all the rest.
      if (metadata.mtime !== null) confined.setTime(at, metadata.mtime);
      const made = confined.lstat(at);
      assert(made !== null, 'what was made ready is there');
      // Before the mode, which may forbid us to open it.
      if (context.sync && entry.kind === 'file') syncFile(at);
      applyMetadata(confined, at, metadata, made);
      const { ino, size, mtimeNs } = made;
      return { ...common, kind: 'place', staged: at, ino, size, mtimeNs, whole };
    }
  }

  function lookNow(path: SharePath, expected: DiskStat | null): 'verified' | 'changed' {
    const found = confined.lstat(path);
    return found !== null && expected !== null && sameStat(found, expected) ? 'verified' : 'changed';
  }

  function metadataOf(entry: Described, path: SharePath): Metadata {
    const replaced = context.options.perms || entry.kind === 'symlink' ? null : confined.lstat(path);
    return metadataFor(entry, { ...context, replaced });
  }

  function writeReady(path: string, size: number, write: (file: number) => void): void {
    discard(confined, path);
    const file = confined.open(path, O_CREAT | O_TRUNC | O_WRONLY, stagedMode);
    try {
      if (size > 0) calls.ftruncateSync(file, size);
      write(file);
    } finally {
      calls.closeSync(file);
    }
  }

  function copyAll(from: string, to: number, { size, sparse }: FileEntry): void {
    const write = sparse ? writeWithHoles : writeFully;
    const buffer = new Uint8Array(Math.min(size, MIB));
    const source = confined.open(from, O_RDONLY);
    try {
      for (let at = 0; at < size; at += buffer.byteLength) {
        const bytes = buffer.subarray(0, Math.min(buffer.byteLength, size - at));
        assert(readFully(confined, source, bytes, at), 'a complete part has all its bytes');
        write(confined, to, bytes, at);
      }
    } finally {
      calls.closeSync(source);
    }
  }

  function syncFile(path: string): void {
    const file = confined.open(path, O_RDONLY);
    try {
      calls.fsyncSync(file);
    } finally {
      calls.closeSync(file);
    }
  }

  return { works, failed, prepare };
}

export function pathOf(step: Step): SharePath {
  return 'entry' in step ? step.entry.path : step.path;
}

/** Where its bytes are now, where that is elsewhere in the share. */
export function fromOf(step: Step): SharePath | null {
  return step.kind === 'place' || step.kind === 'moveDirectory' ? step.from : null;
}

/** A directory is not where it was to be taken from: nobody knows any more what lies at either name. */
export function unmoved(path: SharePath, from: SharePath): Failure[] {
  const message = `${JSON.stringify(path)} was to come from ${JSON.stringify(from)}, which was changed here a moment ago`;
  return [path, from].map((one) => ({ path: one, code: 'changed', message, below: true }));
}

/** Of a step or a work. */
export function failuresOf(
  act: { readonly kind: string; readonly from?: SharePath | null },
  path: SharePath,
  error: unknown,
): Failure[] {
  if (act.kind !== 'moveDirectory') return [failureOf(path, error)];
  return [path, act.from ?? path].map((one) => ({ ...failureOf(one, error), below: true }));
}

export function failureOf(path: SharePath, error: unknown): Failure {
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'io';
  return { path, code, message: error instanceof Error ? error.message : String(error) };
}

function assertNever(what: string): never {
  assert(false, what);
}
