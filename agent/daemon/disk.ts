/** The disk side of one share, opened and closed together. */
import { type Committer, createCommitter } from '../disk/commit.ts';
import { createIgnore, type Ignore } from '../disk/ignore.ts';
import { createOwners, type OwnerPolicy, type Owners } from '../disk/owner.ts';
import { createReader, type Reader } from '../disk/read.ts';
import { createScanner, type Scanner } from '../disk/scan.ts';
import { openStage, type Stage } from '../disk/stage.ts';
import { createWatcher, type Watcher, type WatchHandlers } from '../disk/watch.ts';
import type { ShareConfig } from './config.ts';

export type ShareDisk = {
  readonly ignore: Ignore;
  readonly owners: Owners;
  readonly scanner: Scanner;
  readonly reader: Reader;
  readonly stage: Stage;
  readonly committer: Committer;
  readonly watch: (handlers: WatchHandlers) => Watcher;
  close(): Promise<void>;
};

/** @param options.writes whether this agent is the share's writer: of the threads that only the other role needs none waits for work. */
export async function openDisk(
  root: string,
  config: ShareConfig,
  { writes }: { readonly writes: boolean },
): Promise<ShareDisk> {
  const ignore = createIgnore(config.ignore);
  const stage = await openStage(root, { lasting: !writes });
  const scanner = createScanner(root, { ignore });
  const reader = createReader(root, { lasting: writes });
  const committer = createCommitter(root, stage, {
    durability: config.durability,
    lasting: !writes,
  });
  return {
    ignore,
    owners: createOwners(),
    scanner,
    reader,
    stage,
    committer,
    watch: (handlers) => createWatcher(root, handlers),
    async close() {
      await Promise.all([scanner.close(), reader.close(), committer.close()]);
      await stage.close();
    },
  };
}

/** `USER:GROUP` of the configuration. */
export function ownerPolicy(rule: ShareConfig['owner']): OwnerPolicy {
  return rule.kind === 'fixed' ? { user: rule.user, group: rule.group } : rule.kind;
}
