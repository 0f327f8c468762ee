/**
 * Opens what lies inside a share without following a symlink anywhere below the share's top, also while
 * somebody swaps directories for symlinks, and also where the absolute path is longer than the system takes.
 * Only reads. Runs in worker threads: every call is synchronous.
 */

import { closeSync, constants, lstatSync, openSync, readlinkSync } from 'node:fs';
import { systemCode } from '../base/errors.ts';
import { pathBytesMax } from '../base/limits.ts';
import type { DirectoryPath } from '../core/path.ts';

/** A descriptor of a directory; `base` is a path that means it, wherever it is moved to. Whoever opens it closes it. */
export type OpenedDirectory = { readonly fd: number; readonly base: string };

/** Linux's O_PATH, which Node does not name: needs no permission on the directory itself. */
const pathOnly = 0o10000000;
const directoryFlags = pathOnly | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * @returns null where no directory of this path is (any more), or a symlink is on the way.
 * @throws the system's error where nobody can say (permission, I/O).
 */
export function openDirectory(root: string, directory: DirectoryPath): OpenedDirectory | null {
  const full = directory === '' ? root : `${root}/${directory}`;
  try {
    if (Buffer.byteLength(full) > pathBytesMax) return openFar(root, directory);
    const opened = openedAs(openSync(full, directoryFlags));
    // The system says where the directory really is: any symlink on the way makes that another path.
    if (directory === '' || isAt(opened, full)) return opened;
    closeSync(opened.fd);
    return null;
  } catch (error) {
    if (meansGone(error)) return null;
    throw error;
  }
}

/** @returns null where there is no such directory. */
export function withDirectory<T>(
  root: string,
  directory: DirectoryPath,
  use: (opened: OpenedDirectory) => T | null,
): T | null {
  const opened = openDirectory(root, directory);
  if (opened === null) return null;
  try {
    return use(opened);
  } catch (error) {
    if (meansGone(error)) return null;
    throw error;
  } finally {
    closeSync(opened.fd);
  }
}

/** True where the directory is at this absolute path now, with no symlink on the way. */
export function isAt(opened: OpenedDirectory, full: string): boolean {
  try {
    return readlinkSync(opened.base) === full;
  } catch (error) {
    if (meansGone(error)) return false;
    throw error;
  }
}

/** ENAMETOOLONG too: what the system cannot name is not there by that name. */
export function meansGone(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG';
}

/** Goes as far as one path reaches, then name by name from there. */
function openFar(root: string, directory: DirectoryPath): OpenedDirectory | null {
  const names = directory.split('/');
  let near = '';
  while (names.length > 0 && Buffer.byteLength(`${root}/${near}/${names[0]}`) <= pathBytesMax) {
    near = near === '' ? (names.shift() ?? '') : `${near}/${names.shift()}`;
  }
  let opened = openDirectory(root, near as DirectoryPath);
  for (const name of names) {
    if (opened === null) return null;
    const { fd, base }: OpenedDirectory = opened;
    try {
      opened = openedAs(openSync(`${base}/${name}`, directoryFlags));
    } finally {
      closeSync(fd);
    }
  }
  return opened;
}

function openedAs(fd: number): OpenedDirectory {
  return { fd, base: `/proc/self/fd/${fd}` };
}

export type RootFault = {
  readonly code: 'io' | 'permission' | 'other-filesystem';
  readonly message: string;
};

/**
 * Why nothing that is missing in the share may count as deleted; null where the share's directory is there.
 * @param device the file system it was on when the agent started; null where it was not there then.
 */
export function rootFault(root: string, device: bigint | null): RootFault | null {
  try {
    const stat = lstatSync(root, { bigint: true });
    if (!stat.isDirectory())
      return { code: 'io', message: `the share's directory ${root} is no directory any more` };
    if (device === null || stat.dev === device) return null;
    const message = `the share's directory ${root} is on another file system than at start: mount it again, or restart the agent`;
    return { code: 'other-filesystem', message };
  } catch (error) {
    const code = systemCode(error);
    const message = `the share's directory ${root} cannot be reached (${code}): bring it back, nothing is deleted meanwhile`;
    return { code: code === 'EACCES' || code === 'EPERM' ? 'permission' : 'io', message };
  }
}
