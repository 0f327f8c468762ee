/** The writer's role in a share: what the observer finds becomes the next version. Joins entries, guard and publisher. */

import { departedFilesMax } from '../base/limits.ts';
import type { SharePath } from '../core/path.ts';
import { mtimeUsOf } from '../core/stat.ts';
import type { PathRecord } from '../store/record.ts';
import type { DiskChange } from './compare.ts';
import type { ShareDisk } from './disk.ts';
import { observeEntries } from './entries.ts';
import type { Faults } from './faults.ts';
import { createGuard } from './guard.ts';
import { createPublisher, type PublisherOptions } from './publish.ts';
import type { Moved } from './renames.ts';
import { readHead } from './state.ts';

export type WriterOptions = Omit<PublisherOptions, 'guard' | 'head'> & {
  readonly disk: Pick<ShareDisk, 'reader' | 'scanner' | 'owners'>;
  readonly faults: Faults;
  /** 0 to 1. */
  readonly maxDelete: number;
  readonly paused: boolean;
  readonly signal: AbortSignal;
};

export type Writer = {
  /** @returns paths that changed under our hands: to be looked at again. */
  take(changes: readonly DiskChange[]): Promise<readonly SharePath[]>;
  /** @returns false where it has to be taken path by path. */
  takeMove(moved: Moved): Promise<boolean>;
  /** A whole look at the directory is over. */
  scanned(): Promise<void>;
  seal(): Promise<void>;
  refresh(): Promise<void>;
  pause(paused: boolean): void;
  halt(): void;
  allow(): void;
};

export function createWriter(options: WriterOptions): Writer {
  const { disk, faults, store, signal } = options;
  const guard = createGuard(options.maxDelete);
  const publisher = createPublisher({ ...options, guard, head: readHead(store) });
  publisher.pause(options.paused);

  // Changes while running.
  const departed = new Map<bigint, PathRecord>();

  function noteDeparted(changes: readonly DiskChange[]): void {
    for (const change of changes) {
      if (change.kind === 'gone' && change.before.content !== null && departed.size < departedFilesMax)
        departed.set(change.before.stat.ino, change.before);
    }
  }

  return {
    async take(changes) {
      const ports = { store, reader: disk.reader, scanner: disk.scanner, owners: disk.owners, departed };
      const observed = await observeEntries(changes, ports, { signal });
      for (const { path } of changes) faults.set(path, null);
      for (const { path, code, message } of observed.faults) faults.set(path, { code, message });
      try {
        await publisher.take(observed);
      } catch (error) {
        // Perhaps a block list that nobody kept: then the file is read.
        departed.clear();
        throw error;
      }
      noteDeparted(changes);
      return observed.again;
    },
    async takeMove({ from, to, stat }) {
      const owner = disk.owners.nameOf(stat.uid, stat.gid);
      const entry = {
        kind: 'directory',
        path: to,
        owner,
        mode: stat.mode,
        mtimeUs: mtimeUsOf(stat),
      } as const;
      return publisher.takeMove({ from, to, entry, record: { stat, content: null } });
    },
    scanned: () => publisher.scanned(),
    async seal() {
      departed.clear();
      await publisher.seal();
    },
    refresh: () => publisher.refresh(),
    pause: (paused) => publisher.pause(paused),
    halt: () => publisher.halt(),
    allow: () => publisher.allow(),
  };
}
