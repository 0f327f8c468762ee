/**
 * Finds what differs between a share's directory and the index: at start by a whole scan, then by the
 * watcher's hints, and by a slow scan that catches what hints missed. Owns the order of watching and
 * listing; decides nothing about what a difference means.
 */

import { P2psyncError } from '../base/errors.ts';
import { arrivalWaitMs, observeBatchPathsMax, pollUnwatchedMs, rescanIntervalMs } from '../base/limits.ts';
import { pause } from '../base/pause.ts';
import {
  comparePaths,
  type DirectoryPath,
  joinPath,
  nameOf,
  parentOf,
  type SharePath,
  topDirectory,
} from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import type { Listing, Skipped, StatResult } from '../disk/scan.ts';
import { createSettle, type SettleEvent, step } from '../disk/settle.ts';
import type { Dirty } from '../disk/watch.ts';
import { createCompanions } from './companions.ts';
import {
  compareListings,
  comparePath,
  type DiskChange,
  goneDirectories,
  goneOf,
  isOtherName,
  knownDirectories,
  newDirectories,
} from './compare.ts';
import { createGathered } from './gathered.ts';
import { lookOver } from './look-over.ts';
import { createMarks } from './marks.ts';
import type { ObserverPorts } from './observer-ports.ts';
import { takeRenames } from './renames.ts';
import { createScanRequests } from './scan-requests.ts';
import { createSecondLook } from './second-look.ts';
import { createUnwatched } from './unwatched.ts';
import { createWatched } from './watched.ts';

export type Observer = {
  /** Scans everything and watches from then on. Resolves when the first scan was handed over. */
  start(): Promise<void>;
  /** Resolves when a whole scan that began after the call was handed over. */
  rescan(): Promise<void>;
  /** Marks paths to be looked at again. */
  touch(paths: readonly SharePath[]): void;
  close(): Promise<void>;
};

type Ready = { readonly path: SharePath; readonly stat: DiskStat | null; readonly restless: boolean };

