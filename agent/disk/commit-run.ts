/**
 * Second phase of a commit: the works of a journal, carried out on the share. Each can be done again after a kill at
 * any point. What is not as the index says is kept aside first; what fails stops nothing else. Synchronous; for the
 * commit's worker.
 */
import { AssertionFailed, assert, unreachable } from '../base/assert.ts';
import { parentOf, type SharePath, topDirectory } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { asideDirectory, readyDirectory, stageDirectory } from './agent-paths.ts';
import { type Failure, failureOf, failuresOf, unmoved } from './commit-prepare.ts';
import type { Confined } from './confined.ts';
import { discard } from './discard.ts';
import type { Keeper } from './kept.ts';
import { applyMetadata, type Metadata } from './metadata.ts';
import { sweep } from './sweep.ts';
import { hasErrorCode } from './system-errors.ts';
import type { Widener } from './widen.ts';
import { asExpected, type Work } from './work.ts';

export type Kept = { readonly path: SharePath; readonly keptAs: string };
/** `from`: this directory came from there, with everything in it. */
export type Done = { readonly path: SharePath; readonly stat: DiskStat | null; readonly from?: SharePath };
export type Local = { readonly path: SharePath; readonly isDirectory: boolean };

export type Run = {
  /** First, for all works: what moves gets a second name, so that swaps and chains of moves find their bytes. */
  link(works: readonly Work[]): void;
  /** In the order of the plan. */
  carryOut(works: readonly Work[]): void;
  /** Directories to be removed that hold something nobody told of. */
  readonly blocked: readonly SharePath[];
  /** What lies directly in these. */
  localsIn(directories: readonly SharePath[]): Local[];
  /** Keeps these aside and removes those, which must be in order, the deepest first. */
  clear(locals: { readonly keep: readonly SharePath[]; readonly directories: readonly SharePath[] }): void;
  /** After everything else: modes that were widened, what was set aside. */
  tidy(): void;
  /** lstat of what these works were about, before a `finish` may hide it; nothing of those that failed. */
  results(works: readonly Work[]): Done[];
  /** Of the stage, what went into the share. */
  readonly taken: readonly string[];
  readonly kept: readonly Kept[];
  readonly failed: ReadonlyMap<SharePath, Failure>;
};

export type RunContext = {
  readonly keeper: Keeper;
  /** True where the works may have been carried out before, in part. */
  readonly again: boolean;
  readonly failed: Map<SharePath, Failure>;
  readonly widener: Widener;
};

