/** `.p2psync/share` in a share's directory: says whose it is, and that its file system is mounted. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { P2psyncError, systemCode } from '../base/errors.ts';
import type { ShareId } from '../core/keys.ts';
import { agentDirectory } from '../core/path.ts';
import { markerPath } from '../disk/agent-paths.ts';
import { writeDurably } from './home.ts';

const markerIn = (directory: string): string => join(directory, markerPath);

export async function writeMarker(directory: string, share: ShareId): Promise<void> {
  await mkdir(join(directory, agentDirectory), { recursive: true, mode: 0o700 });
  await writeDurably(markerIn(directory), `${share}\n`);
}

/** @throws {P2psyncError} io, where the directory is not (any more) the share's, with the remedy. */
export async function checkMarker(directory: string, share: ShareId): Promise<void> {
  const found = await readMarker(directory);
  if (found === share) return;
  if (found !== null) {
    throw new P2psyncError(
      'io',
      `${directory} belongs to another share (${found}): mount or choose the right directory`,
    );
  }
  throw new P2psyncError(
    'io',
    `${markerIn(directory)} is not there: is the file system of ${directory} mounted? If the directory was made anew, put the share's id back: mkdir -p ${join(directory, agentDirectory)} && echo ${share} > ${markerIn(directory)}`,
  );
}

/** @returns the id in it; null where there is none. */
export async function readMarker(directory: string): Promise<string | null> {
  try {
    return (await readFile(markerIn(directory), 'utf8')).trim();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}
