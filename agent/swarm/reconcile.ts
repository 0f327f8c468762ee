/**
 * From the applied version to the newest: walk, wait for what is missing, apply. Owns the phases of one sync, what
 * was lost and what drifted; asks through the schedule, never a neighbour.
 */
import { assert, unreachable } from '../base/assert.ts';
import { hasCode, messageOf } from '../base/errors.ts';
import { walkEntriesPerStep, wantsMax } from '../base/limits.ts';
import { diffTrees } from '../core/diff.ts';
import { type Digest, parseDigest } from '../core/digest.ts';
import type { Change, Entry } from '../core/entry.ts';
import type { Head, SignedHead } from '../core/head.ts';
import type { SharePath } from '../core/path.ts';
import { compareVersions, formatVersion, type Version } from '../core/version.ts';
import { createDrift } from './drift.ts';
import type { Effect, InlineChanges, Library, Progress } from './events.ts';
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
  /** Before this time a newer head waits, so that heads that come fast cannot keep a sync from ever ending. */
  restartMs(): number;
  /** What a version changes: where its sync begins at that base, nothing has to be walked. */
  told(known: InlineChanges & { readonly version: Version }): void;
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

/** `mending`: a page that should be here is fetched, then the walk starts again. */
type Phase = 'idle' | 'starting' | 'mending' | 'walking' | 'collecting' | 'applying';

/** Pause before an apply that failed for no stated reason is tried again, ms. */
const retryMsMin = 100;
/** A sync has this long before a newer head may replace it, ms, and as long as it took to look at its entries several times. */
const restartMsMin = 250;
const restartEntriesPerMs = 200;