export function createRun(confined: Confined, { keeper, again, failed, widener }: RunContext): Run {
  const kept: Kept[] = [];
  const taken: string[] = [];
  const blocked: SharePath[] = [];
  /** Where directories are that were set aside. */
  const asides = new Map<SharePath, string>();
  let looked = false;

  /** Each work on its own: what one path cannot do, the others can. */
  function each(works: readonly Work[], act: (work: Work) => void): void {
    for (const work of works) {
      if (failed.has(work.path)) continue;
      try {
        widener.attempt(work.path, () => act(work));
      } catch (error) {
        if (error instanceof AssertionFailed) throw error;
        note(failuresOf(work, work.path, error));
      }
    }
  }

  function note(failures: readonly Failure[]): void {
    for (const failure of failures) failed.set(failure.path, failure);
  }

  function keep(at: string, path: SharePath): void {
    const keptAs = keeper.keep(at, path);
    confined.forget(at);
    kept.push({ path, keptAs });
  }

  /** Makes room for what is about to be renamed over the path. */
  function keepLocal(work: Work, found: DiskStat | null): void {
    if (found !== null && !asExpected(work, found)) keep(work.path, work.path);
  }

  /** A path of the old tree, wherever the directory above it is now. */
  function locate(path: SharePath): string {
    if (asides.size === 0) return path;
    for (let above = parentOf(path); above !== topDirectory; above = parentOf(above)) {
      const aside = asides.get(above);
      if (aside !== undefined) return `${aside}${path.slice(above.length)}`;
    }
    return path;
  }

  function carryOutOne(work: Work): void {
    const { path } = work;
    switch (work.kind) {
      case 'setAside':
        return setAside(work);
      case 'mkdir': {
        const found = confined.lstat(path);
        if (found?.kind === 'directory') return;
        if (found !== null) keepLocal(work, found);
        // Nobody looks in before `finish` has said who may.
        return confined.mkdir(path, 0o700);
      }
      case 'moveDirectory':
        return moveDirectory(work);
      case 'place':
        if (renameOver(work) && work.staged.startsWith(`${stageDirectory}/`)) taken.push(work.staged);
        return;
      case 'move':
        renameOver(work);
        return describe(path, work.metadata);
      case 'hardlink':
        return hardlink(work);
      case 'metadata': {
        const found = confined.lstat(path);
        const same =
          found !== null && asExpected(work, found) && (again || found.mtimeNs === work.expected?.mtimeNs);
        if (!same) return fail(path, 'changed', 'was changed here a moment ago');
        return describe(path, work.metadata);
      }
      case 'finish':
        describe(path, work.metadata);
        return widener.settled(path);
      case 'remove': {
        const at = locate(path);
        const found = confined.lstat(at);
        if (found === null) return;
        if (found.kind !== 'directory' && asExpected(work, found)) confined.unlink(at);
        else keep(at, path);
        return;
      }
      case 'rmdir':
        return removeDirectory(path);
      case 'look':
        return;
      default:
        return unreachable(work);
    }
  }

  function setAside(work: Work & { kind: 'setAside' }): void {
    const { path, aside } = work;
    const found = confined.lstat(path);
    if (aside === null) {
      if (found === null || found.kind === 'directory') return;
      if (asExpected(work, found)) confined.unlink(path);
      else keep(path, path);
      return;
    }
    if (again && confined.lstat(aside) !== null) asides.set(path, aside);
    if (found?.kind !== 'directory') return;
    if (asides.has(path)) return keep(path, path);
    confined.rename(path, aside);
    asides.set(path, aside);
  }

  function moveDirectory({ path, from, ino }: Work & { kind: 'moveDirectory' }): void {
    const found = confined.lstat(path);
    if (found?.ino === ino) return;
    const at = locate(from);
    const source = confined.lstat(at);
    if (source?.kind !== 'directory' || source.ino !== ino) {
      return note(unmoved(path, from));
    }
    if (found !== null) keep(path, path);
    // Into another directory only who may write in the moved one can take it along.
    widener.attempt(`${at}/x`, () => confined.rename(at, path));
  }

  /** @returns false where it was done before. */
  function renameOver(work: Work & { kind: 'place' | 'move' }): boolean {
    const { path, staged, ino } = work;
    const found = confined.lstat(path);
    if (found?.ino === ino) return false;
    keepLocal(work, found);
    confined.renameFile(staged, path);
    return true;
  }

  function hardlink({ path, target, staged, ...rest }: Work & { kind: 'hardlink' }): void {
    const first = confined.lstat(target);
    const found = confined.lstat(path);
    if (failed.has(target) || first?.kind !== 'file')
      return fail(path, 'ENOENT', `has no file ${JSON.stringify(target)} to be linked to`);
    if (found?.ino === first.ino) return;
    keepLocal({ path, target, staged, ...rest }, found);
    discard(confined, staged);
    confined.link(target, staged);
    confined.renameFile(staged, path);
  }

  function describe(path: SharePath, metadata: Metadata): void {
    const found = confined.lstat(path);
    if (found === null) return fail(path, 'ENOENT', 'is not there');
    applyMetadata(confined, path, metadata, found);
  }

  function removeDirectory(path: SharePath): void {
    const at = locate(path);
    const found = confined.lstat(at);
    if (found === null) return;
    if (found.kind !== 'directory') return keep(at, path);
    try {
      confined.rmdir(at);
    } catch (error) {
      if (!hasErrorCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
      // What was set aside is cleared whole at the end.
      if (at === path) blocked.push(path);
    }
  }

  function fail(path: SharePath, code: string, what: string): void {
    failed.set(path, { path, code, message: `${JSON.stringify(path)} ${what}` });
  }

  function linkOne(work: Work): void {
    if (work.kind !== 'move') return;
    const { path, from, staged, ino, size } = work;
    if (confined.lstat(path)?.ino === ino) return;
    const made = confined.lstat(staged);
    if (made?.ino === ino) return;
    if (made !== null) confined.unlink(staged);
    const source = confined.lstat(from);
    if (source?.ino !== ino || source.size !== size) {
      return fail(
        path,
        'changed',
        `was to come from ${JSON.stringify(from)}, which was changed here a moment ago`,
      );
    }
    try {
      confined.link(from, staged);
    } catch (error) {
      // The kernel lets nobody but root link another's file (fs.protected_hardlinks); its old path goes in any case.
      if (!hasErrorCode(error, 'EPERM', 'EMLINK', 'ENOTSUP')) throw error;
      confined.rename(from, staged);
    }
  }

  return {
    blocked,
    taken,
    kept,
    failed,
    link: (works) => each(works, linkOne),
    carryOut: (works) => each(works, carryOutOne),
    localsIn(directories) {
      const locals: Local[] = [];
      for (const directory of directories) {
        for (const name of confined.list(directory)) {
          const path = `${directory}/${name}` as SharePath;
          const found = confined.lstat(path);
          if (found !== null && !failed.has(path))
            locals.push({ path, isDirectory: found.kind === 'directory' });
        }
      }
      return locals;
    },
    clear({ keep: files, directories }) {
      for (const path of files) {
        try {
          widener.attempt(path, () => keep(path, path));
        } catch (error) {
          failed.set(path, failureOf(path, error));
        }
      }
      for (const path of directories) {
        try {
          widener.attempt(path, () => confined.rmdir(path));
        } catch (error) {
          if (hasErrorCode(error, 'ENOENT')) continue;
          if (!hasErrorCode(error, 'ENOTEMPTY', 'EEXIST')) failed.set(path, failureOf(path, error));
          else fail(path, 'not-empty', 'stays: it holds files that are ignored here; remove them by hand');
        }
      }
    },
    tidy() {
      for (const [path, aside] of asides) {
        assert(aside.startsWith(`${asideDirectory}/`), 'only what was set aside is swept');
        try {
          widener.attempt(
            `${aside}/x`,
            () => confined.lstat(aside) !== null && sweep(confined, { at: aside, path }, keep),
          );
        } catch (error) {
          failed.set(path, failureOf(path, error));
        }
      }
      widener.restore();
      for (const path of taken)
        if (path.endsWith('.part')) discard(confined, `${path.slice(0, -'part'.length)}list`);
      for (const name of confined.list(readyDirectory)) discard(confined, `${readyDirectory}/${name}`);
    },
    results(works) {
      const done: Done[] = [];
      // A directory that a person renamed meanwhile is not found under its old path.
      if (!looked) confined.forget();
      looked = true;
      for (const work of works) {
        if (work.kind === 'setAside' || work.kind === 'mkdir' || failed.has(work.path)) continue;
        const stat = look(work.path);
        if (work.kind === 'place' || work.kind === 'move') {
          const same = stat?.ino === work.ino && stat.size === work.size;
          if (!same || (work.kind === 'place' && stat.mtimeNs !== work.mtimeNs)) {
            fail(work.path, 'changed', 'was changed here while it was put in place');
            continue;
          }
        }
        if (work.kind === 'moveDirectory') {
          if (stat?.ino === work.ino) done.push({ path: work.path, stat, from: work.from });
          else note(unmoved(work.path, work.from));
          continue;
        }
        if (work.kind === 'look' && work.check !== 'verified') continue;
        if (work.kind === 'remove' || work.kind === 'rmdir') done.push({ path: work.path, stat: null });
        else if (stat !== null) done.push({ path: work.path, stat });
      }
      return done;
    },
  };

  function look(path: SharePath): DiskStat | null {
    try {
      return confined.lstat(path);
    } catch {
      return null;
    }
  }
}
