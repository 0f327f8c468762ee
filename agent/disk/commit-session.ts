/**
 * One share's commits as its worker sees them: prepare, seal (the journal), carry out, settle; and after a kill,
 * recover. Owns everything in `.p2psync` but the stage. Synchronous.
 */
import { constants, readFileSync } from 'node:fs';
import { assert } from '../base/assert.ts';
import { P2psyncError } from '../base/errors.ts';
import { markerBytesMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import { type DirectoryMove, pathAfter } from '../core/moved.ts';
import { parentOf, type SharePath } from '../core/path.ts';
import {
  asideDirectory,
  ensureDirectories,
  journalPath,
  markerPath,
  newJournalPath,
  readyDirectory,
  stageDirectory,
  undurableDirectory,
} from './agent-paths.ts';
import { listBelow, type SummedBelow, sumBelow } from './below.ts';
import { type BlockSource, createBlockReader, writeFully, writeWithHoles } from './block-bytes.ts';
import { createPreparation, type Preparation } from './commit-prepare.ts';
import { createRun, type Run } from './commit-run.ts';
import type { Confined } from './confined.ts';
import { discard } from './discard.ts';
import { bootId, type Journal, readJournal, writeJournal } from './journal.ts';
import { createKeeper, keptTime } from './kept.ts';
import type { MetadataOptions } from './metadata.ts';
import type { Owners } from './owner.ts';
import { hasErrorCode } from './system-errors.ts';
import { createWidener } from './widen.ts';
import type { Work } from './work.ts';

export type Fill = {
  readonly part: string;
  readonly sparse: boolean;
  readonly blocks: readonly {
    readonly index: number;
    readonly offset: number;
    readonly digest: Digest;
    readonly length: number;
    readonly sources: readonly BlockSource[];
  }[];
};

export type Found = {
  /** Of the commit that is to be finished; null: there is none. */
  readonly tag: string | null;
  readonly rehash: readonly SharePath[];
  readonly rehashAll: boolean;
};

export type Session = {
  /** @throws {P2psyncError} io, where the directory does not have the marker. */
  begin(options: {
    readonly metadata: MetadataOptions;
    readonly tag: string;
    readonly sync: boolean;
    readonly marker: string | null;
  }): Preparation;
  fill(fill: Fill): { readonly filled: number[]; readonly lost: Digest[] };
  /** From here on the commit will be done, if not by this process then by the next. */
  seal(): void;
  works(): readonly Work[];
  /** How many works there are, whether any is a move, and which is the first that finishes a directory. */
  shape(): { readonly count: number; readonly moves: boolean; readonly finishesAt: number };
  run(): Run;
  /** Nothing of what was prepared is wanted. */
  abandon(): void;
  /** The journal is done with. `sync`: all of it is durable already. */
  settle(options: { readonly sync: boolean }): void;
  recover(): Found;
  /** Names of journals whose files are not durable for certain, the oldest first. */
  undurable(): string[];
  /** Makes the next files of one durable. @returns where to go on; null at its end: then it is forgotten. */
  makeDurable(next: { readonly name: string; readonly from: number; readonly count: number }): number | null;
  /** What lies below `from`; null where `sumBelow` cannot say, or something lies at `to`. */
  belowMove(move: DirectoryMove): SummedBelow | null;
  /** Directories in which the commit changed a name. */
  syncDirectories(works: readonly Work[]): void;
};

export function createSession(
  confined: Confined,
  owners: Pick<Owners, 'idsOf'>,
  clock: { readonly nowMs: () => number; readonly boot?: string },
): Session {
  const boot = clock.boot ?? bootId();
  const widener = createWidener(confined);
  let preparation: Preparation | null = null;
  let sealed: { readonly works: readonly Work[]; readonly run: Run } | null = null;
  let begun: { readonly tag: string; readonly sync: boolean } = { tag: '', sync: false };
  let durableNow: {
    readonly name: string;
    readonly works: readonly Work[];
    readonly files: readonly SharePath[];
  } | null = null;

  function start(works: readonly Work[], again: boolean, failed: Preparation['failed']): void {
    const keeper = createKeeper(confined, keptTime(clock.nowMs()));
    sealed = { works, run: createRun(confined, { keeper, again, failed, widener }) };
  }

  function needed() {
    assert(sealed !== null, 'a commit was sealed');
    return sealed;
  }

  function clearReady(): void {
    for (const name of confined.list(readyDirectory)) discard(confined, `${readyDirectory}/${name}`);
  }

  /** The bytes of a file that was staged before the machine went down may be anything. */
  function survived(work: Work): boolean {
    if (work.kind !== 'place' || confined.lstat(work.path)?.ino === work.ino) return true;
    const { staged, ino, size, whole } = work;
    const found = confined.lstat(staged);
    if (found?.ino !== ino || found.size !== size) return false;
    if (found.kind === 'symlink') return true;
    const reader = createBlockReader(confined);
    try {
      return whole !== null && reader.read(whole, size, [{ path: staged, offset: 0 }]) !== null;
    } finally {
      reader.close();
    }
  }

  /** Directories that a commit set aside, where no journal tells of it any more. */
  function keepAsides(): void {
    const keeper = createKeeper(confined, keptTime(clock.nowMs()));
    for (const name of confined.list(asideDirectory))
      keeper.keep(`${asideDirectory}/${name}`, `aside-${name}`);
  }

  function syncFile(path: string): void {
    try {
      const file = confined.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        confined.calls.fsyncSync(file);
      } finally {
        confined.calls.closeSync(file);
      }
    } catch (error) {
      // It was replaced or removed meanwhile, or somebody who is not root may not open it.
      if (!hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENXIO', 'outside-share')) throw error;
    }
  }

  function syncDirectories(works: readonly Work[]): void {
    const changed = works.flatMap((work) =>
      work.kind === 'moveDirectory' ? [work.path, work.from] : [work.path],
    );
    for (const path of new Set(changed.map(parentOf))) {
      try {
        confined.syncDirectory(path);
      } catch (error) {
        if (!hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'outside-share')) throw error;
      }
    }
  }

  /** Files whose bytes this work brought to their path; what moved before they were durable may not be. */
  function filesOf(work: Work): SharePath[] {
    if (work.kind === 'place' || work.kind === 'move') return [work.path];
    if (work.kind !== 'moveDirectory') return [];
    const at = confined.lstat(work.path)?.ino === work.ino ? work.path : work.from;
    const below = orNull(() => listBelow(confined, at)) ?? [];
    return below.flatMap(({ path, stat }) =>
      stat.kind === 'file' ? [pathAfter(path, { from: at, to: work.path })] : [],
    );
  }

  function readUndurable(name: string): Journal | 'damaged' | null {
    return readJournal(confined, `${undurableDirectory}/${name}`);
  }

  return {
    syncDirectories,
    belowMove({ from, to }) {
      // Whoever renamed directories since the last commit is seen.
      confined.forget();
      return confined.lstat(to) === null ? orNull(() => sumBelow(confined, from)) : null;
    },
    begin({ metadata, tag, sync, marker }) {
      // Whoever renamed directories since the last commit is seen.
      confined.forget();
      if (marker !== null) checkMarker(confined, marker);
      ensureDirectories(confined, stageDirectory, readyDirectory, asideDirectory, undurableDirectory);
      begun = { tag, sync };
      preparation = createPreparation(confined, {
        options: metadata,
        owners,
        umask: umask(),
        sync,
        widener,
      });
      return preparation;
    },
    fill({ part, sparse, blocks }) {
      const filled: number[] = [];
      const lost: Digest[] = [];
      const reader = createBlockReader(confined);
      const file = confined.open(part, constants.O_WRONLY);
      try {
        for (const { index, offset, digest, length, sources } of blocks) {
          const bytes = reader.read(digest, length, sources);
          if (bytes === null) lost.push(digest);
          else {
            (sparse ? writeWithHoles : writeFully)(confined, file, bytes, offset);
            filled.push(index);
          }
        }
      } finally {
        reader.close();
        confined.calls.closeSync(file);
      }
      return { filled, lost };
    },
    seal() {
      assert(preparation !== null, 'a commit was begun');
      const works = preparation.works.filter((work) => work !== undefined);
      writeJournal(confined, journalPath, { head: { boot, tag: begun.tag }, works }, { sync: begun.sync });
      start(works, false, preparation.failed);
      preparation = null;
    },
    works: () => needed().works,
    shape() {
      const { works } = needed();
      const finishesAt = works.findIndex((work) => work.kind === 'finish');
      const moves = works.some((work) => work.kind === 'move');
      return { count: works.length, moves, finishesAt: finishesAt < 0 ? works.length : finishesAt };
    },
    run: () => needed().run,
    abandon() {
      preparation = null;
      widener.restore();
      discard(confined, newJournalPath);
      clearReady();
    },
    settle({ sync }) {
      sealed = null;
      if (confined.lstat(journalPath) === null) return;
      if (sync) return discard(confined, journalPath);
      confined.rename(
        journalPath,
        `${undurableDirectory}/${String(clock.nowMs()).padStart(14, '0')}-${process.hrtime.bigint()}`,
      );
    },
    recover() {
      ensureDirectories(confined, stageDirectory, readyDirectory, asideDirectory, undurableDirectory);
      discard(confined, newJournalPath);
      const rehash = new Set<SharePath>();
      let rehashAll = false;
      const note = (journal: Journal | 'damaged' | null): void => {
        if (journal === 'damaged') rehashAll = true;
        else if (journal !== null && journal.head.boot !== boot) {
          for (const work of journal.works) for (const path of filesOf(work)) rehash.add(path);
        }
      };
      for (const name of confined.list(undurableDirectory)) note(readUndurable(name));
      const journal = readJournal(confined, journalPath);
      note(journal);
      if (journal === null || journal === 'damaged') {
        if (journal === 'damaged') confined.rename(journalPath, `${undurableDirectory}/damaged`);
        clearReady();
        keepAsides();
        return { tag: null, rehash: [...rehash], rehashAll };
      }
      const works = journal.head.boot === boot ? journal.works : journal.works.filter(survived);
      start(works, true, new Map());
      return { tag: journal.head.tag, rehash: [...rehash], rehashAll };
    },
    undurable() {
      return confined.lstat(undurableDirectory) === null ? [] : confined.list(undurableDirectory).sort();
    },
    makeDurable({ name, from, count }) {
      const path = `${undurableDirectory}/${name}`;
      if (durableNow?.name !== name) {
        // First the list itself: whatever happens now, it tells what to hash again.
        syncFile(path);
        const journal = readUndurable(name);
        const works = journal === null || journal === 'damaged' ? [] : journal.works;
        durableNow = { name, works, files: works.flatMap(filesOf) };
      }
      const { works, files } = durableNow;
      for (const path of files.slice(from, from + count)) syncFile(path);
      if (from + count < files.length) return from + count;
      syncDirectories(works);
      durableNow = null;
      discard(confined, path);
      return null;
    },
  };
}

/** @returns null where a directory cannot be listed. */
function orNull<Found>(look: () => Found): Found | null {
  try {
    return look();
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'outside-share')) throw error;
    return null;
  }
}

function checkMarker(confined: Confined, marker: string): void {
  const found = confined.lstat(markerPath) === null ? null : readText(confined, markerPath);
  if (found !== marker) throw new P2psyncError('io', `${markerPath} is not the share's`);
}

/** Of a small file. */
function readText(confined: Confined, path: string): string {
  const file = confined.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(markerBytesMax);
    return bytes.toString('utf8', 0, confined.calls.readSync(file, bytes, 0, bytes.byteLength, null)).trim();
  } finally {
    confined.calls.closeSync(file);
  }
}

/** Node's `process.umask()` sets it to read it, which other threads would notice. */
function umask(): number {
  const line = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number.parseInt(line?.[1] ?? '22', 8);
}
