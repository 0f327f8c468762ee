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
import { iterate, lookup } from '../core/tree.ts';
import type { Reader } from '../disk/read.ts';
import type { Scanner } from '../disk/scan.ts';
import type { IndexEdit, ShareStore } from '../store/share-store.ts';
import type { Applier } from './apply.ts';
import type { DiskChange } from './compare.ts';
import { asEntry, sameBytes } from './found.ts';
import type { Gate } from './gate.ts';
import type { Log } from './log.ts';
import type { Applied } from './state.ts';

export type DriftPorts = {
  readonly store: ShareStore;
  readonly reader: Reader;
  readonly scanner: Scanner;
  readonly applier: Applier;
  readonly gate: Gate;
  readonly log: Log;
  readonly applied: () => Applied | null;
  /** These paths are not as the applied tree has them, and the index says so now. */
  readonly onDrifted: (paths: readonly SharePath[]) => void;
};

export type DriftOptions = {
  readonly signal: AbortSignal;
  /** `alert`: say it and leave it. */
  readonly localChanges: 'revert' | 'alert';
};

/** Looks at what the observer found, behind the gate: our own commits are no drift. */
export async function handleDrift(
  found: readonly DiskChange[],
  ports: DriftPorts,
  options: DriftOptions,
): Promise<void> {
  await ports.gate.run(async () => {
    const applied = ports.applied();
    const changes = await stillThere(found, ports);
    if (changes.length === 0) return;
    if (applied === null) return adopt(changes, ports, options);
    const sorted = await sort(changes, applied, ports, options);
    if (options.localChanges === 'alert') {
      for (const path of [...sorted.drifted, ...sorted.strays.map((stray) => stray.path)]) {
        ports.log.warn({ path }, 'differs from the signed tree; left alone (local_changes = "alert")');
      }
      return;
    }
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
  const found: SharePath[] = [];
  let count = 0;
  for (const { path } of iterate((digest) => store.page(digest), root)) {
    if (store.record(path) === undefined) found.push(path);
    count += 1;
    if (count % treeWalkPauseEntries === 0) await setImmediate();
  }
  return found;
}

/** A commit may have put the path right, or changed it, between the look and the gate. */
async function stillThere(found: readonly DiskChange[], ports: DriftPorts): Promise<DiskChange[]> {
  const stats = await ports.scanner.stat(found.map((change) => change.path));
  return found.flatMap((change, at): DiskChange[] => {
    const stat = stats[at] ?? null;
    if (stat === 'unreadable') return [];
    const { path } = change;
    const before = ports.store.record(path);
    if (stat === null) return before === undefined ? [] : [{ kind: 'gone', path, before }];
    if (before !== undefined && sameStat(before.stat, stat)) return [];
    return [{ kind: 'present', path, stat, before, restless: false }];
  });
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
    else index.push({ path, record: { stat: change.stat, content: null, durable: true } });
  }
  const items = files.map((path) => ({ path, cut: null, keepBytes: false }));
  for await (const results of ports.reader.read(items, options)) {
    for (const result of results) {
      if (result.kind !== 'ok') continue;
      index.push({
        path: result.path,
        record: { stat: result.stat, content: result.content, durable: true },
      });
      listPages.push(...result.listPages);
    }
  }
  await ports.store.write({ pages: listPages, index });
}

type Sorted = { readonly index: IndexEdit[]; readonly drifted: SharePath[]; readonly strays: Change[] };

async function sort(
  changes: readonly DiskChange[],
  applied: Applied,
  ports: DriftPorts,
  options: DriftOptions,
): Promise<Sorted> {
  const { store } = ports;
  const pages = (digest: Digest): Bytes | undefined => store.page(digest);
  const sorted: Sorted = { index: [], drifted: [], strays: [] };
  const toRead = new Map<SharePath, { readonly entry: FileEntry; readonly stat: DiskStat }>();

  for (const change of changes) {
    const { path } = change;
    const entry = lookup(pages, applied.root, path);
    if (entry === undefined) {
      if (change.kind === 'present')
        sorted.strays.push({ path, before: asEntry(path, change.stat), after: null });
      if (change.before !== undefined) sorted.index.push({ path, record: null });
    } else if (change.kind === 'gone' || entry.kind !== change.stat.kind) {
      forget(path, change, sorted, store);
    } else if (entry.kind === 'file' && change.stat.nlink < 2) {
      toRead.set(path, { entry, stat: change.stat });
    } else if (entry.kind === 'directory') {
      sorted.index.push({ path, record: { stat: change.stat, content: null, durable: true } });
      sorted.drifted.push(path);
    } else forget(path, change, sorted, store);
  }

  const items = [...toRead].map(([path, { entry }]) => ({
    path,
    cut: entry.content.kind === 'list' ? entry.content.cut : null,
    keepBytes: false,
  }));
  for await (const results of ports.reader.read(items, options)) {
    for (const result of results) {
      const known = toRead.get(result.path);
      if (known !== undefined && result.kind === 'ok' && sameBytes(result.content, known.entry.content)) {
        // Its bytes are right: at most mode, owner or time are to be set.
        sorted.index.push({
          path: result.path,
          record: { stat: result.stat, content: known.entry.content, durable: true },
        });
      } else sorted.index.push({ path: result.path, record: null });
      sorted.drifted.push(result.path);
    }
  }
  return sorted;
}

/** Nothing of what lies there is believed, nor of the other names of its inode. */
function forget(path: SharePath, change: DiskChange, sorted: Sorted, store: ShareStore): void {
  const inode = change.before?.stat;
  const group = inode !== undefined && inode.nlink > 1 ? store.linkGroup(inode.ino) : [];
  for (const name of new Set([path, ...group])) {
    sorted.index.push({ path: name, record: null });
    sorted.drifted.push(name);
  }
}
