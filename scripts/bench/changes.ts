/** The changes whose arrival is measured: each one a system call or two on the source, and how it shows on a replica. */
import { chmodSync, closeSync, openSync, renameSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { hasMode, holds, isGone, isRenamed } from './look.ts';
import { batchFiles, filePath, KIB, noise, type Random } from './trees.ts';

export type Change = {
  apply(): void;
  /** A check to be asked again and again, of one replica's tree. */
  isSeen(replica: string): () => boolean;
};

export const changeKinds = [
  'create 4 KiB',
  'edit 4 KiB',
  'delete',
  'chmod',
  'rename of 1,000 files',
] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** Of one tree made by `makeFiles(top, files)`; it remembers what it has removed and renamed. */
export function createChanges(top: string, files: number, random: Random): (kind: ChangeKind) => Change {
  // The first half is removed file by file, the second stays for the other changes.
  const kept = Math.ceil(files / 2);
  let created = 0;
  let removed = 0;
  let renamed = 0;
  const anyFile = (): string => filePath(files - 1 - (random() % kept));
  const batchName = (): string => (renamed === 0 ? 'batch' : `batch${renamed}`);

  return (kind) => {
    switch (kind) {
      case 'create 4 KiB': {
        created += 1;
        const path = join(anyFile(), '..', `new${created}.html`);
        const bytes = noise(4 * KIB, random());
        return {
          apply: () => writeFileSync(join(top, path), bytes),
          isSeen: (replica) => holds(join(replica, path), bytes),
        };
      }
      case 'edit 4 KiB': {
        const path = anyFile();
        const bytes = noise(4 * KIB, random());
        return {
          apply: () => overwrite(join(top, path), bytes, 0),
          isSeen: (replica) => holds(join(replica, path), bytes),
        };
      }
      case 'delete': {
        const path = filePath(removed);
        removed += 1;
        return { apply: () => unlinkSync(join(top, path)), isSeen: (replica) => isGone(join(replica, path)) };
      }
      case 'chmod': {
        const path = anyFile();
        const mode = 0o600 + (random() % 0o200);
        return {
          apply: () => chmodSync(join(top, path), mode),
          isSeen: (replica) => hasMode(join(replica, path), mode),
        };
      }
      case 'rename of 1,000 files': {
        const from = batchName();
        renamed += 1;
        const to = batchName();
        return {
          apply: () => renameSync(join(top, from), join(top, to)),
          isSeen: (replica) => isRenamed(join(replica, from), join(replica, to), batchFiles),
        };
      }
    }
  };
}

/** In place, in one write. */
export function overwrite(path: string, bytes: Buffer, offset: number): void {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, offset);
  closeSync(descriptor);
}
