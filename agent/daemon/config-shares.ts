/** Which directories may be shares: reads the disk, never changes it. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';

export type SharePlace = { readonly name: string; readonly path: string };

/** Every share of a configuration against the disk, the home and the others. @throws {P2psyncError} config, permission, io. */
export async function checkShareDirectories(shares: readonly SharePlace[], home: string): Promise<void> {
  const checked: { readonly name: string; readonly real: string }[] = [];
  for (const share of shares) {
    const real = await realDirectory(share);
    const realHome = await realpathOrParent(home);
    if (isInside(real, realHome)) {
      throw refused(share, `lies inside the agent's home ${home}; keep the two apart`);
    }
    if (isInside(realHome, real)) {
      throw refused(
        share,
        `holds the agent's home ${home}, whose keys would be replicated; use another --home`,
      );
    }
    for (const other of checked) {
      if (real === other.real) throw refused(share, `is the directory of share ${other.name} too`);
      if (isInside(real, other.real)) throw refused(share, `lies inside share ${other.name} (${other.real})`);
      if (isInside(other.real, real)) throw refused(share, `holds share ${other.name} (${other.real})`);
    }
    checked.push({ name: share.name, real });
  }
}

async function realDirectory(share: SharePlace): Promise<string> {
  try {
    const real = await realpath(share.path);
    if (!(await stat(real)).isDirectory()) throw refused(share, 'is not a directory');
    return real;
  } catch (error) {
    if (error instanceof P2psyncError) throw error;
    const code = systemCode(error);
    // It may be a mount that is missing: never made by ourselves.
    if (code === 'ENOENT' || code === 'ENOTDIR') throw refused(share, 'is not there; make or mount it first');
    const denied = code === 'EACCES' || code === 'EPERM';
    throw new P2psyncError(
      denied ? 'permission' : 'io',
      `share ${share.name}: cannot look at ${share.path}: ${messageOf(error)}`,
      { share: share.name, path: share.path },
      { cause: error },
    );
  }
}

/** A home that is not made yet will lie where its nearest existing parent does. */
async function realpathOrParent(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) return path;
    return join(await realpathOrParent(dirname(path)), basename(path));
  }
}

/** True for the directory itself too. */
function isInside(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

function refused(share: SharePlace, why: string): P2psyncError {
  return new P2psyncError('config', `share ${share.name}: ${share.path} ${why}`, {
    share: share.name,
    path: share.path,
  });
}
