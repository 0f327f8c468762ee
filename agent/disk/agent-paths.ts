/** What lies in `.p2psync`, relative to the share's directory. Pure. */
import { type Digest, isDigest } from '../core/digest.ts';
import { agentDirectory } from '../core/path.ts';
import type { Confined } from './confined.ts';
import { hasErrorCode } from './system-errors.ts';

/** Says whose the directory is. */
export const markerPath = `${agentDirectory}/share`;
/** Fetched blocks, by digest, and big files that are being put together, by content. Owned by the stage. */
export const stageDirectory = `${agentDirectory}/stage`;
/** Files of the running commit that are in no stage: copies, symlinks, links. Empty between commits. */
export const readyDirectory = `${agentDirectory}/ready`;
/** Directories that the running commit took out of the way, by step. Empty between commits. */
export const asideDirectory = `${agentDirectory}/aside`;
/** Local changes, by time and path. Never emptied by the committer. */
export const keptDirectory = `${agentDirectory}/kept`;
/** Journals of commits whose files are not on the device for certain. */
export const undurableDirectory = `${agentDirectory}/undurable`;
export const journalPath = `${agentDirectory}/journal`;
export const newJournalPath = `${agentDirectory}/journal.new`;

export function stagedBlock(digest: Digest): string {
  return `${stageDirectory}/${digest}`;
}
export function partOf(content: Digest): string {
  return `${stageDirectory}/${content}.part`;
}
export function listOf(content: Digest): string {
  return `${stageDirectory}/${content}.list`;
}

/** Of files that go into the share: most have it there too, and nobody else looks into the directories they wait in. */
export const stagedMode = 0o644;

export type StagedName = { readonly digest: Digest; readonly kind: 'block' | 'part' | 'list' };

/** @returns undefined where the name is none of the stage's. */
export function parseStagedName(name: string): StagedName | undefined {
  const dot = name.indexOf('.');
  const text = dot < 0 ? name : name.slice(0, dot);
  const kind = dot < 0 ? 'block' : name.slice(dot + 1);
  if (!isDigest(text) || (kind !== 'block' && kind !== 'part' && kind !== 'list')) return undefined;
  return { digest: text, kind };
}

/** Makes them where they are not, private, and nobody's group by inheritance. */
export function ensureDirectories(confined: Confined, ...paths: readonly string[]): void {
  for (const path of [agentDirectory, ...paths]) {
    try {
      confined.mkdir(path, 0o700);
    } catch (error) {
      if (!hasErrorCode(error, 'EEXIST')) throw error;
      continue;
    }
    // Below a setgid directory a new one takes over its group and the bit, and so would every file in it.
    const uid = process.geteuid?.();
    const gid = process.getegid?.();
    if (uid !== undefined && gid !== undefined) confined.chown(path, uid, gid);
    confined.chmod(path, 0o700);
  }
}