export function createReconcile(options: {
  applied: Applied | null;
  library: Library;
  schedule: Schedule;
  /** This block of the target was here already, and neighbours may not know. */
  found: (digest: Digest) => void;
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
  let effects: Effect[] = [];
  let pendingFiles = 0;
  let unreadable: Version | null = null;
  let known: (InlineChanges & { readonly version: Version }) | null = null;
  let startedMs = 0;
  let walkedEntries = 0;
  /** No apply has ended since the start: neighbours do not know what was here already. */
  let isFirst = true;
  const lost = new Set<Digest>();
  /** Of those, what the target's own apply missed. */
  const missed = new Set<Digest>();
  const drift = createDrift();

  const pages = (digest: Digest) => (lost.has(digest) ? undefined : library.page(digest));

  function isSettled(): boolean {
    return walk?.isDone() === true && schedule.count() === 0;
  }

  function begin(head: SignedHead, nowMs: number): void {
    target = head;
    phase = 'starting';
    walk = null;
    collector = null;
    changes = [];
    pendingFiles = 0;
    startedMs = nowMs;
    const { version, root } = head.head;
    schedule.aim({ target: { version, root }, applied: applied?.version ?? null }, nowMs);
  }

  /** Once: where the apply fails, the walk finds out what is missing. */
  function takeKnown(version: Version): readonly Change[] | null {
    if (known === null || compareVersions(known.version, version) !== 0) return null;
    const { base, changes: all } = known;
    known = null;
    if (isFirst || base !== applied?.root || lost.size > 0 || !drift.isEmpty()) return null;
    return all.every(hasBlocks(all)) ? all : null;
  }

  /** What the base holds is here, as far as anybody knows; a list that is new is for the walk. */
  function hasBlocks(all: readonly Change[]): (change: Change) => boolean {
    const held = new Set(all.map(({ before }) => (before === null ? null : digestIn(before))));
    return ({ after }) => {
      const digest = after === null ? null : digestIn(after);
      if (digest === null || held.has(digest)) return true;
      return after?.kind === 'file' && after.content.kind === 'block' && library.hasBlock(digest);
    };
  }

  function startSync({ version, root }: Head, nowMs: number): void {
    const all = nowMs < retryAtMs ? null : takeKnown(version);
    if (all === null) return startWalk(root);
    // Nothing is left of what an earlier apply took.
    drift.take(pages, null);
    startApply(all);
  }

  function startWalk(root: Digest): void {
    walk = createWalk({
      pages,
      isBlockHere: (digest) => !lost.has(digest) && library.hasBlock(digest),
      found(digest) {
        if (isFirst) options.found(digest);
      },
      isLost: (digest) => lost.has(digest),
      from: applied?.root ?? null,
      to: root,
      also: drift.take(pages, applied?.root ?? null).map((entry) => entry.path),
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
    phase = 'walking';
    walkedEntries = 0;
  }

  function collect({ root }: Head): void {
    const from = applied?.root ?? null;
    // Not one by one: there may be a million.
    if (from === null) return startApply(null);
    collector ??= from === root ? [][Symbol.iterator]() : diffTrees(pages, from, root);
    for (let count = 0; count < walkEntriesPerStep; count += 1) {
      const next = collector.next();
      if (next.done !== true) {
        changes.push(next.value);
        continue;
      }
      return startApply(drift.addTo(changes));
    }
  }

  function startApply(all: readonly Change[] | null): void {
    assert(target !== null, 'an apply has a target');
    effects.push({ kind: 'apply', head: target, changes: all });
    phase = 'applying';
    collector = null;
    walk = null;
  }

  /** Missed by the apply, and not met on the walk: wanted all the same. What an older target missed may be nowhere any more. */
  function wantLeftovers(): void {
    for (const digest of missed) {
      schedule.want({ digest, plane: 'block', bytes: 0, file: null, lost: true });
    }
  }

  function rest(): void {
    phase = 'idle';
    target = null;
    walk = null;
    collector = null;
    changes = [];
  }

  /** A page of a tree that should be here is fetched again; any other fault is the writer's, and only a newer head helps. */
  function recover(error: unknown): void {
    const digest = hasCode(error, 'page-missing') ? error.fields['digest'] : undefined;
    if (typeof digest === 'string') {
      phase = 'mending';
      walk = null;
      collector = null;
      changes = [];
      schedule.want({ digest: parseDigest(digest), plane: 'page', bytes: 0, file: null, lost: true });
      return;
    }
    unreadable = target?.head.version ?? null;
    const version = unreadable === null ? '' : formatVersion(unreadable);
    rest();
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
      missed.clear();
      begin(head, nowMs);
    },
    stop(nowMs) {
      if (phase === 'applying' || phase === 'idle') return;
      rest();
      schedule.aim({ target: null, applied: applied?.version ?? null }, nowMs);
    },
    restartMs() {
      if (phase === 'idle' || phase === 'starting') return 0;
      return (
        startedMs + Math.max(restartMsMin, 10 * schedule.roundTripMs(), walkedEntries / restartEntriesPerMs)
      );
    },
    adopt(made) {
      applied = made;
    },
    told(news) {
      known = news;
    },
    drifted: drift.add,
    hasDrifted: () => !drift.isEmpty(),
    pageArrived(digest) {
      lost.delete(digest);
      walk?.arrived(digest);
      if (phase === 'mending') phase = 'starting';
    },
    blockArrived(digest, file) {
      lost.delete(digest);
      missed.delete(digest);
      if (file === null) return;
      file.left -= 1;
      if (file.left === 0) pendingFiles -= 1;
    },
    whenApplied(made) {
      if (applied === null || compareVersions(made.version, applied.version) >= 0) applied = made;
      drift.settled();
      lost.clear();
      missed.clear();
      isFirst = false;
      rest();
    },
    whenFailed({ lost: digests, retryMs }, nowMs) {
      if (phase !== 'applying' || target === null) return;
      for (const digest of digests) {
        lost.add(digest);
        missed.add(digest);
      }
      retryAtMs = nowMs + (digests.length === 0 ? Math.max(retryMs, retryMsMin) : retryMs);
      begin(target, nowMs);
    },
    advance(nowMs) {
      effects = [];
      if (target === null) return effects;
      try {
        if (phase === 'starting') startSync(target.head, nowMs);
        if (phase === 'walking' && walk !== null) {
          walkedEntries += walk.advance(walkEntriesPerStep);
          if (isSettled()) {
            wantLeftovers();
            if (schedule.count() === 0 && nowMs >= retryAtMs) phase = 'collecting';
          }
        }
        if (phase === 'collecting') collect(target.head);
      } catch (error) {
        recover(error);
      }
      return effects;
    },
    wakeMs(nowMs) {
      if (phase === 'collecting' || phase === 'starting' || walk?.hasWork() === true) return nowMs;
      return isSettled() && retryAtMs > nowMs ? retryAtMs : Number.POSITIVE_INFINITY;
    },
    hasPages: () => phase === 'collecting' || phase === 'applying' || walk?.hasPages() === true,
    progress() {
      const pendingBytes = schedule.pendingBytes();
      const storedBytes = schedule.storedBytes();
      return {
        phase: shownPhase(phase, walk?.hasPages() === true),
        pendingFiles,
        pendingBytes,
        pendingBlocks: schedule.count(),
        done: phase === 'idle' ? 1 : storedBytes / Math.max(1, storedBytes + pendingBytes),
        duplicateBytes: schedule.duplicateBytes(),
      };
    },
  };
}

function digestIn(entry: Entry): Digest | null {
  return entry.kind === 'file' && entry.content.kind !== 'empty' ? entry.content.digest : null;
}

function shownPhase(phase: Phase, hasPages: boolean): Progress['phase'] {
  switch (phase) {
    case 'idle':
      return 'idle';
    case 'starting':
    case 'mending':
    case 'walking':
      return hasPages ? 'fetching' : 'walking';
    case 'collecting':
    case 'applying':
      return 'applying';
    default:
      return unreachable(phase);
  }
}
