/** The writer's role in a share: what the observer finds becomes the next version. Joins entries, guard and publisher. */

import type { SharePath } from '../core/path.ts';
import type { DiskChange } from './compare.ts';
import type { ShareDisk } from './disk.ts';
import { observeEntries } from './entries.ts';
import type { Faults } from './faults.ts';
import { createGuard } from './guard.ts';
import { createPublisher, type PublisherOptions } from './publish.ts';
import { readHead } from './state.ts';

export type WriterOptions = Omit<PublisherOptions, 'guard' | 'head'> & {
  readonly disk: ShareDisk;
  readonly faults: Faults;
  /** 0 to 1. */
  readonly maxDelete: number;
  readonly paused: boolean;
  readonly signal: AbortSignal;
};

export type Writer = {
  /** @returns paths that changed under our hands: to be looked at again. */
  take(changes: readonly DiskChange[]): Promise<readonly SharePath[]>;
  seal(): Promise<void>;
  refresh(): Promise<void>;
  pause(paused: boolean): void;
  allow(): void;
};

export function createWriter(options: WriterOptions): Writer {
  const { disk, faults, store, signal } = options;
  const guard = createGuard(options.maxDelete);
  const publisher = createPublisher({ ...options, guard, head: readHead(store) });
  publisher.pause(options.paused);

  return {
    async take(changes) {
      const ports = { store, reader: disk.reader, scanner: disk.scanner, owners: disk.owners };
      const observed = await observeEntries(changes, ports, { signal });
      for (const { path } of changes) faults.set(path, null);
      for (const { path, code, message } of observed.faults) faults.set(path, { code, message });
      await publisher.take(observed);
      return observed.again;
    },
    seal: () => publisher.seal(),
    refresh: () => publisher.refresh(),
    pause: (paused) => publisher.pause(paused),
    allow: () => publisher.allow(),
  };
}
