/**
 * From the applied version to the newest: walk, wait for what is missing, apply. Owns the phases of one sync, what
 * was lost and what drifted; asks through the schedule, never a neighbour.
 */
import { assert } from '../base/assert.ts';
import { messageOf } from '../base/errors.ts';
import { driftedMax, walkEntriesPerStep, wantsMax } from '../base/limits.ts';
import { diffFromEmpty, diffTrees } from '../core/diff.ts';
import type { Digest } from '../core/digest.ts';
import type { Change, Entry } from '../core/entry.ts';
import type { SignedHead } from '../core/head.ts';
import { comparePaths, type SharePath } from '../core/path.ts';
import { lookup } from '../core/tree.ts';
import { compareVersions, formatVersion, type Version } from '../core/version.ts';
import type { Effect, Library, Progress } from './events.ts';
import type { Schedule } from './schedule.ts';
import { createWalk, type Walk } from './walk.ts';
import type { WaitingFile } from './wants.ts';

export type Applied = { readonly version: Version; readonly root: Digest };

export type Reconcile = {
  applied(): Applied | null;
  /** The head that is being synced to or applied. */
  target(): SignedHead | null;
  isApplying(): boolean;
  /** Its tree turned out to be malformed; only a newer version helps. */
  isUnreadable(version: Version): boolean;
  /** Syncs to this head; a sync to an older one is given up, what it fetched stays in the library. */
  start(head: SignedHead, nowMs: number): void;
  /** Gives up what is not being applied yet. */
  stop(nowMs: number): void;
  /** This agent made the version itself. */
  adopt(applied: Applied, nowMs: number): void;
  drifted(paths: readonly SharePath[]): readonly Effect[];
  hasDrifted(): boolean;
  pageArrived(digest: Digest): void;
  /** `file` waited for it. */
  blockArrived(digest: Digest, file: WaitingFile | null): void;
  whenApplied(applied: Applied): void;
  whenFailed(input: { version: Version; lost: readonly Digest[]; retryMs: number }, nowMs: number): void;
  /** One slice of work. */
  advance(nowMs: number): readonly Effect[];
  wakeMs(nowMs: number): number;
  /** All pages of the target's tree are here. */
  hasPages(): boolean;
  progress(): Progress;
};

type Phase = 'idle' | 'walking' | 'collecting' | 'applying';

/** Pause before an apply that failed for no stated reason is tried again, ms. */
const retryMsMin = 100;