export function createObserver(ports: ObserverPorts): Observer {
  // Fixed at start.
  const closing = new AbortController();
  const { signal } = closing;
  const unwatched = createUnwatched(ports.log);
  const watcher = ports.watch({ onDirty: mark, onOverflow: () => requestScan(), onLimit: unwatched.add });
  const watched = createWatched(watcher);

  // Changes while running.
  const dirty = createMarks();
  let dirtyDueMs = 0;
  const scans = createScanRequests();
  const settle = createSettle();
  const companions = createCompanions((path) => ports.store.record(path)?.stat);
  /** New directories that are not listed yet, and until when they may wait. */
  const arrivals = new Set<DirectoryPath>();
  let arrivalsDueMs = 0;
  let wake: ((cause: 'mark' | 'close') => void) | undefined;
  let loop: Promise<void> | undefined;
  const timers: NodeJS.Timeout[] = [];
  const second = createSecondLook();
  let isFirstScan = true;

  function mark(hints: readonly Dirty[]): void {
    if (hints.length === 0) return;
    if (dirty.isEmpty()) dirtyDueMs = nowMs() + ports.patienceMs;
    dirty.add(hints);
    wake?.('mark');
  }

  function touch(paths: readonly SharePath[]): void {
    mark(paths.map((path) => ({ directory: parentOf(path), names: [nameOf(path)] })));
  }

  function requestScan(): void {
    scans.add().catch(() => undefined);
    wake?.('mark');
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        // First of all: changes that never end do not put it off, and it finds them too.
        if (!scans.isEmpty()) await scans.serve(scanAll);
        else if (second.dueMs() <= nowMs()) await lookAtAll();
        else if (!dirty.isEmpty() && dirtyDueMs <= nowMs()) await lookAtDirty();
        else if (settle.wakeMs <= nowMs()) await settleStep([{ kind: 'tick' }]);
        else await idle();
      } catch (error) {
        if (closing.signal.aborted) return;
        ports.log.error({ err: error }, 'looking at the directory failed; it is scanned again');
        ports.onFailed(error);
        requestScan();
        await idle(pollUnwatchedMs, { deaf: true });
      }
    }
  }

  /** Until something is marked, a path may have settled, or the agent stops. */
  async function idle(atMostMs = Number.POSITIVE_INFINITY, { deaf = false } = {}): Promise<void> {
    const lookMs = dirty.isEmpty() ? Number.POSITIVE_INFINITY : dirtyDueMs;
    const wakeMs = Math.min(lookMs, settle.wakeMs, second.dueMs());
    const waitMs = Math.min(atMostMs, deaf ? Number.POSITIVE_INFINITY : wakeMs - nowMs());
    const woken = new AbortController();
    wake = (cause) => {
      if (!deaf || cause === 'close') woken.abort();
    };
    if (closing.signal.aborted) wake('close');
    await pause(waitMs, woken.signal);
    wake = undefined;
  }

  async function scanAll(): Promise<void> {
    // The first one reads and hashes: how long it takes says nothing of later ones.
    const counts = !isFirstScan;
    if (counts) second.began(nowMs());
    try {
      // What is deaf is listed now anyway.
      await watcher.audit();
      dirty.clear();
      arrivals.clear();
      await scanBelow(topDirectory);
      isFirstScan = false;
      await ports.onScanned();
      await ports.onQuiet();
    } finally {
      if (counts) second.ended(nowMs());
    }
  }

  /** For what no event told of. Whatever is told meanwhile goes on being taken in: there may be a million files. */
  async function lookAtAll(): Promise<void> {
    second.began(nowMs());
    try {
      await watcher.audit();
      for await (const hints of lookOver(ports, { signal, before: watch, check: requireTop })) {
        mark(hints);
        if (!dirty.isEmpty() && dirtyDueMs <= nowMs()) await lookAtDirty();
        if (settle.wakeMs <= nowMs()) await settleStep([{ kind: 'tick' }]);
      }
      await ports.onScanned();
      await ports.onQuiet();
    } finally {
      second.ended(nowMs());
    }
  }

  /** First watched, then listed: every change is either in the listing or heard of. */
  async function watch(directories: readonly DirectoryPath[]): Promise<void> {
    await watched.add(directories);
  }

  function requireTop(listings: readonly Listing[]): void {
    const top = listings.find(({ directory }) => directory === topDirectory);
    if (top === undefined || !(top.gone || top.unreadable)) return;
    // When it is back it may be another one.
    watched.clear();
    const reason = top.skipped[0]?.message ?? 'the share directory is gone: is its file system mounted?';
    throw new P2psyncError('io', reason);
  }

  async function scanBelow(from: DirectoryPath): Promise<void> {
    const skipped: Skipped[] = [];
    const gathered = createGathered();
    for await (const listings of ports.scanner.tree(from, { signal, before: watch })) {
      watched.lost(goneOf(listings));
      requireTop(listings);
      const changes = await compare(listings);
      noteReplaced(changes);
      for (const listing of listings) skipped.push(...listing.skipped);
      await handOver(gathered.add(changes, nowMs()));
    }
    await handOver(gathered.rest());
    ports.onSkipped({ directory: from, whole: true, skipped });
  }

  async function compare(listings: readonly Listing[]): Promise<readonly DiskChange[]> {
    const { changes, uncounted } = compareListings(ports.store, listings);
    if (uncounted.length > 0) await ports.store.write({ recount: uncounted });
    return changes;
  }

  /** Other directories are at these paths than were: what is watched there, and below, may be the old ones. */
  function noteReplaced(changes: readonly DiskChange[]): SharePath[] {
    const fresh = newDirectories(changes);
    if (fresh.length === 0) return fresh;
    if (!isFirstScan) second.want('directories', nowMs());
    watched.replaced(fresh);
    return fresh;
  }

  /** Those that are not listed now: what happened in them until they were watched shows when they are. */
  async function watchAll(directories: readonly DirectoryPath[]): Promise<void> {
    const fresh = await watched.add(directories);
    if (fresh.length > 0) mark(fresh.map((directory) => ({ directory, names: null })));
  }

  async function lookAtDirty(): Promise<void> {
    const marks = dirty.take();
    const paths = new Set<SharePath>();
    for (const [directory, names] of marks) {
      if (directory !== topDirectory) paths.add(directory);
      if (names !== null) {
        for (const name of names) paths.add(joinPath(directory, name));
        continue;
      }
      const listing = await ports.scanner.directory(directory);
      ports.onSkipped({ directory, whole: false, skipped: listing.skipped });
      for (const change of await compare([listing])) paths.add(change.path);
      if (listing.rulesChanged) await scanBelow(directory);
    }
    await settleStep([{ kind: 'dirty', paths: [...paths] }]);
  }

  /** Runs the settle machine on these events and on the looks it asks for. @returns what came to rest. */
  async function settled(first: readonly SettleEvent[]): Promise<Ready[]> {
    const events = [...first];
    const ready: Ready[] = [];
    for (let event = events.shift(); event !== undefined; event = events.shift()) {
      for (const effect of step(settle, event, nowMs())) {
        if (effect.kind === 'ready') ready.push(effect);
        if (effect.kind === 'look') {
          const stats = await ports.scanner.stat(effect.paths);
          for (const [at, path] of effect.paths.entries()) {
            const stat = stats[at] ?? null;
            noteOtherNames(path, stat);
            if (stat !== 'unreadable') events.push({ kind: 'looked', path, stat });
          }
        }
      }
    }
    return ready;
  }

  /** Hands over what came to rest, renames first. */
  async function settleStep(first: readonly SettleEvent[]): Promise<void> {
    const ready = await settled(first);
    const moved = await takeRenames({ ready, pending: settle.pending }, ports, { signal });
    watched.lostBelow([...moved.ends]);
    ports.onGone(moved.gone);
    touch(moved.again);
    const rest = companions.hold(moved.rest, { pending: settle.pending, except: moved.ends }, nowMs());
    rest.push(...(await settled([{ kind: 'dirty', paths: companions.due(settle.pending, nowMs()) }])));
    if (rest.length > 0) await handOverReady(rest);
    if (moved.ends.size + arrivals.size > 0) second.want('directories', nowMs());
    if (isRenaming()) return watchAll(moved.directories);
    const fresh = [...arrivals];
    arrivals.clear();
    for (const directory of fresh) await scanBelow(directory);
    if (rest.length + fresh.length + moved.ends.size > 0) await ports.onQuiet();
    // Nobody waits for this: what happens until they are watched is found when they are listed then.
    await watchAll(moved.directories);
  }

  /** A name that was a further one of a file a moment ago: what was done through it is seen at the names that are left. */
  function noteOtherNames(path: SharePath, stat: StatResult): void {
    const last = settle.pending.get(path)?.stat;
    if (last?.kind !== 'file' || last.nlink < 2) return;
    if (stat !== 'unreadable' && stat?.ino !== last.ino) touch(ports.store.linkGroup(last.ino));
  }

  async function handOverReady(ready: Ready[]): Promise<void> {
    ports.onGone(ready.filter(({ stat }) => stat === null).map(({ path }) => path));
    const changes = ready
      .sort((left, right) => comparePaths(left.path, right.path))
      .flatMap((found) => comparePath(ports.store, found));
    await handOver(changes);
    if (changes.some(isOtherName) || ready.some(({ stat }) => stat === null)) second.want('names', nowMs());
    if (arrivals.size === 0) arrivalsDueMs = nowMs() + arrivalWaitMs;
    for (const directory of noteReplaced(changes)) arrivals.add(directory);
    // Those of our own commits are in the index before we hear of them, or not in it any more.
    watched.lostBelow(ready.flatMap(({ path, stat }) => (stat === null && watched.has(path) ? [path] : [])));
    const isOwn = ({ path, stat }: Ready): boolean =>
      stat?.kind === 'directory' && !watched.has(path) && !arrivals.has(path);
    const own = ready.filter(isOwn).flatMap(({ path }) => knownDirectories(ports.store, path));
    if (own.length > 0) second.want('directories', nowMs());
    await watchAll(own);
  }

  /** A directory has come and something seems to go: its old name is told of first, so that nothing in it is read again. */
  function isRenaming(): boolean {
    if (arrivals.size === 0 || nowMs() >= arrivalsDueMs) return false;
    for (const { stat, looking } of settle.pending.values()) if (stat === null && !looking) return true;
    return false;
  }

  async function handOver(changes: readonly DiskChange[]): Promise<void> {
    watched.lost(goneDirectories(changes));
    for (let at = 0; at < changes.length; at += observeBatchPathsMax)
      await ports.onChanges(changes.slice(at, at + observeBatchPathsMax));
  }

  function requireOpen(): void {
    if (closing.signal.aborted) throw new P2psyncError('cancelled', 'the agent stops');
  }

  function every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms);
    timer.unref();
    timers.push(timer);
  }

  return {
    async start() {
      requireOpen();
      const scanned = scans.add();
      loop = run();
      await scanned;
      every(rescanIntervalMs, () => {
        second.want('directories', nowMs());
        wake?.('mark');
      });
      every(pollUnwatchedMs, () => mark(unwatched.hints()));
    },
    async rescan() {
      requireOpen();
      const scanned = scans.add();
      wake?.('mark');
      return scanned;
    },
    touch,
    async close() {
      closing.abort();
      for (const timer of timers) clearInterval(timer);
      scans.close();
      wake?.('close');
      await loop;
      await watcher.close();
    },
  };
}

function nowMs(): number {
  return performance.now();
}
