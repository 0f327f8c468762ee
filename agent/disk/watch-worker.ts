/**
 * The thread that watches: gathers raw events into dirty marks, notices lost events, and heals watches of
 * directories that were replaced. Started by `watch.ts`.
 */
import { watchFlushMs, watchRecheckMs } from '../base/limits.ts';
import {
  agentDirectory,
  type DirectoryPath,
  isBelow,
  joinPath,
  nameOf,
  parentOf,
  type SharePath,
} from '../core/path.ts';
import { ignoreFileName } from './ignore.ts';
import { emit, poolData, serveCalls } from './pool-worker.ts';
import type { WatchCalls, WatchData, WatchEvent } from './watch.ts';
import { watchedInodes } from './watch-inotify.ts';
import { createMarks } from './watch-marks.ts';
import { createPlaces, inodeAt } from './watch-place.ts';

// Fixed at start.
const { root, queuedEvents } = poolData() as WatchData;
const places = createPlaces(root, onRaw);
const marks = createMarks();
// The kernel drops what does not fit its queue without a word; half a queue read in one go may have been a full one.
const overflowEvents = queuedEvents / 2;

// Changes while running.
let eventsInTick = 0;
let flushing = false;
let flushedMs = Number.NEGATIVE_INFINITY;
let rechecking = false;
const suspects = new Set<DirectoryPath>();
let turn: Promise<unknown> = Promise.resolve();
// Some file systems (overlays) give lstat other inode numbers than the kernel's own: then nobody can tell by them.
let comparable: boolean | undefined;

serveCalls<WatchCalls>({
  add: (directories) =>
    inTurn(async () => {
      const unwatched = await places.place(directories);
      comparable ??= knowsInodes(directories);
      return unwatched;
    }),
  remove: (directories) => {
    void inTurn(async () => {
      for (const directory of directories) places.remove(directory);
    });
  },
  audit: () => inTurn(() => heal([...places.all()])),
});

/** Placing takes time; two of them never overlap. */
function inTurn<T>(act: () => Promise<T>): Promise<T> {
  const result = turn.then(act);
  turn = result.catch(() => undefined);
  return result;
}

function say(event: WatchEvent): void {
  emit(event);
}

function onRaw(event: 'rename' | 'change', watched: DirectoryPath, name: string | null): void {
  countEvent();
  if (watched === '' && name === agentDirectory) return;
  // Other rules make other entries count: only a listing tells which.
  marks.mark(watched, name === ignoreFileName ? null : name);
  if (event === 'rename' && name !== null) {
    const child = joinPath(watched, name);
    if (places.has(child)) suspects.add(child);
    // Under its own name a directory reports what becomes of itself.
    if (watched !== '' && name === nameOf(watched as SharePath)) {
      suspects.add(watched);
      marks.mark(parentOf(watched as SharePath), name);
    } else if (watched === '' && name === root.slice(root.lastIndexOf('/') + 1)) suspects.add(watched);
    if (suspects.size > 0) recheckSoon();
  }
  flushSoon();
}

function countEvent(): void {
  if (eventsInTick === 0) {
    setImmediate(() => {
      if (eventsInTick >= overflowEvents) say({ kind: 'overflow' });
      eventsInTick = 0;
    });
  }
  eventsInTick += 1;
}

/** At once after a quiet time; under load what happened meanwhile goes together. */
function flushSoon(): void {
  if (flushing) return;
  flushing = true;
  const waitMs = flushedMs + watchFlushMs - performance.now();
  if (waitMs <= 0) setImmediate(flush);
  else setTimeout(flush, waitMs);
}

function flush(): void {
  flushing = false;
  flushedMs = performance.now();
  if (marks.size > 0) say({ kind: 'dirty', dirty: marks.take() });
}

function recheckSoon(): void {
  if (rechecking) return;
  rechecking = true;
  setTimeout(() => {
    void inTurn(async () => {
      rechecking = false;
      const directories = [...suspects];
      suspects.clear();
      for (const directory of await heal(directories)) marks.mark(directory, null);
      if (marks.size > 0) flushSoon();
    });
  }, watchRecheckMs);
}

/**
 * Watches anew those of the directories whose watch is on nothing or on another directory, and everything
 * below one that was replaced. @returns them.
 */
async function heal(directories: readonly DirectoryPath[]): Promise<DirectoryPath[]> {
  const inodes = watchedInodes();
  const deaf = new Set<DirectoryPath>();
  const replaced: DirectoryPath[] = [];
  for (const directory of directories) {
    if (!places.has(directory)) continue;
    const inode = inodeAt(root, directory);
    if (inode === null) continue;
    const other = places.inodeOf(directory) !== inode;
    if (other) replaced.push(directory);
    if (other || (comparable === true && !inodes.has(inode))) deaf.add(directory);
  }
  for (const directory of places.all()) {
    if (directory !== '' && replaced.some((above) => isBelow(directory, above))) deaf.add(directory);
  }
  if (deaf.size === 0) return [];
  const unwatched = await places.place([...deaf]);
  if (unwatched.length > 0) say({ kind: 'limit', unwatched });
  return [...deaf];
}

/** undefined where none of them is there to be asked about. */
function knowsInodes(directories: readonly DirectoryPath[]): boolean | undefined {
  const there = directories.map((directory) => places.inodeOf(directory)).filter((inode) => inode !== null);
  if (there.length === 0) return undefined;
  const inodes = watchedInodes();
  return there.some((inode) => inodes.has(inode));
}