export function createReconcile(options: {
  applied: Applied | null;
  library: Library;
  schedule: Schedule;
}): Reconcile {
  const { library, schedule } = options;

  // Changes while running.
  let applied = options.applied;
  let target: SignedHead | null = null;
  let phase: Phase = 'idle';
  let walk: Walk | null = null;
  let collector: Iterator<Change, void, void> | null = null;
  let changes: Change[] = [];
  let retryAtMs = 0;
  let entriesAlso: readonly Entry[] = [];
  let effects: Effect[] = [];
  let pendingFiles = 0;
  let unreadable: Version | null = null;
  const lost = new Set<Digest>();
  const drift = new Set<SharePath>();

  const pages = (digest: Digest) => (lost.has(digest) ? undefined : library.page(digest));

  function isSettled(): boolean {
    return walk?.isDone() === true && schedule.count() === 0;
  }

  function begin(head: SignedHead, nowMs: number): void {
    target = head;
    phase = 'walking';
    changes = [];
    collector = null;
    pendingFiles = 0;
    const { version, root } = head.head;
    schedule.aim({ target: { version, root }, applied: applied?.version ?? null }, nowMs);
    entriesAlso = driftedEntries();
    walk = createWalk({
      pages,
      isBlockHere: (digest) => !lost.has(digest) && library.hasBlock(digest),
      isLost: (digest) => lost.has(digest),
      from: applied?.root ?? null,
      to: root,
      also: entriesAlso,
      missing(missing) {
        if (missing.file !== null && !schedule.isWanted(missing.plane, missing.digest)) {
          if (missing.file.left === 0) pendingFiles += 1;
          missing.file.left += 1;
        }
        schedule.want(missing);
      },
      assemble: (entry, blocks) => effects.push({ kind: 'assemble', entry, blocks }),
      isFull: () => schedule.count() >= wantsMax,
    });
  }

  /** Entries of the applied tree that are no longer on disk as they should be; what the tree lacks is no concern of ours. */
  function driftedEntries(): readonly Entry[] {
    const entries: Entry[] = [];
    for (const path of drift) {
      const entry = applied === null ? undefined : lookup(pages, applied.root, path);
      if (entry !== undefined) entries.push(entry);
    }
    return entries.sort((left, right) => comparePaths(left.path, right.path));
  }

  function collect(): void {
    assert(target !== null, 'changes are collected for a target');
    if (collector === null) {
      const to = target.head.root;
      const from = applied?.root ?? null;
      if (from === null) collector = diffFromEmpty(pages, to);
      else if (from === to) collector = [][Symbol.iterator]();
      else collector = diffTrees(pages, from, to);
    }
    for (let count = 0; count < walkEntriesPerStep; count += 1) {
      const next = collector.next();
      if (next.done === true) return finish();
      changes.push(next.value);
    }
  }

  function finish(): void {
    assert(target !== null, 'an apply has a target');
    phase = 'applying';
    walk = null;
    collector = null;
    effects.push({ kind: 'apply', head: target, changes: withDrift(target.head.root) });
  }

  function withDrift(root: Digest): readonly Change[] {
    if (entriesAlso.length === 0) return changes;
    const changed = new Set(changes.map((change) => change.path));
    for (const entry of entriesAlso) {
      if (changed.has(entry.path)) continue;
      const after = applied?.root === root ? entry : lookup(pages, root, entry.path);
      if (after !== undefined) changes.push({ path: entry.path, before: entry, after });
    }
    return changes.sort((left, right) => comparePaths(left.path, right.path));
  }

  /** Lost, and not met on the walk: wanted all the same. */
  function wantLeftovers(): void {
    for (const digest of lost) {
      schedule.want({ digest, plane: 'block', bytes: 0, file: null, lost: true });
    }
  }

  function abandon(error: unknown): void {
    const version = target === null ? '' : formatVersion(target.head.version);
    unreadable = target?.head.version ?? null;
    phase = 'idle';
    walk = null;
    collector = null;
    target = null;
    const text = `the tree of version ${version} cannot be read: ${messageOf(error)}; waiting for a newer one`;
    effects.push({ kind: 'note', text, fields: { code: 'malformed', version } });
  }

  return {
    applied: () => applied,
    target: () => target,
    isApplying: () => phase === 'applying',
    isUnreadable: (version) => unreadable !== null && compareVersions(version, unreadable) === 0,
    start(head, nowMs) {
      assert(phase !== 'applying', 'one version is applied at a time');
      begin(head, nowMs);
    },
    stop(nowMs) {
      if (phase === 'applying' || phase === 'idle') return;
      phase = 'idle';
      walk = null;
      collector = null;
      target = null;
      schedule.aim({ target: null, applied: applied?.version ?? null }, nowMs);
    },
    adopt(made) {
      applied = made;
    },
    drifted(paths) {
      for (const path of paths) {
        if (drift.size >= driftedMax) {
          return [
            {
              kind: 'note',
              text: 'more paths drifted than are remembered; the next scan finds the rest',
              fields: { driftedMax },
            },
          ];
        }
        drift.add(path);
      }
      return [];
    },
    hasDrifted: () => drift.size > 0,
    pageArrived(digest) {
      lost.delete(digest);
      walk?.arrived(digest);
    },
    blockArrived(digest, file) {
      lost.delete(digest);
      if (file === null) return;
      file.left -= 1;
      if (file.left === 0) pendingFiles -= 1;
    },
    whenApplied(made) {
      if (applied === null || compareVersions(made.version, applied.version) >= 0) applied = made;
      for (const entry of entriesAlso) drift.delete(entry.path);
      // What the tree does not have is not ours to put right.
      for (const path of drift) if (lookup(pages, made.root, path) === undefined) drift.delete(path);
      entriesAlso = [];
      changes = [];
      lost.clear();
      phase = 'idle';
      target = null;
    },
    whenFailed({ lost: digests, retryMs }, nowMs) {
      if (phase !== 'applying' || target === null) return;
      for (const digest of digests) lost.add(digest);
      retryAtMs = nowMs + (digests.length === 0 ? Math.max(retryMs, retryMsMin) : retryMs);
      begin(target, nowMs);
    },
    advance(nowMs) {
      effects = [];
      try {
        if (phase === 'walking' && walk !== null) {
          walk.advance(walkEntriesPerStep);
          if (isSettled()) {
            wantLeftovers();
            if (schedule.count() === 0 && nowMs >= retryAtMs) phase = 'collecting';
          }
        }
        if (phase === 'collecting') collect();
      } catch (error) {
        abandon(error);
      }
      return effects;
    },
    wakeMs(nowMs) {
      if (phase === 'collecting' || walk?.hasWork() === true) return nowMs;
      return isSettled() && retryAtMs > nowMs ? retryAtMs : Number.POSITIVE_INFINITY;
    },
    hasPages: () => phase === 'collecting' || phase === 'applying' || walk?.hasPages() === true,
    progress() {
      const pendingBytes = schedule.pendingBytes();
      const storedBytes = schedule.storedBytes();
      return {
        phase:
          phase === 'collecting'
            ? 'applying'
            : phase === 'walking' && walk?.hasPages() === true
              ? 'fetching'
              : phase,
        pendingFiles,
        pendingBytes,
        pendingBlocks: schedule.count(),
        done: phase === 'idle' ? 1 : storedBytes / Math.max(1, storedBytes + pendingBytes),
        duplicateBytes: schedule.duplicateBytes(),
      };
    },
  };
}
