/**
 * The agent's index: one LMDB environment a share, below one directory of the home, so that a share that is left gives its
 * space back. Shared by processes: the agent writes, a command may read at the same time.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { P2psyncError } from '../base/errors.ts';
import type { ShareId } from '../core/keys.ts';
import { type OpenShareStore, openShareStore, type ShareStore } from './share-store.ts';

export type Store = {
  /** Opens it on first use. @throws {P2psyncError} not-found, where the store is read only and the share has no index. */
  share(id: ShareId): ShareStore;
  /** Closes it and removes its files. */
  dropShare(id: ShareId): Promise<void>;
  /** Waits for what is being written. */
  close(): Promise<void>;
};

/** @throws {P2psyncError} not-found, where it is opened read only and is not there. */
export function openStore(directory: string, options: { readonly readOnly?: boolean } = {}): Store {
  const readOnly = options.readOnly === true;
  if (readOnly && !existsSync(directory)) {
    throw new P2psyncError('not-found', `there is no index in ${directory} yet; \`p2psync run\` makes it`, {
      path: directory,
    });
  }
  const shares = new Map<ShareId, OpenShareStore>();
  return {
    share(id) {
      const known = shares.get(id);
      if (known !== undefined) return known;
      const opened = openShareStore(join(directory, id), { readOnly });
      shares.set(id, opened);
      return opened;
    },
    async dropShare(id) {
      await shares.get(id)?.close();
      shares.delete(id);
      await rm(join(directory, id), { recursive: true, force: true });
    },
    async close() {
      await Promise.all([...shares.values()].map((share) => share.close()));
      shares.clear();
    },
  };
}
