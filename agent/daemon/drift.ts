/**
 * On a replica: what a person or a program changed in the share is no news but drift. Tells changes that leave
 * everything as the tree has it from those that do not, and puts strays aside; never fetches anything.
 */

import { setImmediate } from 'node:timers/promises';
import type { Bytes } from '../base/bytes.ts';
import { treeWalkPauseEntries } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { Change, FileEntry } from '../core/entry.ts';
import type { SharePath } from '../core/path.ts';
import { type DiskStat, sameStat } from '../core/stat.ts';
import { countsOf, iterate, lookup } from '../core/tree.ts';
import type { Reader } from '../disk/read.ts';
import type { Scanner } from '../disk/scan.ts';
import type { IndexEdit, ShareStore } from '../store/share-store.ts';
import type { Applier } from './apply.ts';
import type { DiskChange } from './compare.ts';
import { asEntry, sameBytes } from './found.ts';
import type { Gate } from './gate.ts';
import type { Log } from './log.ts';
import { type Applied, readApplied } from './state.ts';

export type DriftPorts = {
  readonly store: ShareStore;
  readonly reader: Reader;
  readonly scanner: Scanner;
  readonly applier: Applier;
  readonly gate: Gate;
  readonly log: Log;
  /** These paths are not as the applied tree has them, and the index says so now. */
  readonly onDrifted: (paths: readonly SharePath[]) => void;
};

export type DriftOptions = {
  readonly signal: AbortSignal;
  /** `alert`: say it and leave it. */
  readonly localChanges: 'revert' | 'alert';
  /** Put right all the same: a person asked for it. */
  readonly asked: ReadonlySet<SharePath>;
};

/** What is found to differ at this path is put right, and not only told of. */
export function mends(path: SharePath, options: Pick<DriftOptions, 'localChanges' | 'asked'>): boolean {
  return options.localChanges === 'revert' || options.asked.has(path);
}

/** Looks at what the observer found, behind the gate: our own commits are no drift. */
export async function handleDrift(
  found: readonly DiskChange[],
  ports: DriftPorts,
  options: DriftOptions,
): Promise<void> {
  await ports.gate.run(async () => {
    // Of the store, which a commit before us in the gate has brought up to date: nobody else may have heard of it yet.
    const applied = readApplied(ports.store);
    const changes = await stillThere(found, ports);
    if (changes.length === 0) return;
    if (applied === null) return adopt(changes, ports, options);
    const all = await sort([...changes, ...(await otherNames(changes, ports))], applied, ports, options);
    if (all.fine.length > 0) await ports.store.write({ index: all.fine });
    for (const path of [...all.drifted, ...all.strays.map((stray) => stray.path)]) {
      if (mends(path, options)) continue;
      ports.log.warn({ path }, 'differs from the signed tree; left alone (local_changes = "alert")');
    }
    const sorted = {
      index: all.index.filter(({ path }) => mends(path, options)),
      strays: all.strays.filter(({ path }) => mends(path, options)),
      drifted: all.drifted.filter((path) => mends(path, options)),
    };
    await ports.store.write({ index: sorted.index });
    if (sorted.strays.length > 0) await ports.applier.commitHere(applied, sorted.strays, options);
    if (sorted.drifted.length > 0) {
      ports.log.warn(
        { paths: sorted.drifted.length, first: sorted.drifted[0] },
        'local changes are put right',
      );
      ports.onDrifted(sorted.drifted);
    }
  });
}

/** Paths of the tree that the index does not know: whatever took them away, they are to be put right. */
export async function findUnindexed(store: ShareStore, root: Digest): Promise<readonly SharePath[]> {
  const pages = (digest: Digest): Bytes | undefined => store.page(digest);
  const found: SharePath[] = [];
  // What the tree does not have is not in the index either: where both have as many, they have the same.
  if (store.pathCount() === countsOf(pages, root).entries) return found;
  let count = 0;
  for (const { path } of iterate(pages, root)) {
    if (store.record(path) === undefined) found.push(path);
    count += 1;
    if (count % treeWalkPauseEntries === 0) await setImmediate();
  }
  return found;
}

/** A commit may have put the path right, or changed it, between the look and the gate. */
async function stillThere(found: readonly DiskChange[], ports: DriftPorts): Promise<DiskChange[]> {
  return look(
    found.map((change) => change.path),
    ports,
  );
}

/** Of these alone, not of what is below them: where the disk is not as the index says. */
async function look(paths: readonly SharePath[], { scanner, store }: DriftPorts): Promise<DiskChange[]> {
  const stats = await scanner.stat(paths);
  return paths.flatMap((path, at): DiskChange[] => {
    const stat = stats[at] ?? null;
    const before = store.record(path);
    if (stat === 'unreadable') return [];
    if (stat === null) return before === undefined ? [] : [{ kind: 'gone', path, before }];
    if (before !== undefined && sameStat(before.stat, stat)) return [];
    return [{ kind: 'present', path, stat, before, restless: false }];
  });
}

