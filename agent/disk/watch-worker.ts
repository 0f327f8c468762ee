/**
 * The thread that watches: gathers raw events into dirty marks, notices lost events, and heals watches of
 * directories that were replaced. Started by `watch.ts`.
 */
import { lstatSync } from 'node:fs';
import { watchFlushMs, watchRecheckMs } from '../base/limits.ts';
import {
  agentDirectory,
  ancestorsOf,
  type DirectoryPath,
  joinPath,
  nameOf,
  parentOf,
  type SharePath,
  topDirectory,
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
/** Directories that came or went since they were placed; `told`: their parent said so, not only they themselves. */
const suspects = new Map<DirectoryPath, { readonly told: boolean }>();
let turn: Promise<unknown> = Promise.resolve();
// Some file systems (overlays) give lstat other inode numbers than the kernel's own: then nobody can tell by them.
let comparable: boolean | undefined;

serveCalls<WatchCalls>({
  add: (directories) =>
    inTurn(async () => {
      for (const directory of directories) suspects.delete(directory);
      const unwatched = await place(directories);
      comparable ??= knowsInodes(directories);
      return unwatched;
    }),
  remove: (directories) => {
    void inTurn(async () => {
      for (const directory of directories) places.remove(directory);
    });
  },
  audit: () =>
    inTurn(() => {
      const told = [...suspects];
      suspects.clear();
      return heal(new Map([...[...places.all()].map((directory) => [directory, null] as const), ...told]));
    }),
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
    // Of a directory whose mode or time changes the system says the same as of one that comes or goes.
    if (places.has(child) && !places.isSame(child)) suspects.set(child, { told: true });
    // Under its own name a directory reports what becomes of itself; a child of its name may be meant as well.
    if (name === ownName(watched)) {
      if (!suspects.has(watched) && !places.isSame(watched)) suspects.set(watched, { told: false });
      if (watched !== '') marks.mark(parentOf(watched as SharePath), name);
    }
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
      const directories = new Map(suspects);
      suspects.clear();
      for (const directory of await heal(directories)) marks.mark(directory, null);
      if (marks.size > 0) flushSoon();
    });
  }, watchRecheckMs);
}

/**
 * Watches anew those of the directories whose watch may be on nothing or on another directory, and everything
 * below one that was replaced. A directory that came or went meanwhile always counts: made again it may have the inode
 * number that it had before, and nobody heard what happened in it until chokidar watched it again.
 * @param directories null: nothing is known to have happened to it. @returns them.
 */
async function heal(
  directories: ReadonlyMap<DirectoryPath, { readonly told: boolean } | null>,
): Promise<DirectoryPath[]> {
  const inodes = watchedInodes();
  const deaf = new Set<DirectoryPath>();
  const replaced = new Set<DirectoryPath>();
  for (const [directory, suspect] of directories) {
    if (!places.has(directory)) continue;
    const inode = inodeAt(root, directory);
    if (inode === null) continue;
    if (places.inodeOf(directory) !== inode || suspect?.told === true) replaced.add(directory);
    else if (comparable === true && !inodes.has(inode)) deaf.add(directory);
    else if (suspect !== null && !hasNamesake(directory)) deaf.add(directory);
  }
  if (replaced.size > 0) {
    for (const directory of places.all()) if (isIn(directory, replaced)) deaf.add(directory);
  }
  if (deaf.size === 0) return [];
  const unwatched = await place([...deaf]);
  if (unwatched.length > 0) say({ kind: 'limit', unwatched });
  return [...deaf];
}

/** One that was replaced meanwhile is placed once more. @returns those that the system does not watch. */
async function place(directories: readonly DirectoryPath[]): Promise<DirectoryPath[]> {
  const unwatched = await places.place(directories);
  for (const directory of directories) {
    if (places.inodeOf(directory) === null && inodeAt(root, directory) !== null)
      suspects.set(directory, { told: true });
  }
  if (suspects.size > 0) recheckSoon();
  return unwatched;
}

function isIn(directory: DirectoryPath, all: ReadonlySet<DirectoryPath>): boolean {
  if (all.has(topDirectory) || all.has(directory)) return true;
  return directory !== topDirectory && ancestorsOf(directory).some((above) => all.has(above));
}

/** True where an event under the directory's own name can have meant something in it. */
function hasNamesake(directory: DirectoryPath): boolean {
  try {
    const namesake = `${root}/${directory}/${ownName(directory)}`;
    return lstatSync(namesake, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Too long for a path: then it is watched anew, which is never wrong.
    return false;
  }
}

function ownName(directory: DirectoryPath): string {
  return directory === '' ? root.slice(root.lastIndexOf('/') + 1) : nameOf(directory as SharePath);
}

/** undefined where none of them is there to be asked about. */
function knowsInodes(directories: readonly DirectoryPath[]): boolean | undefined {
  const there = directories.map((directory) => places.inodeOf(directory)).filter((inode) => inode !== null);
  if (there.length === 0) return undefined;
  const inodes = watchedInodes();
  return there.some((inode) => inodes.has(inode));
}
