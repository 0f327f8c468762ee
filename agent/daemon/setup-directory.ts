/** Whether a directory can become a share: looked at before anything is written. Reads only. */
import { constants } from 'node:fs';
import { access, lstat, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { agentDirectory } from '../core/path.ts';
import { readMarker } from './marker.ts';

/** @throws {P2psyncError} not-found, conflict, permission, io. */
export async function checkDirectory(directory: string): Promise<void> {
  try {
    const found = await stat(directory);
    if (!found.isDirectory())
      throw new P2psyncError('conflict', `${directory} is not a directory: a share is a directory tree`);
    await access(directory, constants.W_OK | constants.X_OK);
    await checkOwnDirectory(join(directory, agentDirectory));
    await checkParents(await realpath(directory), directory);
  } catch (error) {
    if (error instanceof P2psyncError) throw error;
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new P2psyncError('not-found', `${directory} is not there: make it first (mkdir -p ${directory})`);
    }
    if (code === 'EACCES' || code === 'EROFS') {
      throw new P2psyncError(
        'permission',
        `${directory} cannot be written by this user: ${messageOf(error)}`,
      );
    }
    throw new P2psyncError('io', `cannot look at ${directory}: ${messageOf(error)}`, {}, { cause: error });
  }
}

/** Shares of other homes are known by their markers. */
async function checkParents(real: string, directory: string): Promise<void> {
  for (let parent = dirname(real); ; parent = dirname(parent)) {
    if ((await readMarker(parent)) !== null) {
      throw new P2psyncError(
        'conflict',
        `${directory} lies inside the share over ${parent}: choose a directory outside of it`,
      );
    }
    if (parent === dirname(parent)) return;
  }
}

/** What the agent keeps in a share is a directory, and nowhere else. */
async function checkOwnDirectory(own: string): Promise<void> {
  const found = await lstat(own).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (found === null || found.isDirectory()) return;
  throw new P2psyncError('conflict', `${own} is no directory, and the agent needs it: move it away`);
}

/** Our own entry does not count. */
export async function isEmpty(directory: string): Promise<boolean> {
  return (await readdir(directory)).every((name) => name === agentDirectory);
}