/** Further names of files of which something changed: what is done through one name is told of that name alone. */
async function otherNames(changes: readonly DiskChange[], ports: DriftPorts): Promise<DiskChange[]> {
  const known = new Set(changes.map((change) => change.path));
  const inodes = new Set<bigint>();
  for (const change of changes) {
    const stats = [change.before?.stat, change.kind === 'present' ? change.stat : undefined];
    for (const stat of stats) if (stat?.kind === 'file' && stat.nlink > 1) inodes.add(stat.ino);
  }
  const names = [...inodes].flatMap((ino) => ports.store.linkGroup(ino)).filter((path) => !known.has(path));
  return names.length === 0 ? [] : look([...new Set(names)], ports);
}

/**
 * Before the first version is here: what lies in the directory is indexed with its blocks, so that applying
 * that version moves nothing that is here already, and keeps aside what is other.
 */
async function adopt(
  changes: readonly DiskChange[],
  ports: DriftPorts,
  options: DriftOptions,
): Promise<void> {
  const index: IndexEdit[] = [];
  const listPages: (readonly [Digest, Bytes])[] = [];
  const files: SharePath[] = [];
  for (const change of changes) {
    const { path } = change;
    if (change.kind === 'gone') index.push({ path, record: null });
    else if (change.stat.kind === 'file') files.push(path);
    else index.push({ path, record: { stat: change.stat, content: null } });
  }
  const items = files.map((path) => ({ path, cut: null, keepBytes: false }));
  for await (const results of ports.reader.read(items, options)) {
    for (const result of results) {
      if (result.kind !== 'ok') continue;
      index.push({
        path: result.path,
        record: { stat: result.stat, content: result.content },
      });
      listPages.push(...result.listPages);
    }
  }
  await ports.store.write({ pages: listPages, index });
}

type Sorted = {
  /** Looked at again, and as the tree has them. */
  readonly fine: IndexEdit[];
  readonly index: IndexEdit[];
  readonly drifted: SharePath[];
  readonly strays: Change[];
};

/** A file of the tree, and of which file it is a further name, if it is. */
type ToRead = {
  readonly change: DiskChange;
  readonly entry: FileEntry;
  readonly target: SharePath | null;
};

async function sort(
  changes: readonly DiskChange[],
  applied: Applied,
  ports: DriftPorts,
  options: DriftOptions,
): Promise<Sorted> {
  const { store } = ports;
  const pages = (digest: Digest): Bytes | undefined => store.page(digest);
  const sorted: Sorted = { fine: [], index: [], drifted: [], strays: [] };
  const toRead = new Map<SharePath, ToRead>();

  for (const change of changes) {
    const { path } = change;
    const entry = lookup(pages, applied.root, path);
    const first = entry?.kind === 'hardlink' ? lookup(pages, applied.root, entry.target) : entry;
    if (entry === undefined) {
      if (change.kind === 'present')
        sorted.strays.push({ path, before: asEntry(path, change.stat), after: null });
      if (change.before !== undefined) sorted.index.push({ path, record: null });
    } else if (change.kind === 'gone' || first?.kind !== change.stat.kind) {
      sorted.index.push({ path, record: null });
      sorted.drifted.push(path);
    } else if (first.kind === 'file') {
      toRead.set(path, { change, entry: first, target: entry.kind === 'hardlink' ? entry.target : null });
    } else if (first.kind === 'directory') {
      sorted.index.push({ path, record: { stat: change.stat, content: null } });
      sorted.drifted.push(path);
    } else {
      sorted.index.push({ path, record: null });
      sorted.drifted.push(path);
    }
  }

  const items = [...toRead].map(([path, { entry }]) => ({
    path,
    cut: entry.content.kind === 'list' ? entry.content.cut : null,
    keepBytes: false,
  }));
  for await (const results of ports.reader.read(items, options)) {
    for (const result of results) {
      const known = toRead.get(result.path);
      if (known === undefined || result.kind !== 'ok' || !sameBytes(result.content, known.entry.content)) {
        sorted.index.push({ path: result.path, record: null });
        sorted.drifted.push(result.path);
        continue;
      }
      // Its bytes are right: at most mode, owner or time are to be set, or the link to be made anew.
      const { path, stat } = result;
      const edit = { path, record: { stat, content: known.entry.content } };
      const before = known.change.before?.stat;
      const isFine =
        known.target === null ? looksAlike(before, stat) : await isOneFile(known.target, stat, ports);
      if (isFine) sorted.fine.push(edit);
      else {
        sorted.index.push(edit);
        sorted.drifted.push(path);
      }
    }
  }
  return sorted;
}

/** True where at most names and what is derived came or went since the last look: a link for a backup, for one. */
function looksAlike(before: DiskStat | undefined, now: DiskStat): boolean {
  if (before === undefined || before.mtimeNs !== now.mtimeNs || before.mode !== now.mode) return false;
  return before.uid === now.uid && before.gid === now.gid;
}

async function isOneFile(target: SharePath, stat: DiskStat, { scanner }: DriftPorts): Promise<boolean> {
  const [first] = await scanner.stat([target]);
  return first !== undefined && first !== null && first !== 'unreadable' && first.ino === stat.ino;
}
